import FlowModel

/// The addresses of an object; a single address, the usual case for pods, needs no heap allocation.
enum AddressList: Sendable {
    case none
    case one(IPAddress)
    case several([IPAddress])

    /// Takes addresses without duplicates.
    init(_ addresses: [IPAddress]) {
        switch addresses.count {
        case 0: self = .none
        case 1: self = .one(addresses[0])
        default: self = .several(addresses)
        }
    }

    /// The addresses in order.
    var array: [IPAddress] {
        switch self {
        case .none: []
        case .one(let address): [address]
        case .several(let addresses): addresses
        }
    }
}

extension Array where Element: Hashable {
    /// The elements without duplicates, in the order of their first occurrence.
    var unique: [Element] {
        guard count > 1 else { return self }
        var seen = Set<Element>(minimumCapacity: count)
        return filter { seen.insert($0).inserted }
    }

    /// The elements that are not in another array.
    func without(_ other: [Element]) -> [Element] {
        guard !isEmpty, !other.isEmpty else { return self }
        guard count > 4 || other.count > 4 else { return filter { !other.contains($0) } }
        let other = Set(other)
        return filter { !other.contains($0) }
    }
}
