import ArgumentParser
import ClusterModel
import ClusterSource
import Policy
import Synchronization

/// A change of policies: objects to apply, and objects to delete.
struct PolicyChange {
    /// Objects as `kubectl apply` would create them.
    var applied: [ClusterObject] = []
    /// Objects to delete: for each, the references that its text can mean.
    var deleted: [[ObjectReference]] = []

    /// The source of applied objects, different from every file and API server.
    private static let source = SourceID(rawValue: .max)

    /// Reads the objects from files.
    ///
    /// - Throws: `CommandFailure` if a file is invalid.
    init(files: [String], deleted: [[ObjectReference]], purpose: String) throws {
        self.deleted = deleted
        guard !files.isEmpty else { return }
        let collector = Collector()
        let options = try InventoryOptions.parse([])
        try InventoryLoader(options, morePaths: files, limit: .seconds(1), purpose: purpose).load(into: collector)
        applied = collector.objects
    }

    /// Takes objects that are already parsed.
    init(applied: [ClusterObject]) {
        self.applied = applied
    }

    /// Collects the objects of files.
    private final class Collector: ClusterObserver {
        private let found = Mutex<[ClusterObject]>([])

        var objects: [ClusterObject] { found.withLock { $0 } }

        func observe(_ changes: [ClusterChange], from source: SourceID) {
            found.withLock { found in
                for case .upsert(let object) in changes { found.append(object) }
            }
        }
    }

    /// Applies the change to loaded sources.
    ///
    /// - Throws: `CommandFailure` if an object to delete does not exist.
    func apply(to sources: PolicySources) throws {
        let directory = sources.tracer.directory
        for candidates in deleted {
            guard let reference = candidates.first(where: { directory.source(of: $0) != nil }),
                let source = directory.source(of: reference)
            else {
                let names = candidates.map(\.description).joined(separator: ", ")
                throw CommandFailure(description: "--without: there is no \(names) in the inventory")
            }
            sources.observe([.delete(reference, uid: nil)], from: source)
        }
        for object in applied {
            if let source = directory.source(of: object.reference) {
                sources.observe([.delete(object.reference, uid: nil)], from: source)
            }
            sources.observe([.upsert(object)], from: Self.source)
        }
    }

    /// The changed objects, one line each: `+` new, `~` changed, `-` deleted.
    func lines(before directory: PolicyDirectory) -> [String] {
        applied.map { object in
            "\(directory.source(of: object.reference) == nil ? "+" : "~") \(object.reference)"
        } + deleted.compactMap { $0.first { directory.source(of: $0) != nil } }.map { "- \($0)" }
    }

    /// The warning that the effect of policies on forwarded traffic is not evaluated.
    ///
    /// - Parameters:
    ///   - before: the current policies.
    ///   - after: the changed policies.
    ///   - enforcesStaged: whether staged policies are enforced after the change.
    /// - Returns: a text that names the policies; empty if the change concerns none that govern forwarded traffic.
    func warnings(before: PolicySnapshot, after: PolicySnapshot, enforcesStaged: Bool) -> [String] {
        let changed = Set(applied.map(\.reference) + deleted.joined())
        let names = before.forwardedTrafficPolicies.union(after.forwardedTrafficPolicies)
            .filter { changed.contains($0) || (enforcesStaged && $0.kind == .stagedGlobalNetworkPolicy) }
            .map(\.description)
        guard !names.isEmpty else { return [] }
        return ["the effect on forwarded traffic is not evaluated: \(names.sorted().joined(separator: ", "))"]
    }
}

extension ObjectReference {
    /// Parses `KIND/NAMESPACE/NAME`, or `KIND/NAME` for kinds that are not namespaced.
    ///
    /// - Parameter text: the reference; the kind is not case-sensitive.
    /// - Returns: the possible references: `NetworkPolicy` is a kind of both Kubernetes and Calico.
    /// - Throws: `ValidationError` if the text is not a reference.
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
