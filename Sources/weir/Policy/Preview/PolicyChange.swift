import ArgumentParser
import ClusterModel
import ClusterSource
import Synchronization

/// What a change of policies consists of: objects that are applied, and objects that are deleted.
struct PolicyChange {
    /// Objects as `kubectl apply` would make them.
    var applied: [ClusterObject] = []
    /// Objects that are deleted: for each the references that a text may mean.
    var deleted: [[ObjectReference]] = []

    /// The source of objects that are applied: no file and no API server has it.
    private static let source = SourceID(rawValue: .max)

    /// Reads files of objects.
    ///
    /// - Throws: `CommandFailure` if a file is broken.
    init(files: [String], deleted: [[ObjectReference]], purpose: String) throws {
        self.deleted = deleted
        guard !files.isEmpty else { return }
        let collector = Collector()
        let options = try InventoryOptions.parse([])
        try InventoryLoader(options, morePaths: files, limit: .seconds(1), purpose: purpose).load(telling: collector)
        applied = collector.objects
    }

    /// Takes objects that were read elsewhere.
    init(applied: [ClusterObject]) {
        self.applied = applied
    }

    /// Keeps what files say.
    private final class Collector: ClusterObserver {
        private let found = Mutex<[ClusterObject]>([])

        var objects: [ClusterObject] { found.withLock { $0 } }

        func observe(_ changes: [ClusterChange], from source: SourceID) {
            found.withLock { found in
                for case .upsert(let object) in changes { found.append(object) }
            }
        }
    }

    /// Makes the change in sources that were loaded.
    ///
    /// - Throws: `CommandFailure` if an object is to be deleted that is not there.
    func apply(to sources: PolicySources) throws {
        let directory = sources.tracer.directory
        for candidates in deleted {
            guard let reference = candidates.first(where: { directory.policyObjects[$0] != nil }),
                let source = directory.policyObjects[reference]
            else {
                let names = candidates.map(\.description).joined(separator: ", ")
                throw CommandFailure(description: "--without: there is no \(names) in the inventory")
            }
            sources.observe([.delete(reference, uid: nil)], from: source)
        }
        for object in applied {
            if let source = directory.policyObjects[object.reference] {
                sources.observe([.delete(object.reference, uid: nil)], from: source)
            }
            sources.observe([.upsert(object)], from: Self.source)
        }
    }

    /// What changes, a line each: `+` new, `~` changed, `-` deleted.
    func lines(before directory: PolicyDirectory) -> [String] {
        applied.map { object in
            "\(directory.policyObjects[object.reference] == nil ? "+" : "~") \(object.reference)"
        } + deleted.compactMap { $0.first { directory.policyObjects[$0] != nil } }.map { "- \($0)" }
    }
}

extension ObjectReference {
    /// Reads `KIND/NAMESPACE/NAME`, or `KIND/NAME` of what is in no namespace.
    ///
    /// - Parameter text: what somebody wrote; the kind in any case.
    /// - Returns: what it may mean: `NetworkPolicy` is a kind of Kubernetes and of Calico.
    /// - Throws: `ValidationError` if it means nothing.
    static func candidates(_ text: String) throws -> [ObjectReference] {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let all = ObjectKind.allCases.filter(\.isOfPolicies)
        func name(_ kind: ObjectKind) -> String { kind == .calicoNetworkPolicy ? "NetworkPolicy" : kind.rawValue }
        let kinds = all.filter { name($0).lowercased() == parts[0].lowercased() }
        guard 2...3 ~= parts.count, !parts.contains(""), let kind = kinds.first else {
            throw ValidationError(
                "'\(text)': KIND/NAMESPACE/NAME or KIND/NAME is needed; kinds are "
                    + Set(all.map(name)).sorted().joined(separator: ", ")
            )
        }
        guard (parts.count == 3) == kind.isNamespaced else {
            throw ValidationError("'\(text)': a \(parts[0]) is \(kind.isNamespaced ? "" : "not ")in a namespace")
        }
        return kinds.map {
            ObjectReference(kind: $0, namespace: parts.count == 3 ? parts[1] : nil, name: parts[parts.count - 1])
        }
    }
}
