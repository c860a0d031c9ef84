import ClusterModel
import ClusterSource
import Dispatch
import Inventory
import Policy
import Synchronization

/// Policies to ask, those whom they are about, and where all of it comes from.
final class PolicySources: ClusterObserver {
    private struct State {
        var inventory = Inventory(hostName: "")
        var policies: PolicyStore
        var directory = PolicyDirectory()
    }

    private let state: Mutex<State>
    private let loader: InventoryLoader

    /// Takes what the options say; reads nothing yet.
    ///
    /// This machine is not part of it: answers are the same everywhere.
    convenience init(_ options: InventoryQueryOptions, format: PolicyFormat, purpose: String) throws {
        self.init(
            try InventoryLoader(options.sources, limit: options.timeout.duration, purpose: purpose),
            format: format
        )
    }

    /// Takes what reads the sources.
    init(_ loader: InventoryLoader, format: PolicyFormat) {
        self.loader = loader
        state = Mutex(State(policies: PolicyStore(format: format)))
    }

    private init(_ loader: InventoryLoader, _ state: State) {
        self.loader = loader
        self.state = Mutex(state)
    }

    /// A copy that takes other changes than this one.
    func forked() -> PolicySources {
        var copy = state.withLock { $0 }
        copy.policies = copy.policies.forked()
        return PolicySources(loader, copy)
    }

    /// Reads all files, and waits until the API server has told everything.
    ///
    /// - Parameter isCheck: whether broken files are passed over.
    /// - Throws: `CommandFailure` if a file is broken, or the API server tells nothing at all.
    func load(isCheck: Bool = false) throws {
        try loader.load(telling: self, isCheck: isCheck)
    }

    func observe(_ changes: [ClusterChange], from source: SourceID) {
        let now = Int64(DispatchTime.now().uptimeNanoseconds)
        state.withLock { state in
            state.inventory.apply(changes, from: source, at: now)
            state.policies.apply(changes, from: source)
            state.directory.apply(changes, from: source)
        }
    }

    /// The files and folders.
    var paths: [String] { loader.paths }

    /// What is known, to be asked.
    var tracer: PolicyTracer {
        state.withLock { state in
            PolicyTracer(
                inventory: state.inventory.snapshot(),
                policies: state.policies.snapshot(),
                directory: state.directory
            )
        }
    }

    /// What is wrong with the policies.
    var findings: [PolicyFinding] { state.withLock { $0.policies.findings } }

    /// The objects of policies in namespaces that no source has, if any source has namespaces at all.
    var homeless: [ObjectReference] { state.withLock { $0.directory.homeless } }

    /// How many objects of each kind there are that have to do with policies.
    var counts: [ObjectKind: Int] {
        state.withLock { state in
            state.directory.policyObjects.keys.reduce(into: [:]) { $0[$1.kind, default: 0] += 1 }
        }
    }

    /// Where a policy or tier is to be found, as in `policies.yaml:12`.
    func place(of object: ObjectReference) -> String? {
        let source = state.withLock { $0.directory.policyObjects[object] }
        return loader.place(of: object, from: source)
    }
}
