import FlowModel
import Foundation

/// A day of traffic of the artificial cluster, in steps of ten seconds; the same for the same seed.
///
/// | kind | amount, on average of a day |
/// |---|---|
/// | pools | 2 connections of each pod to each service that it calls, for 20 minutes each; half have traffic in a step |
/// | short connections | 100 a second: 75 % between services, 15 % from outside, 10 % to the outside |
/// | names | 50 DNS queries a second |
/// | health checks | 2 connections from the node to each of its pods in each step |
/// | denied | 20 clients that retry in each step; 12 scans of 1,000 ports |
///
/// All but health checks follow the time of day: 40 % of the average at night, 160 % at noon.
struct TrafficDay {
    static let stepSeconds = 10
    private static let shortConnections = 100.0
    private static let questions = 50.0
    private static let scans = 12
    private static let scannedPorts = 1_000

    /// A connection of a pool, and its remaining steps.
    private struct Pooled {
        var client: Int
        var server: Int
        var numbers: (client: UInt32, server: UInt32)
        var steps: Int
    }

    let cluster: TrafficCluster
    let nodes: [TrafficNode]
    private var chance: TrafficChance
    private let ranks: ZipfRanks
    private let strangers = ZipfRanks(20_000)
    private var pools: [Pooled] = []
    private let steps: Int
    private var step = 0

    /// Begins a day.
    ///
    /// - Parameters:
    ///   - steps: the number of steps, spread over the day.
    ///   - seed: determines the day.
    ///   - start: the beginning of the first step, Unix seconds.
    init(steps: Int, seed: UInt64, start: Int64) {
        var chance = TrafficChance(seed: seed)
        let cluster = TrafficCluster(&chance)
        self.chance = chance
        self.cluster = cluster
        self.steps = steps
        ranks = ZipfRanks(cluster.calls.count)
        nodes = (0..<TrafficCluster.nodes).map { TrafficNode($0, cluster, start: start) }
        for call in cluster.calls {
            for replica in 0..<TrafficCluster.podsOfService {
                for _ in 0..<2 {
                    let client = call.client * TrafficCluster.podsOfService + replica
                    pools.append(pooled(client, call.server))
                }
            }
        }
    }

    /// Advances by ten seconds.
    mutating func advance() {
        let time = Double(step) / Double(steps)
        let load = 1 - 0.6 * cos(2 * .pi * time)
        usePools(load)
        for _ in 0..<chance.count(mean: Self.shortConnections * Double(Self.stepSeconds) * load) { callShortly() }
        for _ in 0..<chance.count(mean: Self.questions * Double(Self.stepSeconds) * load) { askForName() }
        checkHealth()
        for client in 0..<20 { tryDenied(client * 17, port: TrafficCluster.port(of: 0)) }
        let isScan = step * Self.scans / steps != (step + 1) * Self.scans / steps
        if isScan { scan() }
        step += 1
    }
}

// MARK: - Kinds of traffic

extension TrafficDay {
    private mutating func pooled(_ client: Int, _ service: Int) -> Pooled {
        let server = cluster.pod(of: service, &chance)
        let connection = connection(from: client, to: server)
        let numbers = begin(connection, client, server)
        let steps = 1 + Int(chance.exponential(mean: 20 * 60) / Double(Self.stepSeconds))
        return Pooled(client: client, server: server, numbers: numbers, steps: steps)
    }

    private mutating func usePools(_ load: Double) {
        for index in pools.indices {
            let pool = pools[index]
            if chance.happens(0.5 * load) { exchange(pool.numbers, pool.client, pool.server) }
            pools[index].steps -= 1
            guard pools[index].steps == 0 else { continue }
            end(pool.numbers, pool.client, pool.server)
            pools[index] = pooled(pool.client, cluster.pods[pool.server].service)
        }
    }

    private mutating func callShortly() {
        let kind = chance.unit()
        let call = cluster.calls[ranks.draw(&chance)]
        if kind < 0.75 {
            let (client, server) = (cluster.pod(of: call.client, &chance), cluster.pod(of: call.server, &chance))
            let numbers = begin(connection(from: client, to: server), client, server)
            exchange(numbers, client, server)
            end(numbers, client, server)
        } else if kind < 0.9 {
            callFromOutside()
        } else {
            callOutside(from: cluster.pod(of: call.client, &chance))
        }
    }

    private mutating func callFromOutside() {
        let server = cluster.pod(of: chance.below(TrafficCluster.frontServices), &chance)
        let stranger = IPAddress(ipv4: 0x2d00_0000 + UInt32(strangers.draw(&chance)) * 257)
        let place = (cluster.pods[server].address, TrafficCluster.port(of: 0))
        alone(.server, server, TrafficConnection(.tcp, from: (stranger, port()), calling: place, answeredBy: place))
    }

    private mutating func callOutside(from client: Int) {
        let place = (IPAddress(ipv4: 0x2e00_0000 + UInt32(chance.below(20)) * 65_537), UInt16(443))
        let own = (cluster.pods[client].address, port())
        alone(.client, client, TrafficConnection(.tcp, from: own, calling: place, answeredBy: place))
    }

    private mutating func askForName() {
        let client = cluster.pod(of: cluster.calls[ranks.draw(&chance)].client, &chance)
        let server = cluster.pod(of: TrafficCluster.dns, &chance)
        let numbers = begin(connection(from: client, to: server), client, server)
        let (question, answer) = (TrafficCounters(packets: 2, bytes: 150), TrafficCounters(packets: 2, bytes: 420))
        carry(numbers, client, server, question, answer)
        end(numbers, client, server)
    }

    private mutating func checkHealth() {
        for number in cluster.pods.indices {
            let pod = cluster.pods[number]
            let place = (pod.address, TrafficCluster.port(of: 0))
            for _ in 0..<2 {
                let kubelet = (TrafficCluster.address(ofNode: pod.node), port())
                alone(.server, number, TrafficConnection(.tcp, from: kubelet, calling: place, answeredBy: place))
            }
        }
    }

    private mutating func scan() {
        let client = chance.below(cluster.pods.count)
        for _ in 0..<Self.scannedPorts { tryDenied(client, port: UInt16(1 + chance.below(9_999))) }
    }

    /// A pod calls another pod whose policies deny it.
    ///
    /// The client's node counts what it sends; the server's node counts what was dropped.
    private mutating func tryDenied(_ client: Int, port: UInt16) {
        // Only the callers of the last services are allowed as their clients.
        let server = cluster.pods.count - 3 - chance.below(100)
        let place = (cluster.pods[server].address, port)
        let own = (cluster.pods[client].address, self.port())
        let connection = TrafficConnection(.tcp, from: own, calling: place, answeredBy: place)
        let numbers = begin(connection, client, server)
        let packet = TrafficCounters(packets: 1, bytes: 60)
        node(of: client).carry(numbers.client, at: .client, sent: packet, answered: .zero)
        node(of: server).deny(numbers.server, packet)
        end(numbers, client, server)
    }
}

// MARK: - Connections

extension TrafficDay {
    private func node(of pod: Int) -> TrafficNode { nodes[cluster.pods[pod].node] }

    /// A port that a client chooses.
    private mutating func port() -> UInt16 { UInt16(32_768 + chance.below(28_000)) }

    private mutating func connection(from client: Int, to server: Int) -> TrafficConnection {
        let (own, pod) = (cluster.pods[client].address, cluster.pods[server])
        let isName = pod.service == TrafficCluster.dns
        return TrafficConnection(
            isName ? .udp : .tcp,
            from: (own, port()),
            calling: (TrafficCluster.address(ofService: pod.service), isName ? 53 : 80),
            answeredBy: (pod.address, TrafficCluster.port(of: pod.service))
        )
    }

    private func begin(
        _ connection: TrafficConnection,
        _ client: Int,
        _ server: Int
    ) -> (client: UInt32, server: UInt32) {
        (
            node(of: client).begin(connection, at: .client, of: client),
            node(of: server).begin(connection, at: .server, of: server)
        )
    }

    /// A request and its response.
    private mutating func exchange(_ numbers: (client: UInt32, server: UInt32), _ client: Int, _ server: Int) {
        let (question, answer) = messages()
        carry(numbers, client, server, question, answer)
    }

    private mutating func messages() -> (TrafficCounters, TrafficCounters) {
        let bytes = UInt64(chance.exponential(mean: 6_000)) + 200
        let packets = bytes / 1_400 + 4
        return (
            TrafficCounters(packets: packets / 2 + 2, bytes: UInt64(300 + chance.below(700)) + packets * 26),
            TrafficCounters(packets: packets, bytes: bytes + packets * 52)
        )
    }

    private func carry(
        _ numbers: (client: UInt32, server: UInt32),
        _ client: Int,
        _ server: Int,
        _ question: TrafficCounters,
        _ answer: TrafficCounters
    ) {
        node(of: client).carry(numbers.client, at: .client, sent: question, answered: answer)
        node(of: server).carry(numbers.server, at: .server, sent: question, answered: answer)
    }

    private func end(_ numbers: (client: UInt32, server: UInt32), _ client: Int, _ server: Int) {
        node(of: client).end(numbers.client)
        node(of: server).end(numbers.server)
    }

    /// A short connection with a pod at one end only.
    private mutating func alone(_ side: TrafficNode.Side, _ pod: Int, _ connection: TrafficConnection) {
        let node = node(of: pod)
        let number = node.begin(connection, at: side, of: pod)
        let (question, answer) = messages()
        node.carry(number, at: side, sent: question, answered: answer)
        node.end(number)
    }
}
