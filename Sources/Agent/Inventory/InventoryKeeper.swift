import ClusterModel
import ClusterSource
import FlowModel
import Foundation
import Inventory
import Policy
import Synchronization

/// Holds the inventory and the policies: takes changes of sources and datapath, from any thread, and posts snapshots to the
/// pipeline after changes.
///
/// Writers wait for one another; the pipeline reads snapshots and never waits. Changes are collected for some time, so that a
/// thousand changes a second make only a few snapshots.
final class InventoryKeeper: ClusterObserver {
    private struct State {
        var inventory: Inventory
        var isChanged = false
        var isEnded = false
        /// The number of readings in a row that found nodes, but not this one.
        var looksWithoutHost = 0
        var hasWarnedOfOthersPods = false
    }

    private struct Policies {
        var store: PolicyStore
        /// Whether all objects of the start are known; with only some of them, decisions would be wrong.
        var isComplete = false
        /// The generation whose findings were taken last.
        var lookedAt: UInt64 = 0
    }

    /// The inventory and the policies at one moment.
    struct Snapshots: Sendable {
        /// The owners of addresses.
        var inventory: InventorySnapshot
        /// The policies; nil without a source of policies.
        var policies: PolicySnapshot?
    }

    private let state: Mutex<State>
    /// These have a separate lock: compiling many policies takes longer than lookups of addresses may wait.
    private let policies: Mutex<Policies>?
    private let tap: InventoryTap?
    /// Finds changes for ``changes``; nil if that is nil.
    private let seen: Mutex<SeenChanges>?
    private let changes: ChangeBoard?
    private let localWorkloads = Mutex<(addresses: Set<IPAddress>, hasChanged: Bool)>(([], false))
    private let wakeUp = WakeUp()
    private let ended = WakeUp()

    /// The shortest time between two snapshots.
    private static let pauseMicroseconds: UInt32 = 50_000
    /// The longest time between two checks of state that changes by itself.
    private static let tick: Int64 = 1_000_000_000

    /// Begins with the facts that are known of a host without any source.
    ///
    /// - Parameters:
    ///   - hostName: this host's.
    ///   - hasSources: whether there are sources of workloads and policies.
    ///   - policyFormat: the format of policy hits.
    ///   - tap: receives copies for other readers; nil if there are none.
    ///   - changes: receives the changes that objects show; nil for none.
    init(
        hostName: String,
        hasSources: Bool,
        policyFormat: PolicyFormat,
        tap: InventoryTap? = nil,
        changes: ChangeBoard? = nil
    ) {
        self.changes = changes
        seen = changes == nil ? nil : Mutex(SeenChanges())
        var inventory = Inventory(hostName: hostName)
        inventory.expectsWorkloads = hasSources
        state = Mutex(State(inventory: inventory))
        policies = hasSources ? Mutex(Policies(store: PolicyStore(format: policyFormat))) : nil
        self.tap = tap
        tap?.connect { [weak self] in self?.known() }
    }

    /// The present snapshots.
    func snapshots() -> Snapshots {
        Snapshots(inventory: state.withLock { $0.inventory.snapshot() }, policies: policySnapshot())
    }

    /// Returns copies for a reader besides the pipeline; nil while not all policies are known.
    private func known() -> InventoryTap.Known? {
        guard let policies = policies?.withLock({ $0.isComplete ? $0.store.forked() : nil }) else { return nil }
        return InventoryTap.Known(inventory: state.withLock { $0.inventory }, policies: policies)
    }

    private func policySnapshot() -> PolicySnapshot? {
        policies?.withLock { $0.isComplete ? $0.store.snapshot() : nil }
    }

    // MARK: Write

    func observe(_ changes: [ClusterChange], from source: SourceID) {
        let now = Int64(Date().timeIntervalSince1970 * 1e6)
        let marks = seen?.withLock { $0.note(changes, from: source, at: now) } ?? []
        self.changes?.add(seen: marks)
        policies?.withLock { $0.store.apply(changes, from: source) }
        tap?.observer.observe(changes, from: source)
        state.withLock { state in
            state.inventory.apply(changes, from: source, at: Clock.monotonic)
            state.isChanged = true
        }
        wakeUp.signal()
    }

    /// Notes that all sources have delivered all their objects.
    func completePolicies() {
        seen?.withLock { $0.isComplete = true }
        policies?.withLock { $0.isComplete = true }
        state.withLock { $0.isChanged = true }
        wakeUp.signal()
    }

    /// Takes this host's own addresses, and returns a snapshot with them.
    func replaceOwnAddresses(with addresses: Set<IPAddress>) -> InventorySnapshot {
        state.withLock { state in
            state.inventory.replaceOwnAddresses(with: addresses)
            return state.inventory.snapshot()
        }
    }

    /// Takes the addresses that belong behind this host's interfaces.
    func replacePlacedAddresses(with addresses: Set<IPAddress>) {
        state.withLock { state in
            state.inventory.replacePlacedAddresses(with: addresses)
            state.isChanged = true
        }
        wakeUp.signal()
    }

    // MARK: Read

    /// The addresses of the workloads on this host; nil if they have not changed since the last call.
    func takeLocalWorkloads() -> Set<IPAddress>? {
        localWorkloads.withLock { workloads in
            defer { workloads.hasChanged = false }
            return workloads.hasChanged ? workloads.addresses : nil
        }
    }

    /// The findings about the policies; nil if the policies have not changed since the last call.
    func takePolicyFindings() -> [PolicyFinding]? {
        policies?.withLock { store in
            let generation = store.store.snapshot().generation
            guard generation != store.lookedAt else { return nil }
            store.lookedAt = generation
            return store.store.findings
        }
    }

    /// The numbers of known objects.
    var statistics: InventoryStatistics {
        state.withLock { $0.inventory.statistics }
    }

    /// Whether to warn now that the pods behind this host's interfaces run on a node with another name; true once.
    func shouldWarnOfOthersPods() -> Bool {
        state.withLock { state in
            guard state.inventory.hasOthersPods, !state.hasWarnedOfOthersPods else { return false }
            state.hasWarnedOfOthersPods = true
            return true
        }
    }

    /// Whether to warn now that no known node has this host's name; true once, and not while nodes are being delivered.
    func shouldWarnOfHostName() -> Bool {
        state.withLock { state in
            guard state.inventory.lacksOwnNode else {
                state.looksWithoutHost = 0
                return false
            }
            state.looksWithoutHost += 1
            return state.looksWithoutHost == 3
        }
    }

    // MARK: Thread

    /// Begins to post snapshots, on a thread of its own, until ``end()``.
    ///
    /// - Parameters:
    ///   - tick: called about once a second.
    ///   - post: takes the snapshots; false if there is no room for them now.
    /// - Throws: when the system allows no more threads.
    func start(
        tick: @escaping @Sendable () -> Void,
        post: @escaping @Sendable (Snapshots) -> Bool
    ) throws(AgentError) {
        try Agent.startThread("weir-inventory") { [self] in
            keep(tick: tick, post: post)
            ended.signal()
        }
    }

    /// Ends the thread; later changes are in no snapshot that is posted.
    ///
    /// - Parameter limit: the longest wait for the thread, which may be reading large files.
    func end(within limit: Duration) {
        state.withLock { $0.isEnded = true }
        wakeUp.signal()
        ended.wait(atMost: limit)
    }

    private func keep(tick: () -> Void, post: (Snapshots) -> Bool) {
        var nextTick = Clock.monotonic + Self.tick
        while true {
            wakeUp.wait(atMost: .nanoseconds(nextTick - Clock.monotonic))
            // One wake-up covers all changes during the pause.
            usleep(Self.pauseMicroseconds)
            wakeUp.wait(atMost: .zero)
            if Clock.monotonic >= nextTick {
                tick()
                nextTick = Clock.monotonic + Self.tick
            }
            guard update(post) else { return }
        }
    }

    /// Posts a snapshot if something changed; false if the thread is to end.
    private func update(_ post: (Snapshots) -> Bool) -> Bool {
        let (snapshot, isEnded) = state.withLock { state in
            let now = Clock.monotonic
            if let expiry = state.inventory.nextExpiry, expiry <= now {
                state.inventory.expire(at: now)
                state.isChanged = true
            }
            defer { state.isChanged = false }
            return (state.isChanged ? state.inventory.snapshot() : nil, state.isEnded)
        }
        guard let snapshot, !isEnded else { return !isEnded }
        noteLocalWorkloads(snapshot.localWorkloads)
        // The mailbox is full: the next update posts the newest state.
        let snapshots = Snapshots(inventory: snapshot, policies: policySnapshot())
        if !post(snapshots) { state.withLock { $0.isChanged = true } }
        return true
    }

    private func noteLocalWorkloads(_ addresses: Set<IPAddress>) {
        localWorkloads.withLock { workloads in
            guard workloads.addresses != addresses else { return }
            workloads = (addresses, true)
        }
    }
}
