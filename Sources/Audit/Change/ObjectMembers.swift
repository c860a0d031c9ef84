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
    /// Objects have few members, so that a search without hashes is fast.
    package struct Members: Sendable, Hashable, Sequence, ExpressibleByDictionaryLiteral {
        private let list: [Member]

        /// Takes members in any order.
        init(_ members: [Member]) {
            guard members.indices.dropFirst().contains(where: { members[$0 - 1].key >= members[$0].key }) else {
                list = members
                return
            }
            // Stable: of equal keys the later one comes last.
            let sorted = Self.sorted(members)
            guard zip(sorted, sorted.dropFirst()).contains(where: { $0.key == $1.key }) else {
                list = sorted
                return
            }
            list = sorted.indices.compactMap { index in
                let isLast = index + 1 == sorted.count || sorted[index + 1].key != sorted[index].key
                return isLast ? sorted[index] : nil
            }
        }

        /// Sorts members by their keys; of equal keys the later one comes last.
        private static func sorted(_ members: [Member]) -> [Member] {
            guard members.count <= 32 else { return members.sorted { $0.key < $1.key } }
            var sorted = members
            for index in sorted.indices.dropFirst() {
                var place = index
                while place > 0, sorted[place].key < sorted[place - 1].key {
                    sorted.swapAt(place, place - 1)
                    place -= 1
                }
            }
            return sorted
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
            var (left, right) = (0, 0)
            while left < list.count, right < other.list.count {
                if list[left].key == other.list[right].key {
                    body(list[left].key, list[left].value, other.list[right].value)
                    (left, right) = (left + 1, right + 1)
                } else if list[left].key < other.list[right].key {
                    body(list[left].key, list[left].value, nil)
                    left += 1
                } else {
                    body(other.list[right].key, nil, other.list[right].value)
                    right += 1
                }
            }
            for member in list[left...] { body(member.key, member.value, nil) }
            for member in other.list[right...] { body(member.key, nil, member.value) }
        }
    }
}
