/// Matches the rules of a list before and after a change: finds unchanged, changed, added and removed rules.
struct RuleMatch {
    /// The indices, before and after, of changed rules.
    private(set) var changed: [(before: Int, after: Int)] = []
    /// The indices of removed rules in the list before.
    private(set) var removed: [Int] = []
    /// The indices of added rules in the list after.
    private(set) var added: [Int] = []
    /// Whether unchanged rules are in another order.
    private(set) var isReordered = false

    /// The maximum number of rules whose contents are compared with each other.
    private static let limit = 16

    /// Compares two lists.
    init(_ before: [ObjectValue], _ after: [ObjectValue]) {
        if before.count == 1, after.count == 1 {
            if before[0] != after[0] { changed = [(0, 0)] }
            return
        }
        var left = Array(before.indices)
        var right = Array(after.indices)
        removeSame(before, after, &left, &right)
        while !left.isEmpty, !right.isEmpty {
            guard let (old, new) = Self.best(before, after, left, right) else { break }
            changed.append((left.remove(at: old), right.remove(at: new)))
        }
        changed.sort { $0.after < $1.after }
        removed = left
        added = right
    }

    private mutating func removeSame(
        _ before: [ObjectValue],
        _ after: [ObjectValue],
        _ left: inout [Int],
        _ right: inout [Int]
    ) {
        var places: [ObjectValue: [Int]] = [:]
        let areMany = before.count > Self.limit
        if areMany { for index in before.indices.reversed() { places[before[index], default: []].append(index) } }
        var same: Set<Int> = []
        var last = -1
        right.removeAll { index in
            let found =
                areMany
                ? places[after[index]]?.popLast()
                : before.indices.first { before[$0] == after[index] && !same.contains($0) }
            guard let place = found else { return false }
            if place < last { isReordered = true }
            last = max(last, place)
            same.insert(place)
            return true
        }
        left.removeAll { same.contains($0) }
    }

    /// Returns the two rules with the highest score; among equal scores, the nearest ones.
    private static func best(
        _ before: [ObjectValue],
        _ after: [ObjectValue],
        _ left: [Int],
        _ right: [Int]
    ) -> (Int, Int)? {
        var best: (old: Int, new: Int, common: Int, distance: Int)?
        for (old, from) in left.prefix(limit).enumerated() {
            for (new, to) in right.prefix(limit).enumerated() {
                let common = inCommon(before[from], after[to])
                let distance = abs(from - to)
                if let known = best, (known.common, -known.distance) >= (common, -distance) { continue }
                best = (old, new, common, distance)
            }
        }
        guard let best, best.common > 0 || (left.count == 1 && right.count == 1) else { return nil }
        return (best.old, best.new)
    }

    /// Returns a score: two for each equal member, one for each other key that both rules have.
    private static func inCommon(_ left: ObjectValue, _ right: ObjectValue) -> Int {
        left.members.reduce(0) { $0 + (right[$1.key] == $1.value ? 2 : right[$1.key] == nil ? 0 : 1) }
    }
}
