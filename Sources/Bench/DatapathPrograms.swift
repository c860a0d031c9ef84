import CWeir
import Datapath
import FlowModel
import Glibc

/// A frame for the benchmark's programs.
struct DatapathFrame: Sendable {
    /// The IP version, as in the names of cases.
    let name: String
    let bytes: [UInt8]
    /// Size and number of the segments of a super-packet.
    var gso: (size: UInt32, segments: UInt32) = (0, 0)

    private static let segment = 1400

    /// TCP, ports 40000 and 443; a header without options, and payload.
    private static func tcp(payload: Int, flags: UInt8 = 0x10) -> [UInt8] {
        [0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]
            + [UInt8](repeating: 0, count: payload)
    }

    private static func ethernet(_ type: [UInt8]) -> [UInt8] {
        [0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1] + type
    }

    private static func big(_ number: Int) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }

    /// 10.0.0.0:40000 to 10.0.0.2:443, 10 bytes of payload.
    static let ipv4 = ipv4(payload: 10)

    /// The same flow's first packet.
    static let opening = ipv4(payload: 0, flags: 0x02)

    private static func ipv4(payload: Int, flags: UInt8 = 0x10) -> DatapathFrame {
        let header = [0x45, 0] + big(40 + payload) + [0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 0, 10, 0, 0, 2]
        return DatapathFrame(
            name: "ipv4",
            bytes: ethernet([0x08, 0x00]) + header + tcp(payload: payload, flags: flags)
        )
    }

    /// 2001:db8::, port 40000, to 2001:db8::2, port 443, 10 bytes of payload.
    static let ipv6 = ipv6(payload: 10)

    private static func ipv6(payload: Int) -> DatapathFrame {
        let prefix: [UInt8] = [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11)
        let header = [0x60, 0, 0, 0] + big(20 + payload) + [6, 64] + prefix + [0] + prefix + [2]
        return DatapathFrame(name: "ipv6", bytes: ethernet([0x86, 0xdd]) + header + tcp(payload: payload))
    }

    /// The same flow's packet as a super-packet of two full segments.
    var superPacket: DatapathFrame {
        var frame = name == "ipv4" ? Self.ipv4(payload: 2 * Self.segment) : Self.ipv6(payload: 2 * Self.segment)
        frame.gso = (UInt32(Self.segment), 2)
        return frame
    }
}

/// The benchmark's programs with their own maps.
struct DatapathPrograms: ~Copyable {
    /// A program of bpf/bench.bpf.c.
    enum Program: String {
        /// The cost of the harness and of the selection of the next flow.
        case empty = "bench_empty"
        /// The flow counter as it is attached, with its account.
        case flows = "bench_flows"
        /// A hash map with the flow counter's parser.
        case hash = "bench_hash"
        /// A hash map with the flow counter's parser, on egress.
        case hashEgress = "bench_hash_egress"
        /// A hash map with only the parser for all packets.
        case hashLong = "bench_hash_long"
        /// A hash map that also stores the time.
        case hashClock = "bench_hash_clock"
    }

    private let programs: KernelPrograms
    private let interfaces: InterfaceTable

    private static let loopback = Link(index: 1, name: "lo", type: UInt16(ARPHRD_ETHER), flags: 0)

    /// Loads the programs.
    ///
    /// `flows` and `slots` are powers of two, and the hash map has as many entries as the table has slots.
    init(flows: Int, slots: Int, watching link: Link = Self.loopback, timesHandshakes: Bool = false) throws {
        let programs = try KernelPrograms(
            .bench,
            tableSlots: slots,
            ringBytes: 64 << 20,
            timesHandshakes: timesHandshakes
        ) {
            object throws(DatapathError) in
            try object.setEntries(UInt32(slots), of: "hash_counters")
            try object.setConstant(UInt32(flows - 1), named: "flow_mask")
            try object.setConstant(UInt32(flows.trailingZeroBitCount), named: "flow_bits")
            try object.setConstant(UInt32(max(1, flows.trailingZeroBitCount / 2)), named: "flow_shift")
        }
        let interfaces = try programs.interfaces()
        _ = interfaces.add(link)
        self.programs = programs
        self.interfaces = interfaces
    }

    /// The descriptor of a program.
    func descriptor(_ program: Program) throws -> Int32 { try programs.program(program.rawValue) }

    /// Mean time of one run, ns, of one measurement.
    func time(_ program: Program, _ frame: DatapathFrame, times: Int32) throws -> Double {
        let result = try ProgramTestRun.run(
            descriptor(program),
            frame: frame.bytes,
            ifindex: Self.loopback.index,
            gso: frame.gso,
            times: times
        )
        return Double(result.nanoseconds)
    }

    /// The fastest mean of each program minus that of the empty one, measured in turn.
    func above(_ names: [Program], _ frame: DatapathFrame, times: Int32, rounds: Int) throws -> [Double] {
        let all = [.empty] + names
        var best = [Double](repeating: .infinity, count: all.count)
        for _ in 0..<rounds {
            for (index, program) in all.enumerated() {
                best[index] = min(best[index], try time(program, frame, times: times))
            }
        }
        return best.dropFirst().map { $0 - best[0] }
    }
}
