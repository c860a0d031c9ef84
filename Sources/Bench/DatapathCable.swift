import CWeir
import Datapath
import Glibc
import Lab

/// Packets that are really sent, through a veth pair between two network namespaces of the benchmark.
///
/// The pair has nothing attached to it, Weir's programs, these and the programs for TCP sockets, or a hash-map counter, in
/// turn.
///
/// One thread serves the sockets at both ends, so that the measurement contains the whole path of a packet and no scheduling.
struct DatapathCable {
    /// The kind of traffic.
    enum Traffic: CaseIterable {
        /// TCP at full speed.
        case bulk
        /// UDP messages of 64 bytes.
        case small
        /// TCP connections of 100 bytes each way.
        case connections

        fileprivate var unit: String {
            switch self {
            case .bulk: "ns/KiB"
            case .small: "ns/message"
            case .connections: "ns/connection"
            }
        }

        /// Sends and receives, and returns the number of units.
        fileprivate func run(_ path: TrafficPath) throws -> Double {
            switch self {
            case .bulk:
                let bytes = 128 << 20
                _ = try path.tcp(request: bytes, response: 1)
                return Double(bytes / 1024)
            case .small:
                return Double(try path.udp(count: 50_000, size: 64).serverReceived.messages)
            case .connections:
                return Double(try path.tcp(connections: 1000, request: 100, response: 100).serverReceived.messages)
            }
        }
    }

    private let path: TrafficPath
    private let link: Link
    private let client: NetworkNamespace

    /// The programs that are attached to the cable.
    private enum Counter: CaseIterable {
        case none
        case weir
        /// Weir's programs, while sockets are read.
        case sockets
        case hash
    }

    /// Measures one kind of traffic: the fastest of the rounds, and their median.
    static func run(_ name: String, _ traffic: Traffic, rounds: Int, _ report: (Measurement) -> Void) throws {
        let cable = try DatapathCable()
        let weir = try KernelPrograms(.flows, tableSlots: Int(WEIR_DEFAULT_SLOTS), ringBytes: 4 << 20)
        let interfaces = try weir.interfaces()
        _ = interfaces.add(cable.link)
        let bench = try DatapathPrograms(flows: 1, slots: Int(WEIR_DEFAULT_SLOTS), watching: cable.link)
        let both = try (weir.program("weir_ingress"), weir.program("weir_egress"))
        let programs: [Counter: (ingress: Int32, egress: Int32)] = [
            .weir: both,
            .sockets: both,
            .hash: try (bench.descriptor(.hash), bench.descriptor(.hashEgress)),
        ]
        try cable.measure(name, traffic, programs, rounds, report)
    }

    private init() throws {
        let (client, server) = (try NetworkNamespace(), try NetworkNamespace())
        _ = try VethPair(
            VethEnd(client, addresses: ["10.1.0.1/24"]),
            VethEnd(server, addresses: ["10.1.0.2/24"])
        )
        let index = try client.run { if_nametoindex("eth0") }
        link = Link(index: index, name: "eth0", type: UInt16(ARPHRD_ETHER), flags: 0)
        path = TrafficPath(from: client, to: server, at: try LabAddress("10.1.0.2"))
        self.client = client
    }

    /// Sends the same traffic with each counter in turn.
    private func measure(
        _ name: String,
        _ traffic: Traffic,
        _ programs: [Counter: (ingress: Int32, egress: Int32)],
        _ rounds: Int,
        _ report: (Measurement) -> Void
    ) throws {
        var times: [Counter: [Double]] = [:]
        for round in 0..<rounds {
            // Each counter comes first in turn.
            for position in 0..<Counter.allCases.count {
                let counter = Counter.allCases[(round + position) % Counter.allCases.count]
                let attached = try attach(programs[counter])
                let sockets = counter == .sockets ? try client.run { try SocketReader() } : nil
                var units = 0.0
                let time = try ContinuousClock().measure { units = try traffic.run(path) }
                times[counter, default: []].append(time / .nanoseconds(1) / units)
                withExtendedLifetime(sockets) {}
                attached.forEach { close($0) }
            }
        }
        let sorted = times.mapValues { $0.sorted() }
        for (suffix, place) in [("", 0), ("-median", rounds / 2)] {
            func time(_ counter: Counter) -> Double { sorted[counter]?[place] ?? 0 }
            for (kind, counter, baseline, against) in [
                ("", Counter.weir, Counter.none, "nothing attached"),
                ("-hash", .weir, .hash, "BPF hash map, same parser, attached"),
                ("-sockets", .sockets, .weir, "the same without TCP statistics and owners"),
            ] {
                report(
                    Measurement(
                        "\(name)\(kind)\(suffix)",
                        unit: traffic.unit,
                        value: time(counter),
                        baseline: time(baseline),
                        against: against
                    )
                )
            }
        }
    }

    /// Attaches both programs to the client's end; they are detached when the descriptors are closed.
    private func attach(_ programs: (ingress: Int32, egress: Int32)?) throws -> [Int32] {
        guard let programs else { return [] }
        let index = link.index
        return try client.run {
            try [(programs.ingress, WEIR_INGRESS), (programs.egress, WEIR_EGRESS)].map { program, direction in
                let attached = weir_tcx_attach(program, index, direction)
                guard attached >= 0 else {
                    throw DatapathError.system(operation: "attach with tcx", errno: -attached, advice: "")
                }
                return attached
            }
        }
    }
}
