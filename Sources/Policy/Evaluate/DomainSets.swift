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
    /// The most memory of cached lists of names, bytes, because clients choose the names.
    static let memoryLimit = 4 << 20
    /// The estimated memory of a cached list without its names, bytes.
    private static let listMemory = 96
    /// The estimated memory of a name without its text, bytes.
    private static let nameMemory = 48

    /// The sets: numbers of ``RuleTables/domains``, ascending.
    private var sets: [[UInt32]] = [[], [], []]
    private var numbers: [[UInt32]: UInt32] = [[]: Self.empty]
    private var known: [[String]: UInt32] = [:]
    /// The estimated memory of ``known``, bytes.
    private(set) var memory = 0
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
        if listCount != tables.domains.count {
            forget()
            listCount = tables.domains.count
        }
        if let number = known[names] { return number }
        let set = tables.domains.indices.filter { tables.domains[$0].matches(names) }.map { UInt32($0) }
        let number = numbers[set] ?? UInt32(sets.count)
        if Int(number) == sets.count {
            sets.append(set)
            numbers[set] = number
        }
        keep(number, for: names)
        return number
    }

    /// Caches the number of a list of names.
    private mutating func keep(_ number: UInt32, for names: [String]) {
        let needed = names.reduce(Self.listMemory) { $0 + Self.nameMemory + $1.utf8.count }
        if memory + needed > Self.memoryLimit { forget() }
        known[names] = number
        memory += needed
    }

    /// Clears the cached lists of names; the sets keep their numbers.
    private mutating func forget() {
        known.removeAll(keepingCapacity: true)
        memory = 0
    }

    /// The domain lists of a set.
    func lists(_ set: UInt32) -> [UInt32] { sets[Int(set)] }
}
