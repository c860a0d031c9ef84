import ClusterModel

/// The names of the containers of this host's pods, by identifier.
///
/// A removed container keeps its name for a while, because its last connections are reported after its end.
struct ContainerNames: Sendable {
    /// The most removed containers that are kept.
    private static let pastLimit = 256

    /// The names by identifier.
    private(set) var names: [String: String] = [:]
    private var byPod: [ObjectName: Set<String>] = [:]
    /// Identifiers of removed containers, the oldest first.
    private var past: [String] = []

    /// Replaces the containers of a pod; returns whether anything changed.
    mutating func replace(_ containers: [PodContainer], of pod: ObjectName) -> Bool {
        let known = byPod[pod] ?? []
        let new = Set(containers.map(\.identifier))
        guard known != new || containers.contains(where: { names[$0.identifier] != $0.name }) else { return false }
        byPod[pod] = new.isEmpty ? nil : new
        past.removeAll(where: new.contains)
        for container in containers { names[container.identifier] = container.name }
        past.append(contentsOf: known.subtracting(new))
        let surplus = past.prefix(max(0, past.count - Self.pastLimit))
        for identifier in surplus { names[identifier] = nil }
        past.removeFirst(surplus.count)
        return true
    }
}
