import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

/// The drops of a flow, over all batches.
struct Dropped: Equatable {
    /// Denied, and counted on the way in before.
    var ingress = TrafficCounters.zero
    /// Denied before it was counted.
    var uncounted = TrafficCounters.zero
    var egress = TrafficCounters.zero
    var decisions: Set<String> = []
    var failures: [UInt64] = [0, 0]
    var failureReasons: Set<String> = []
    /// The destinations of denied packets, behind destination NAT.
    var destinations: Set<FlowDrop.Destination> = []

    mutating func add(_ drop: FlowDrop) {
        if drop.isIngressCounted { ingress += drop.deniedIngress } else { uncounted += drop.deniedIngress }
        egress += drop.deniedEgress
        failures[0] += drop.failures.ingress
        failures[1] += drop.failures.egress
        if let reason = drop.decision { decisions.insert(reason.name) }
        if let destination = drop.destination { destinations.insert(destination) }
        if let reason = drop.failureReason { failureReasons.insert(reason.name) }
    }

    var isDenied: Bool { ingress != .zero || uncounted != .zero || egress != .zero }
}

/// A protocol of the tests.
enum TestProtocol: String, CaseIterable, Sendable {
    case udp
    case tcp
    case icmp
}

/// Two pods, the node between them, and a datapath on the node's side of both.
struct DropLab {
    let network: LabNetwork
    let monitor: Monitor
    let a: LabNetwork.Pod
    let b: LabNetwork.Pod

    init(_ configuration: DatapathConfiguration = DatapathConfiguration(tableSlots: 1024)) throws {
        network = try LabNetwork(pods: ["a", "b"])
        a = try network.pod("a")
        b = try network.pod("b")
        monitor = try Monitor(in: network.node, configuration)
    }

    var node: NetworkNamespace { network.node }

    /// Sends something that need not arrive.
    ///
    /// The sender gets an error where a firewall rejects the packets on their way out; that is no failure here.
    func attempt(
        _ proto: TestProtocol,
        from client: NetworkNamespace,
        to server: NetworkNamespace,
        at address: LabAddress,
        port: UInt16 = 2000
    ) throws {
        let path = TrafficPath(from: client, to: server, at: address, timeout: .milliseconds(20))
        do {
            switch proto {
            case .udp: _ = try path.udp(count: 30, size: 100, port: port, sourcePort: 3000)
            case .tcp: _ = try path.tcpAttempt(port: port)
            case .icmp: _ = try path.ping(count: 20, identifier: 77)
            }
        } catch LabError.system(_, EPERM) {}
    }

    /// Reads until the datapath has seen as many denied packets as the firewall.
    func settle() throws -> TrafficCounters {
        var counted = TrafficCounters.zero
        let isSettled = try eventually {
            try monitor.scan()
            counted = try firewallCount()
            return denied.packets >= counted.packets
        }
        #expect(isSettled, "\(denied) denied of \(counted)")
        return counted
    }

    /// The traffic that was denied so far.
    var denied: TrafficCounters {
        monitor.drops.values.reduce(.zero) { $0 + $1.ingress + $1.uncounted + $1.egress }
    }

    /// Adds up all counters of the node's rules.
    func firewallCount() throws -> TrafficCounters { try node.firewallCount() }

    /// The flows that something was denied of.
    var deniedFlows: [FlowKey: Dropped] { monitor.drops.filter(\.value.isDenied) }

    /// Ends the datapath; everything must add up.
    func finish() throws {
        try monitor.stop()
        #expect(monitor.contradictions.isEmpty)
        #expect(monitor.accounts.allSatisfy { $0.isBalanced }, "\(monitor.accounts)")
        let denied = monitor.accounts.reduce(TrafficCounters.zero) {
            $0 + $1.ingress.denied.seen + $1.egress.denied.seen
        }
        #expect(denied == self.denied)
        // Every reason that a flow had is among the counts.
        let counted = Set(monitor.droppedPackets.values.flatMap(\.keys))
        let reported = Set(monitor.drops.values.flatMap { $0.decisions.union($0.failureReasons) })
        #expect(reported.isSubset(of: counted))
    }

    /// The addresses of a pod.
    func address(of pod: LabNetwork.Pod, isIPv6: Bool) -> LabAddress { isIPv6 ? pod.ipv6 : pod.ipv4 }

    /// The node's addresses.
    func nodeAddress(isIPv6: Bool) -> LabAddress { isIPv6 ? network.nodeIPv6 : network.nodeIPv4 }
}

extension NetworkNamespace {
    /// Adds up all counters of the rules of the packet filter.
    func firewallCount() throws -> TrafficCounters {
        let words = try command(["nft", "list", "ruleset"]).split(whereSeparator: \.isWhitespace)
        var sum = TrafficCounters.zero
        for place in words.indices.dropFirst() where words[place] == "packets" && words[place - 1] == "counter" {
            sum.packets += try #require(UInt64(words[place + 1]))
            sum.bytes += try #require(UInt64(words[place + 3]))
        }
        return sum
    }
}

extension IPAddress {
    /// The same address.
    init(_ address: LabAddress) throws {
        self = try #require(IPAddress("\(address)"))
    }
}
