/// The division of the agent's resident memory.
///
/// The program, the inventory, the policies and the mapped part of the flow table use what they need. Queues are limited to
/// parts of the limit, and flows use the rest: if it is not enough, they are counted in less detail.
package struct MemoryPlan: Sendable, Equatable {
    /// The default limit, bytes: 40 MiB for the program, 150 MiB for 100,000 pods, and the rest for floods.
    package static let defaultLimit = 384 << 20
    /// The lowest allowed limit, bytes.
    package static let smallestLimit = 96 << 20
    /// The least memory of flows, bytes.
    static let fewestFlowBytes = 8 << 20

    /// The limit, bytes.
    package let limit: Int

    /// Divides a limit.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Batches between the thread that reads the kernel and the pipeline, bytes.
    var mailbox: Int { limit / 16 }

    /// Flows that the datapath counts outside of its table, bytes.
    var overflow: Int { limit / 8 }

    /// The number of these flows: one takes 256 bytes at most, with its part of the indexes.
    var overflowFlows: Int { overflow / 256 }

    /// Records that wait in an output, bytes.
    func queue(of outputs: Int) -> Int { limit / 8 / max(outputs, 1) }

    /// Returns the memory of flows and their names and groups, bytes.
    ///
    /// - Parameter others: the resident memory that belongs neither to the queues nor to flows.
    /// - Returns: three quarters of the rest: tables temporarily need more when they grow.
    func flows(beside others: Int) -> Int {
        max((limit - mailbox - overflow - limit / 8 - others) / 4 * 3, Self.fewestFlowBytes)
    }
}
