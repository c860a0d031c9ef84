import FlowModel

/// Assigns addresses to classes: the addresses of one class belong to the same ranges of rules and network sets.
///
/// A class represents the innermost range that contains an address, and implies the enclosing ranges; class 0 belongs to
/// no range. The object is immutable.
final class AddressClasses: Sendable {
    /// Intervals of addresses with one class, by their start addresses in ascending order.
    private struct Stretches<Value: FixedWidthInteger & Sendable>: Sendable {
        var starts: [Value] = []
        var classes: [UInt32] = []

        func find(_ value: Value) -> UInt32 {
            var low = 0
            var count = starts.count
            while count > 0 {
                let half = count >> 1
                if starts[low + half] <= value {
                    low += half + 1
                    count -= half + 1
                } else {
                    count = half
                }
            }
            return low == 0 ? 0 : classes[low - 1]
        }

        mutating func append(_ start: Value, _ class: UInt32) {
            if starts.last == start {
                classes[classes.count - 1] = `class`
            } else {
                starts.append(start)
                classes.append(`class`)
            }
        }
    }

    private let v4: Stretches<UInt32>
    private let v6: Stretches<UInt128>
    /// The class of the enclosing range, by class.
    private let parents: [UInt32]
    /// The number of the range in ``RuleTables/prefixes``, by class.
    private let prefixes: [UInt32]
    /// The network sets that list the range itself, by class.
    private let sets: [[EndpointIdentity]]
    /// Whether any network sets exist.
    let hasSets: Bool

    /// Computes the classes.
    ///
    /// - Parameters:
    ///   - prefixes: all ranges without duplicates, indexed by their numbers.
    ///   - sets: the network sets that list each range.
    init(prefixes: [IPPrefix], sets: [UInt32: [EndpointIdentity]]) {
        let order = prefixes.indices.sorted { Self.precedes(prefixes[$0], prefixes[$1]) }
        var v4 = Stretches<UInt32>()
        var v6 = Stretches<UInt128>()
        var parents: [UInt32] = [0]
        var open: [(last: UInt128, class: UInt32)] = []
        func append(_ isIPv4: Bool, _ start: UInt128, _ class: UInt32) {
            if isIPv4 { v4.append(UInt32(truncatingIfNeeded: start), `class`) } else { v6.append(start, `class`) }
        }
        /// Closes the ranges that end before an address; nil closes all.
        func close(before start: UInt128?, isIPv4: Bool) {
            while let range = open.last, start.map({ range.last < $0 }) ?? true {
                open.removeLast()
                let end = isIPv4 ? 0xffff_ffff_ffff as UInt128 : .max
                if range.last < end { append(isIPv4, range.last + 1, open.last?.class ?? 0) }
            }
        }
        var wasIPv4 = false
        for (position, index) in order.enumerated() {
            let prefix = prefixes[index]
            let start = prefix.address.value
            close(before: prefix.isIPv4 == wasIPv4 ? start : nil, isIPv4: wasIPv4)
            wasIPv4 = prefix.isIPv4
            parents.append(open.last?.class ?? 0)
            append(prefix.isIPv4, start, UInt32(position + 1))
            open.append((prefix.last.value, UInt32(position + 1)))
        }
        close(before: nil, isIPv4: wasIPv4)
        self.v4 = v4
        self.v6 = v6
        self.parents = parents
        self.prefixes = [.max] + order.map { UInt32($0) }
        self.sets = [[]] + order.map { sets[UInt32($0)] ?? [] }
        hasSets = !sets.isEmpty
    }

    /// The order of ranges: IPv6 first, then by start address, then wider ranges first.
    private static func precedes(_ left: IPPrefix, _ right: IPPrefix) -> Bool {
        if left.isIPv4 != right.isIPv4 { return right.isIPv4 }
        if left.address != right.address { return left.address.value < right.address.value }
        return left.length < right.length
    }

    /// The class of an address.
    func `class`(of address: IPAddress) -> UInt32 {
        if let value = address.ipv4 { return v4.find(value) }
        return v6.find(address.value)
    }

    /// Whether one of the ranges, with ascending numbers, contains the addresses of a class.
    func isIn(_ nets: [UInt32], _ class: UInt32) -> Bool {
        var class_ = `class`
        while class_ != 0 {
            let prefix = prefixes[Int(class_)]
            var low = 0
            var high = nets.count
            while low < high {
                let middle = (low + high) >> 1
                if nets[middle] < prefix { low = middle + 1 } else { high = middle }
            }
            if low < nets.count, nets[low] == prefix { return true }
            class_ = parents[Int(class_)]
        }
        return false
    }

    /// Whether a condition is true for a network set that contains the addresses of a class.
    func containsSet(_ class: UInt32, where condition: (EndpointIdentity) -> Bool) -> Bool {
        guard hasSets else { return false }
        var class_ = `class`
        while class_ != 0 {
            for set in sets[Int(class_)] where condition(set) { return true }
            class_ = parents[Int(class_)]
        }
        return false
    }
}
