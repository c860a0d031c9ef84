import FlowModel

/// Finds the longest prefix that contains an address; the families are separate, so `::/0` contains no IPv4 address.
struct PrefixIndex: Sendable {
    private var ipv4 = IntervalIndex<UInt32>([])
    private var ipv6 = IntervalIndex<UInt128>([])
    /// The number of different prefixes.
    let count: Int

    /// Creates an empty index.
    init() {
        count = 0
    }

    /// Takes prefixes with values; for equal prefixes the least value counts; O(n log n).
    init(_ prefixes: [(prefix: IPPrefix, value: Int32)]) {
        var values: [IPPrefix: Int32] = [:]
        for (prefix, value) in prefixes { values[prefix] = min(values[prefix] ?? .max, value) }
        count = values.count
        ipv4 = IntervalIndex(
            values.compactMap { prefix, value in
                guard prefix.isIPv4, let first = prefix.address.ipv4, let last = prefix.last.ipv4 else { return nil }
                return .init(first: first, last: last, value: value)
            }
        )
        ipv6 = IntervalIndex(
            values.compactMap { prefix, value in
                guard !prefix.isIPv4 else { return nil }
                return .init(first: prefix.address.value, last: prefix.last.value, value: value)
            }
        )
    }

    /// The value of the longest prefix that contains an address; nil if there is none.
    @inline(__always)
    func value(at address: IPAddress) -> Int? {
        if let word = address.ipv4 { ipv4.value(at: word) } else { ipv6.value(at: address.value) }
    }
}
