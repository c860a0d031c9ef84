/// The status of a run at `/debug/status`, as JSON with names in snake case.
package struct AgentStatus: Codable, Sendable {
    /// Rates of the last minute, or of the time since the start.
    package struct Rates: Codable, Sendable {
        /// The seconds that the rates cover.
        package var seconds: Double
        /// Packets a second that the programs saw.
        package var packets: Double
        /// Their bytes a second.
        package var bytes: Double
        /// Denied packets a second.
        package var deniedPackets: Double
        /// Records a second.
        package var records: Double
    }

    /// The watched interfaces.
    package struct Watched: Codable, Sendable {
        /// Interfaces of workloads.
        package var workload: Int
        /// Other interfaces.
        package var host: Int
        /// Names of the first interfaces that are not workloads'.
        package var names: [String]
        /// Whether the kernel reports the packets that it drops.
        package var seesDrops: Bool
        /// Whether NAT is resolved.
        package var seesTranslation: Bool
    }

    /// The account, in packets.
    package struct Account: Codable, Sendable {
        /// Whether the parts add up to the seen packets.
        package var isBalanced: Bool
        /// Packets that the programs saw.
        package var seen: UInt64
        /// Packets that were counted for the interface, in no flow.
        package var remainder: UInt64
        /// Traffic while the programs were removed by another program.
        package var gap: UInt64
        /// Denied packets.
        package var denied: UInt64
    }

    /// The numbers of flows.
    package struct Flows: Codable, Sendable {
        /// Flows in the flow table.
        package var table: Int
        /// Places of the flow table.
        package var slots: Int
        /// Flows outside of the table.
        package var overflow: Int
    }

    /// Counts of an output's records, by their outcome.
    package struct Output: Codable, Sendable {
        /// The output.
        package var name: String
        /// Whether it takes records.
        package var isOpen: Bool
        /// Records that were delivered.
        package var delivered: Int
        /// Records that wait.
        package var queued: Int
        /// Records that were dropped.
        package var dropped: Int
        /// The number of reconnections.
        package var reconnects: Int
    }

    /// A loss since the start.
    package struct Loss: Codable, Sendable {
        /// Its name in metrics, without `weir_loss_`.
        package var name: String
        /// The amount.
        package var total: UInt64
        /// The unit of the amount.
        package var unit: String
        /// Whether traffic or records are missing; otherwise only detail is.
        package var isMissing: Bool
        /// The event.
        package var message: String
        /// The remedy; empty if there is none.
        package var advice: String
    }

    /// The inventory of workloads.
    package struct Inventory: Codable, Sendable {
        /// Objects by kind.
        package var objects: [String: Int]
        /// Addresses that have an owner.
        package var addresses: Int
        /// Whether an API server is followed.
        package var hasCluster: Bool
        /// The seconds for which it has not been reached; nil if it is reachable.
        package var unreachableSeconds: Double?
        /// Kinds that the agent has no permission to read.
        package var forbiddenKinds: [String]
        /// Files with objects that are broken now.
        package var brokenFiles: Int
    }

    /// The version of the program.
    package var version: String
    /// The name of the host.
    package var node: String
    /// Seconds since the start of the run.
    package var uptime: Double
    /// Resident memory, bytes.
    package var memory: Int
    /// Time between flushes, seconds.
    package var interval: Double
    /// Faults that a restart would remove.
    package var ailments: [String]
    /// Parts that are not ready yet.
    package var missing: [String]
    /// The watched interfaces.
    package var watched: Watched
    /// Rates; nil in the first second.
    package var rates: Rates?
    /// The account.
    package var account: Account
    /// Flows.
    package var flows: Flows
    /// Records that were made.
    package var records: UInt64
    /// The outputs of records.
    package var outputs: [Output]
    /// The losses.
    package var losses: [Loss]
    /// The inventory of workloads.
    package var inventory: Inventory
    /// The number of findings in policies, by their meaning.
    package var findings: [String: Int]
    /// The first findings in words.
    package var firstFindings: [String]
    /// Connections for which policies and the kernel decided differently.
    package var disagreements: UInt64
}
