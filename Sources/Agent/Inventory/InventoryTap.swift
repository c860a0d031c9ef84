package import ClusterSource
package import Inventory
package import Policy
import Synchronization

/// Gives readers besides the pipeline the run's state of the cluster, for requests that take long.
///
/// They get a copy, so that they block neither the pipeline nor the sources that change the inventory.
package final class InventoryTap: Sendable {
    /// The inventory at one moment; changes that a reader makes stay with the reader.
    package struct Known: Sendable {
        /// The owners of addresses.
        package var inventory: Inventory
        /// The policies, with caches of their own.
        package var policies: PolicyStore
    }

    /// Receives all changes too, on the threads of the sources.
    let observer: any ClusterObserver
    private let source = Mutex<(@Sendable () -> Known?)?>(nil)

    /// Creates a tap that has nothing until a run begins.
    ///
    /// - Parameter observer: receives all changes that the inventory receives; it must not block.
    package init(observer: any ClusterObserver) {
        self.observer = observer
    }

    /// The present inventory; nil before the run has all objects of its sources, and without sources of policies.
    package var known: Known? { source.withLock(\.self)?() }

    /// Connects a run.
    func connect(_ source: @escaping @Sendable () -> Known?) {
        self.source.withLock { $0 = source }
    }
}
