import FlowModel

/// Finds the domain lists of rules and network sets that match a name of a destination, and numbers sets of such lists.
///
/// Verdicts are cached by set, so that names without a matching list need no cache entries.
struct DomainSets: Sendable {
    /// The empty set: no list matches a name of the destination.
    static let empty: UInt32 = 0
    /// The number that stands for unknown names.
    static let unknown: UInt32 = 1
    /// The number for destinations that policies never select by name.
    static let none: UInt32 = 2
    /// The maximum number of sets; numbers have 22 bits in ``VerdictKey``.
    static let limit = 1 << 16
    /// The most cached lists of names, because clients choose the names.
    private static let memoLimit = 1 << 14

    /// The sets: numbers of ``RuleTables/domains``, ascending.
    private var sets: [[UInt32]] = [[], [], []]
    private var numbers: [[UInt32]: UInt32] = [[]: Self.empty]
    private var known: [[String]: UInt32] = [:]
    /// The number of lists when ``known`` was computed.
    private var listCount = 0

    /// The number of sets.
    var count: Int { sets.count }

    /// The number of the set of lists that match one of the names.
    mutating func number(of domains: DestinationDomains, _ tables: RuleTables) -> UInt32 {
        let names: [String]
        switch domains {
        case .unknown: return Self.unknown
        case .none: return Self.none
        case .known(let known): names = known
        }
        guard !names.isEmpty else { return Self.empty }
        if listCount != tables.domains.count || known.count >= Self.memoLimit {
            known.removeAll(keepingCapacity: true)
            listCount = tables.domains.count
        }
        if let number = known[names] { return number }
        let set = tables.domains.indices.filter { tables.domains[$0].matches(names) }.map { UInt32($0) }
        let number = numbers[set] ?? UInt32(sets.count)
        if Int(number) == sets.count {
            sets.append(set)
            numbers[set] = number
        }
        known[names] = number
        return number
    }

    /// The domain lists of a set.
    func lists(_ set: UInt32) -> [UInt32] { sets[Int(set)] }
}
