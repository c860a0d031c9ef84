/// The last state of each object in a log, for comparison with the next change.
package struct ObjectHistory: Sendable {
    /// The identity of an object, regardless of the API version.
    struct Key: Hashable, Sendable {
        private var name: String
        private var namespace: String
        private var resource: String
        private var group: String

        init(_ target: AuditTarget, name: String) {
            group =
                switch target.group {
                case "crd.projectcalico.org": "projectcalico.org"
                case "extensions": target.resource == "networkpolicies" ? "networking.k8s.io" : target.group
                default: target.group
                }
            resource = target.resource
            // Only some requests for a namespace contain its name as namespace.
            namespace = target.resource == "namespaces" ? "" : target.namespace
            self.name = name
        }
    }

    /// The last state of an object.
    struct Entry {
        /// The object.
        let bytes: [UInt8]
        /// The places of the members; nil if the object must be read as a whole.
        let outline: ObjectOutline?
        fileprivate let number: Int

        fileprivate var size: Int {
            bytes.count + (outline?.members.count ?? 0) * MemoryLayout<ObjectOutline.Member>.stride
        }

        /// The object as a value; nil if the object exceeds the limits of ``ObjectValue``.
        var value: ObjectValue? {
            guard let outline else { return ObjectValue(in: bytes.span, 0..<bytes.count) }
            return ObjectValue(outline.members, in: bytes.span)
        }
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
    /// - Parameter limit: the maximum memory for states, bytes; the oldest states are removed first.
    package init(limit: Int = 64 << 20) {
        self.limit = limit
    }

    /// The number of known objects.
    package var count: Int { entries.count }

    /// The last state of an object.
    subscript(key: Key) -> Entry? { entries[key] }

    /// Stores the state of an object; a very large one is not kept.
    ///
    /// - Parameters:
    ///   - key: the object.
    ///   - bytes: the buffer that contains the state.
    ///   - place: the range of the state in the buffer.
    ///   - outline: the places of the members; nil if the object must be read as a whole.
    mutating func set(_ key: Key, _ bytes: Span<UInt8>, _ place: Range<Int>, _ outline: ObjectOutline?) {
        guard place.count <= Self.longest else { return remove(key) }
        number += 1
        let copy = bytes.extracting(place).withUnsafeBufferPointer { Array($0) }
        let entry = Entry(bytes: copy, outline: outline, number: number)
        size += entry.size - (entries.updateValue(entry, forKey: key)?.size ?? 0)
        order.append((key, number))
        while size > limit, first < order.count {
            let oldest = order[first]
            first += 1
            if entries[oldest.key]?.number == oldest.number { remove(oldest.key) }
        }
        // Entries of the order that newer ones replaced would otherwise accumulate.
        if order.count > 2 * entries.count + 1024 {
            order = order[first...].filter { entries[$0.key]?.number == $0.number }
            first = 0
        }
    }

    /// Removes an object.
    mutating func remove(_ key: Key) {
        if let entry = entries.removeValue(forKey: key) { size -= entry.size }
    }
}
