/// The last state of objects in a log, which changes are compared with.
package struct ObjectHistory: Sendable {
    /// The identity of an object, whatever the version of its API.
    struct Key: Hashable, Sendable {
        var resource: String
        var namespace: String
        var name: String

        init(_ target: AuditTarget, name: String) {
            let group =
                switch target.group {
                case "crd.projectcalico.org": "projectcalico.org"
                case "extensions": target.resource == "networkpolicies" ? "networking.k8s.io" : target.group
                default: target.group
                }
            resource = "\(target.resource).\(group)"
            // The namespace of a namespace is named in some requests, and not in others.
            namespace = target.resource == "namespaces" ? "" : target.namespace
            self.name = name
        }
    }

    private struct Entry {
        var bytes: [UInt8]
        var number: Int
    }

    private static let longest = 256 << 10

    private var entries: [Key: Entry] = [:]
    private var order: [(key: Key, number: Int)] = []
    private var first = 0
    private var number = 0
    private var size = 0
    private let limit: Int

    /// Creates an empty history.
    ///
    /// - Parameter limit: the most memory for states, bytes; the oldest are forgotten first.
    package init(limit: Int = 64 << 20) {
        self.limit = limit
    }

    /// The number of known objects.
    package var count: Int { entries.count }

    /// The last state of an object.
    subscript(key: Key) -> ObjectValue? {
        guard let entry = entries[key] else { return nil }
        return ObjectValue(in: entry.bytes.span, 0..<entry.bytes.count)
    }

    /// Notes the state of an object; one that is very large is not kept.
    mutating func set(_ key: Key, _ bytes: Span<UInt8>, _ place: Range<Int>) {
        remove(key)
        guard place.count <= Self.longest else { return }
        number += 1
        entries[key] = Entry(bytes: bytes.extracting(place).withUnsafeBufferPointer { Array($0) }, number: number)
        order.append((key, number))
        size += place.count
        while size > limit, first < order.count {
            let oldest = order[first]
            first += 1
            if entries[oldest.key]?.number == oldest.number { remove(oldest.key) }
        }
        // Entries of the order that were replaced since would be kept forever.
        if order.count > 2 * entries.count + 1024 {
            order = order[first...].filter { entries[$0.key]?.number == $0.number }
            first = 0
        }
    }

    /// Forgets an object.
    mutating func remove(_ key: Key) {
        if let entry = entries.removeValue(forKey: key) { size -= entry.bytes.count }
    }
}
