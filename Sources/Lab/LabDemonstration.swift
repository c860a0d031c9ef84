import Glibc

/// A small node with traffic for `weir lab`, for demonstrations without a cluster.
package final class LabDemonstration: Sendable {
    /// A participant, as `weir lab` lists it.
    package struct Participant: Sendable, Hashable {
        /// `node`, or the pod's name.
        package let name: String
        /// The task of the workload.
        package let role: String
        /// Its IPv4 address.
        package let ipv4: String
        /// Its IPv6 address.
        package let ipv6: String
        /// The node's side of its interface; nil for the node.
        package let interface: String?
    }

    /// A kind of traffic, as `weir lab` lists it.
    package struct Conversation: Sendable, Hashable {
        /// The initiator.
        package let client: String
        /// The responder.
        package let server: String
        /// The kind of traffic, such as `TCP 80`.
        package let traffic: String
        /// The number of exchanges per second.
        package let perSecond: Int
    }

    private let network: LabNetwork

    /// Creates the network; needs root.
    package init() throws(LabError) {
        network = try LabNetwork(pods: ["client", "web", "db"])
    }

    /// The node, where the monitor runs.
    package var node: NetworkNamespace { network.node }

    /// The names of the node's pod interfaces, in the order of ``participants``.
    package var interfaces: [String] { network.pods.map(\.interface) }

    /// The node and its pods, with their addresses.
    package var participants: [Participant] {
        let node = Participant(
            name: "node",
            role: "forwards, and answers DNS-like requests",
            ipv4: network.nodeIPv4.description,
            ipv6: network.nodeIPv6.description,
            interface: nil
        )
        let roles = ["client": "asks the web server", "web": "web server, asks the database", "db": "database"]
        return [node]
            + network.pods.map { pod in
                Participant(
                    name: pod.name,
                    role: roles[pod.name] ?? "",
                    ipv4: pod.ipv4.description,
                    ipv6: pod.ipv6.description,
                    interface: pod.interface
                )
            }
    }

    /// The conversations while ``generateTraffic(for:stop:)`` runs.
    package var conversations: [Conversation] {
        Self.acts.map { act in
            Conversation(
                client: act.client,
                server: act.server,
                traffic: act.exchange.name(isIPv6: act.isIPv6),
                perSecond: act.perTick * Self.ticks
            )
        }
    }

    // MARK: Traffic

    /// The number of rounds per second.
    private static let ticks = 10

    /// The exchange of a conversation.
    private enum Exchange: Sendable {
        case tcp(port: UInt16, request: Int, response: Int)
        case udp(port: UInt16, request: Int, response: Int)
        case echo

        func name(isIPv6: Bool) -> String {
            switch self {
            case .tcp(let port, _, _): "TCP \(port)" + (isIPv6 ? " over IPv6" : "")
            case .udp(let port, _, _): "UDP \(port)" + (isIPv6 ? " over IPv6" : "")
            case .echo: isIPv6 ? "ICMPv6 echo" : "ICMP echo"
            }
        }

        func run(_ count: Int, on path: TrafficPath) throws(LabError) -> TrafficResult {
            switch self {
            case .tcp(let port, let request, let response):
                try path.tcp(connections: count, request: request, response: response, port: port)
            case .udp(let port, let request, let response):
                try path.udp(count: count, size: request, reply: response, port: port)
            case .echo:
                // A constant identifier: all echoes of a pair are one flow, like those of one ping(8).
                try path.ping(count: count, identifier: 7777)
            }
        }
    }

    /// The part of one conversation in a round.
    private struct Act: Sendable {
        let client: String
        let server: String
        let exchange: Exchange
        let perTick: Int
        var isIPv6 = false
    }

    private static let acts = [
        Act(client: "client", server: "node", exchange: .udp(port: 53, request: 40, response: 120), perTick: 3),
        Act(client: "client", server: "web", exchange: .tcp(port: 80, request: 300, response: 6000), perTick: 3),
        Act(client: "web", server: "db", exchange: .tcp(port: 5432, request: 200, response: 900), perTick: 2),
        Act(client: "client", server: "web", exchange: .echo, perTick: 1),
        Act(
            client: "client",
            server: "web",
            exchange: .tcp(port: 80, request: 300, response: 6000),
            perTick: 1,
            isIPv6: true
        ),
        Act(client: "client", server: "web", exchange: .echo, perTick: 1, isIPv6: true),
        Act(client: "node", server: "web", exchange: .tcp(port: 80, request: 120, response: 200), perTick: 1),
    ]

    /// Generates the participants' traffic, until the time ends or `stop` returns true.
    ///
    /// - Parameters:
    ///   - duration: the duration.
    ///   - stop: called at least ten times per second.
    /// - Returns: the traffic of all sockets.
    /// - Throws: ``LabError`` if a connection fails.
    @discardableResult
    package func generateTraffic(
        for duration: Duration,
        stop: () -> Bool = { false }
    ) throws(LabError) -> TrafficResult {
        var total = TrafficResult()
        let start = ContinuousClock.now
        let end = start + duration
        var tick = start
        while tick < end, !stop() {
            for act in Self.acts {
                total += try act.exchange.run(act.perTick, on: path(for: act))
            }
            // After a round that took too long, the next rounds are not faster.
            tick = max(tick + .seconds(1) / Self.ticks, .now)
            let rest = ContinuousClock.now.duration(to: min(tick, end))
            _ = poll(nil, 0, rest.pollTime)
        }
        return total
    }

    private func path(for act: Act) throws(LabError) -> TrafficPath {
        let client = act.client == "node" ? network.node : try network.pod(act.client).namespace
        if act.server == "node" {
            let address = act.isIPv6 ? network.nodeIPv6 : network.nodeIPv4
            return TrafficPath(from: client, to: network.node, at: address)
        }
        let server = try network.pod(act.server)
        return TrafficPath(from: client, to: server.namespace, at: act.isIPv6 ? server.ipv6 : server.ipv4)
    }
}
