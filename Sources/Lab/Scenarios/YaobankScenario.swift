/// The bank of Calico's tutorials on one node: a web page, a summary service and a database, and four tiers of policies.
///
/// The web page also tries to reach the database directly. The policies are in ``inventory``; nftables on the node enforces all
/// but the staged ones, and counts the packets that it drops.
package final class YaobankScenario: Sendable {
    /// A pod of the bank.
    package enum Part: String, Sendable, CaseIterable {
        /// The web page.
        case customer
        /// The summary service, which collects the data of the page.
        case summary
        /// The database of accounts: etcd.
        case database

        /// The pod's name in the cluster.
        package var podName: String { replicaSet + "-" + suffix }

        /// The name of the pod's ReplicaSet: `generateName` without the trailing dash.
        var replicaSet: String { "\(rawValue)-\(templateHash)" }

        /// The label `pod-template-hash`.
        var templateHash: String {
            switch self {
            case .customer: "856cd6d9f5"
            case .summary: "5877cf7d76"
            case .database: "69f6f4db5b"
            }
        }

        private var suffix: String {
            switch self {
            case .customer: "bl2sn"
            case .summary: "8jqlv"
            case .database: "wd2lr"
            }
        }

        /// The host side of the pod's interface.
        ///
        /// Calico names it `cali` and the first 11 digits of the SHA-1 of `yaobank.` and the pod's name.
        var interface: String {
            switch self {
            case .customer: "calib7379921ce8"
            case .summary: "cali838d5fd4e56"
            case .database: "calid58af4185cd"
            }
        }

        fileprivate var role: String {
            switch self {
            case .customer: "the web page; asks the summary"
            case .summary: "puts together what the page shows; asks the database"
            case .database: "keeps the accounts"
            }
        }
    }

    /// The namespace of the pods in the cluster.
    package static let namespace = "yaobank"
    /// The node's name in the cluster.
    package static let nodeName = "node1"
    /// The port of customer and summary.
    package static let webPort: UInt16 = 80
    /// The database's port.
    package static let databasePort: UInt16 = 2379

    /// The node and the pods.
    package let network: LabNetwork

    /// Creates the network and its rules; needs root.
    package init() throws(LabError) {
        network = try LabNetwork(pods: Part.allCases.map { .init($0.podName, interface: $0.interface) })
        try network.node.nft(Self.rules)
    }

    /// The node, where the monitor runs.
    package var node: NetworkNamespace { network.node }

    /// The names of the node's pod interfaces, in the order of ``participants``.
    package var interfaces: [String] { network.pods.map(\.interface) }

    /// The node and its pods, with their addresses.
    package var participants: [LabDemonstration.Participant] {
        let node = LabDemonstration.Participant(
            name: Self.nodeName,
            role: "forwards; its nftables do what the policies in force say",
            ipv4: network.nodeIPv4.description,
            ipv6: network.nodeIPv6.description,
            interface: nil
        )
        return [node]
            + zip(Part.allCases, network.pods).map { part, pod in
                LabDemonstration.Participant(
                    name: pod.name,
                    role: part.role,
                    ipv4: pod.ipv4.description,
                    ipv6: pod.ipv6.description,
                    interface: pod.interface
                )
            }
    }

    /// A pod of the network.
    package func pod(_ part: Part) throws(LabError) -> LabNetwork.Pod {
        try network.pod(part.podName)
    }

    /// Returns the path from a pod to another pod's IPv4 address.
    package func path(
        from client: Part,
        to server: Part,
        timeout: Duration = .seconds(5)
    ) throws(LabError) -> TrafficPath {
        let server = try pod(server)
        return TrafficPath(from: try pod(client).namespace, to: server.namespace, at: server.ipv4, timeout: timeout)
    }

    // MARK: Traffic

    /// The results of ``generateTraffic(for:stop:)``.
    package struct Story: Sendable, Hashable {
        /// The traffic through the sockets of customer and summary.
        package var page = TrafficResult()
        /// The traffic through the sockets of summary and database.
        package var accounts = TrafficResult()
        /// The number of attempts of the customer to call the database.
        package var attempts = 0

        /// Creates an empty value.
        package init() {}
    }

    /// Rounds per second; each has a request to the summary, and one from there to the database.
    package static let perSecond = 10
    /// The number of rounds between the customer's attempts to call the database.
    package static let roundsPerAttempt = 20

    /// Generates the bank's traffic and the customer's calls to the database, until the time ends or `stop` returns true.
    ///
    /// After the return, the kernel has given up all attempts.
    ///
    /// - Parameters:
    ///   - duration: the duration.
    ///   - stop: called at least ten times per second.
    /// - Returns: the results.
    /// - Throws: ``LabError`` if an allowed connection fails, or a denied one succeeds.
    package func generateTraffic(for duration: Duration, stop: () -> Bool = { false }) throws(LabError) -> Story {
        let page = try path(from: .customer, to: .summary)
        let accounts = try path(from: .summary, to: .database)
        let (customer, database) = (try pod(.customer), try pod(.database))
        var story = Story()
        var attempts: [ConnectionAttempt] = []
        var tick = ContinuousClock.now
        let end = tick + duration
        var rounds = 0
        while tick < end, !stop() {
            if rounds.isMultiple(of: Self.roundsPerAttempt) {
                attempts.append(
                    try .begin(from: customer.namespace, to: database.ipv4, port: Self.databasePort)
                )
            }
            story.page += try page.tcp(request: 200, response: 3000, port: Self.webPort)
            story.accounts += try accounts.tcp(request: 150, response: 800, port: Self.databasePort)
            rounds += 1
            // After a round that took too long, the next rounds are not faster.
            tick = max(tick + .seconds(1) / Self.perSecond, .now)
            _ = try waitUntilReady([], ContinuousClock.now.duration(to: min(tick, end)))
        }
        for attempt in attempts {
            let outcome = try attempt.outcome(within: .zero)
            guard outcome == .timedOut else {
                throw .invalid("the customer's call of the database: \(outcome), and it should be dropped")
            }
        }
        story.attempts = attempts.count
        return story
    }
}
