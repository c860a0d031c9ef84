import CWeir
import Datapath
import Glibc

/// The flow counter on `lo`, with or without the programs for DNS messages.
private struct DNSCounter: ~Copyable {
    private let programs: KernelPrograms
    private let interfaces: InterfaceTable
    private let position: Int
    private let reader: DNSReader?

    init(collectsDNS: Bool) throws {
        let programs = try KernelPrograms(
            .flows,
            tableSlots: Int(WEIR_MIN_SLOTS),
            ringBytes: 4096,
            handsOnDNS: collectsDNS
        )
        let interfaces = try programs.interfaces()
        let position = interfaces.add(Link(index: 1, name: "lo", type: UInt16(ARPHRD_ETHER), flags: 0)) ?? 0
        interfaces.setIsWorkload(true, position: position)
        let reader = collectsDNS ? try DNSReader(beside: programs) : nil
        self.position = position
        self.reader = reader
        self.interfaces = interfaces
        self.programs = programs
    }

    /// Mean time of one run, ns, the harness's included; what was copied is read afterwards.
    func time(_ frame: [UInt8], times: Int32) throws -> Double {
        let result = try ProgramTestRun.run(programs.program("weir_ingress"), frame: frame, times: times)
        reader?.drain(positions: [position]) { _, _ in true }
        return Double(result.nanoseconds)
    }
}

/// Measures the cost of collecting DNS messages.
enum DatapathDNS {
    /// Runs of a chunk: their messages have room in a quarter of the ring.
    private static let times: Int32 = 1000

    /// 10.0.0.1 to 10.0.0.2, 64 bytes of payload.
    private static func frame(_ proto: UInt8, port: UInt16) -> [UInt8] {
        let ports: [UInt8] = [0x9c, 0x40, UInt8(port >> 8), UInt8(port & 0xff)]
        let udp = ports + [0, 72, 0, 0] + [UInt8](repeating: 1, count: 64)
        let tcp =
            ports + [0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0] + [UInt8](repeating: 1, count: 64)
        let transport = proto == 17 ? udp : tcp
        let length = UInt8(20 + transport.count)
        let header: [UInt8] = [0x45, 0, 0, length, 0, 0, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
        return [0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00] + header + transport
    }

    /// Packets of a known flow that are no DNS messages, and such that are.
    static func run(_ name: String, rounds: Int, _ report: (Measurement) -> Void) throws {
        let without = try DNSCounter(collectsDNS: false)
        let with = try DNSCounter(collectsDNS: true)
        for (what, frame) in [
            ("tcp", frame(6, port: 443)), ("udp", frame(17, port: 443)), ("message", frame(17, port: 53)),
        ] {
            var best = (with: Double.infinity, without: Double.infinity)
            for _ in 0..<rounds * 10 {
                best.without = min(best.without, try without.time(frame, times: times))
                best.with = min(best.with, try with.time(frame, times: times))
            }
            report(.packet("\(name)-\(what)", best.with, best.without, "DNS not collected; both with the harness"))
        }
    }
}
