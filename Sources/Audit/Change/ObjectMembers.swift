extension ObjectValue {
    /// A member of an object.
    package struct Member: Sendable, Hashable {
        /// Its key.
        package let key: String
        /// Its value.
        package let value: ObjectValue
    }

    /// The members of an object, ordered by key; the last of several equal keys counts.
    ///
    /// Objects have few members, so they are found without hashes.
    package struct Members: Sendable, Hashable, Sequence, ExpressibleByDictionaryLiteral {
        private let list: [Member]

        /// Takes members in any order.
        init(_ members: [Member]) {
            guard zip(members, members.dropFirst()).contains(where: { $0.key >= $1.key }) else {
                list = members
                return
            }
            // The sort is stable: the last of several equal keys comes last.
            let sorted = members.sorted { $0.key < $1.key }
            guard zip(sorted, sorted.dropFirst()).contains(where: { $0.key == $1.key }) else {
                list = sorted
                return
            }
            list = sorted.indices.compactMap { index in
                let isLast = index + 1 == sorted.count || sorted[index + 1].key != sorted[index].key
                return isLast ? sorted[index] : nil
            }
        }

        /// Takes members in any order.
        package init(dictionaryLiteral members: (String, ObjectValue)...) {
            self.init(members.map { Member(key: $0, value: $1) })
        }

        /// Whether there are no members.
        package var isEmpty: Bool { list.isEmpty }
        /// The keys, in order.
        package var keys: some Sequence<String> { list.lazy.map(\.key) }
        /// The members, in order.
        package func makeIterator() -> IndexingIterator<[Member]> { list.makeIterator() }

        /// The value of a member; nil if there is no such key.
        package subscript(_ key: String) -> ObjectValue? {
            guard list.count > 8 else { return list.first { $0.key == key }?.value }
            var range = list.indices
            while let middle = range.isEmpty ? nil : (range.lowerBound + range.upperBound) / 2 {
                if list[middle].key == key { return list[middle].value }
                range = list[middle].key < key ? middle + 1..<range.upperBound : range.lowerBound..<middle
            }
            return nil
        }

        /// Calls a body with each key of this object or another one, in order, and with the values in both.
        func forEachPair(with other: Members, _ body: (String, ObjectValue?, ObjectValue?) -> Void) {
            var (left, right) = (list[...], other.list[...])
            while let first = left.first, let second = right.first {
                if first.key == second.key {
                    body(first.key, first.value, second.value)
                    (left, right) = (left.dropFirst(), right.dropFirst())
                } else if first.key < second.key {
                    body(first.key, first.value, nil)
                    left = left.dropFirst()
                } else {
                    body(second.key, nil, second.value)
                    right = right.dropFirst()
                }
            }
            for member in left { body(member.key, member.value, nil) }
            for member in right { body(member.key, nil, member.value) }
        }
    }
}
