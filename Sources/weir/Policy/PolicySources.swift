import ClusterModel
import ClusterSource
import Dispatch
import Inventory
import Policy
import Synchronization

/// The policies and the inventory of a command, and the origin of all objects.
final class PolicySources: ClusterObserver {
    private struct State {
        var inventory = Inventory(hostName: "")
        var policies: PolicyStore
        var directory = PolicyDirectory()
    }

    private let state: Mutex<State>
    private let loader: InventoryLoader?

    /// Takes the options; reads nothing yet.
    ///
    /// This machine is not included, so answers do not depend on where the command runs.
    convenience init(_ options: InventoryQueryOptions, format: PolicyFormat, purpose: String) throws {
        self.init(
            try InventoryLoader(options.sources, limit: options.timeout.duration, purpose: purpose),
            format: format
        )
    }

    /// Takes the loader that reads the sources.
    init(_ loader: InventoryLoader, format: PolicyFormat) {
        self.loader = loader
        state = Mutex(State(policies: PolicyStore(format: format)))
    }

    /// Takes the objects that another observer received.
    init(_ inventory: Inventory, _ policies: PolicyStore, _ directory: PolicyDirectory) {
        loader = nil
        state = Mutex(State(inventory: inventory, policies: policies, directory: directory))
    }

    private init(_ loader: InventoryLoader?, _ state: State) {
        self.loader = loader
        self.state = Mutex(state)
    }

    /// A copy whose later changes are independent of the original.
    func forked() -> PolicySources {
        var copy = state.withLock { $0 }
        copy.policies = copy.policies.forked()
        return PolicySources(loader, copy)
    }

    /// Reads all files, and waits until the API server has sent all objects.
    ///
    /// - Parameter isCheck: whether invalid files are skipped.
    /// - Throws: `CommandFailure` if a file is invalid, or the API server sends no objects.
    func load(isCheck: Bool = false) throws {
        try loader?.load(into: self, isCheck: isCheck)
    }

    func observe(_ changes: [ClusterChange], from source: SourceID) {
        let now = Int64(DispatchTime.now().uptimeNanoseconds)
        state.withLock { state in
            state.inventory.apply(changes, from: source, at: now)
            state.policies.apply(changes, from: source)
            state.directory.apply(changes, from: source)
        }
    }

    /// The files and directories.
    var paths: [String] { loader?.paths ?? [] }

    /// A tracer that evaluates the current policies.
    var tracer: PolicyTracer {
        state.withLock { state in
            PolicyTracer(
                inventory: state.inventory.snapshot(),
                policies: state.policies.snapshot(),
                directory: state.directory
            )
        }
    }

    /// The findings about the policies.
    var findings: [PolicyFinding] { state.withLock { $0.policies.findings } }

    /// Policy objects in namespaces that no source has; empty if the sources have no namespaces.
    var withoutNamespace: [ObjectReference] { state.withLock { $0.directory.withoutNamespace } }

    /// The number of policy-related objects of each kind.
    var counts: [ObjectKind: Int] {
        state.withLock { state in
            state.directory.policyObjects.reduce(into: [:]) { $0[$1.kind, default: 0] += 1 }
        }
    }

    /// The location of a policy or tier, such as `policies.yaml:12`.
    func place(of object: ObjectReference) -> String? {
        let source = state.withLock { $0.directory.source(of: object) }
        return loader?.place(of: object, from: source)
    }
}
