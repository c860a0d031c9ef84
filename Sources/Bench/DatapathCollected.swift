import CWeir
import Datapath
import Glibc

/// The flow counter on `lo`, with or without the programs that collect data beside packets.
private struct CollectingCounter: ~Copyable {
    private let programs: KernelPrograms
    private let interfaces: InterfaceTable
    private let position: Int
    private let dns: DNSReader?
    private let sockets: SocketReader?
    private let datagrams: DatagramReader?

    init(collects: Collected) throws {
        let programs = try KernelPrograms(
            .flows,
            tableSlots: Int(WEIR_MIN_SLOTS),
            ringBytes: 4096,
            handsOnDNS: collects.contains(.dns),
            handsOnDatagrams: collects.contains(.process)
        )
        let interfaces = try programs.interfaces()
        let position = interfaces.add(Link(index: 1, name: "lo", type: UInt16(ARPHRD_ETHER), flags: 0)) ?? 0
        interfaces.setIsWorkload(true, position: position)
        let dns = collects.contains(.dns) ? try DNSReader(beside: programs) : nil
        let sockets = collects.isDisjoint(with: [.tcp, .process]) ? nil : try SocketReader()
        let datagrams = try sockets.flatMap {
            collects.contains(.process) ? try DatagramReader(beside: programs, $0) : nil
        }
        (self.dns, self.sockets, self.datagrams) = (dns, sockets, datagrams)
        self.position = position
        self.interfaces = interfaces
        self.programs = programs
    }

    /// Mean time of one run, ns, including the harness; copied messages are read afterwards.
    func time(_ frame: [UInt8], times: Int32) throws -> Double {
        let result = try ProgramTestRun.run(programs.program("weir_ingress"), frame: frame, times: times)
        dns?.drain(positions: [position]) { _, _ in true }
        return Double(result.nanoseconds)
    }
}

/// The cost for a packet if DNS messages, TCP statistics or owners of sockets are collected.
enum DatapathCollected {
    /// Runs of a chunk: their messages fit in an eighth of the ring, so that no reader is woken.
    private static let times: Int32 = 500
    private static let packets = [("tcp", frame(6, port: 443)), ("udp", frame(17, port: 443))]

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

    /// Measures packets of a known flow: packets that are no DNS messages, and DNS messages.
    static func dns(_ name: String, rounds: Int, _ report: (Measurement) -> Void) throws {
        let message = ("message", frame(17, port: 53))
        try compare(name, [.dns], packets + [message], against: "DNS not collected", rounds, report)
    }

    /// Measures packets of a known flow while sockets are read.
    static func statistics(_ name: String, rounds: Int, _ report: (Measurement) -> Void) throws {
        try compare(name, [.tcp], packets, against: "sockets not read", rounds, report)
    }

    /// Measures packets of a known flow while owners of sockets are read.
    static func owners(_ name: String, rounds: Int, _ report: (Measurement) -> Void) throws {
        try compare(name, [.tcp, .process], packets, against: "sockets not read", rounds, report)
    }

    private static func compare(
        _ name: String,
        _ collects: Collected,
        _ packets: [(name: String, frame: [UInt8])],
        against: String,
        _ rounds: Int,
        _ report: (Measurement) -> Void
    ) throws {
        let without = try CollectingCounter(collects: [])
        let with = try CollectingCounter(collects: collects)
        for packet in packets {
            var best = (with: Double.infinity, without: Double.infinity)
            for _ in 0..<rounds * 10 {
                best.without = min(best.without, try without.time(packet.frame, times: times))
                best.with = min(best.with, try with.time(packet.frame, times: times))
            }
            report(.packet("\(name)-\(packet.name)", best.with, best.without, "\(against); both with the harness"))
        }
    }
}
