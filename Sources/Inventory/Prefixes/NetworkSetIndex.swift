import ClusterModel
import FlowModel

/// Finds the network set of an address.
///
/// The rule is that of Calico since v3.32: sets in the preferred namespace come first, then global sets, then sets in
/// other namespaces. Among these the longest prefix wins, then the least key (`namespace/name` or `name`).
struct NetworkSetIndex: Sendable {
    /// A network set.
    struct Member: Sendable {
        /// The set as it appears in records.
        let endpoint: Endpoint
        /// The source of the set.
        let source: SourceID
        /// The prefixes of the set.
        let nets: [IPPrefix]

        /// The sort key of the set.
        var key: String {
            endpoint.namespace.map { "\($0)/\(endpoint.name)" } ?? endpoint.name
        }
    }

    /// The sets, sorted by key, then by source.
    let members: [Member]
    /// The number of distinct prefixes, counted for each namespace.
    let prefixCount: Int
    private let global: PrefixIndex
    private let namespaced: PrefixIndex
    private let byNamespace: [String: PrefixIndex]
    /// The index in ``members`` by object number.
    private let positions: [UInt64: Int]

    /// Takes sets in any order; O(n log n) in the number of prefixes.
    init(_ sets: [Member] = []) {
        members = sets.map { (member: $0, key: $0.key) }
            .sorted { ($0.key, $0.member.source.rawValue) < ($1.key, $1.member.source.rawValue) }
            .map(\.member)
        var prefixes: [String?: [(prefix: IPPrefix, value: Int32)]] = [:]
        for (number, member) in members.enumerated() {
            let added = member.nets.map { (prefix: $0, value: Int32(truncatingIfNeeded: number)) }
            prefixes[member.endpoint.namespace, default: []] += added
        }
        global = PrefixIndex(prefixes[nil] ?? [])
        prefixes[nil] = nil
        namespaced = PrefixIndex(prefixes.values.flatMap { $0 })
        var byNamespace: [String: PrefixIndex] = [:]
        for case (let namespace?, let prefixes) in prefixes { byNamespace[namespace] = PrefixIndex(prefixes) }
        self.byNamespace = byNamespace
        prefixCount = global.count + byNamespace.values.reduce(0) { $0 + $1.count }
        positions = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.endpoint.object, $0) })
    }

    /// The set that an address belongs to, as an index in ``members``, with its category.
    @inline(__always)
    func best(_ address: IPAddress, preferring namespace: String?) -> (member: Int, category: NetworkSetCategory)? {
        guard !members.isEmpty else { return nil }
        if let namespace, let member = byNamespace[namespace]?.value(at: address) {
            return (member, .preferredNamespace)
        }
        if let member = global.value(at: address) { return (member, .global) }
        if let member = namespaced.value(at: address) { return (member, .otherNamespace) }
        return nil
    }

    /// The newest version of a set if it still contains an address; else nil.
    func newest(_ set: Endpoint, at address: IPAddress) -> Endpoint? {
        if let best = best(address, preferring: set.namespace), members[best.member].endpoint.object == set.object {
            return members[best.member].endpoint
        }
        guard let position = positions[set.object] else { return nil }
        let member = members[position]
        return member.nets.contains { $0.contains(address) } ? member.endpoint : nil
    }
}

/// The relation of a set's namespace to the preferred one; the cases are in the order of the search.
public enum NetworkSetCategory: Sendable, Hashable {
    /// The set is in the namespace of the other end of the connection.
    case preferredNamespace
    /// The set has no namespace (GlobalNetworkSet).
    case global
    /// The set is in another namespace.
    case otherNamespace
}
