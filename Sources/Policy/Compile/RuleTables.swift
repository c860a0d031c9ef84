import ClusterModel
import FlowModel

/// The operands of rules, referred to by number.
///
/// A number is never reused during the lifetime of the tables.
struct RuleTables: Sendable {
    /// The selectors of policies and of their peers.
    private(set) var selectors = SelectorTable()
    /// Address ranges of rules and of network sets.
    private(set) var prefixes: [IPPrefix] = []
    /// Port lists.
    private(set) var ports: [PortList] = []
    /// Range lists: numbers of ``prefixes``, ascending.
    private(set) var nets: [[UInt32]] = []
    /// Services.
    private(set) var services: [ServiceName] = []
    /// Lists of domain names, of rules and of network sets.
    private(set) var domains: [DomainList] = []

    private var prefixNumbers: [IPPrefix: UInt32] = [:]
    private var portNumbers: [[PortMatch]: UInt32] = [:]
    private var netNumbers: [[UInt32]: UInt32] = [:]
    private var serviceNumbers: [ServiceName: UInt32] = [:]
    private var domainNumbers: [[DomainPattern]: UInt32] = [:]

    /// The total number of entries.
    var count: Int {
        selectors.count + prefixes.count + ports.count + nets.count + services.count + domains.count
    }

    /// The number of a selector.
    mutating func number(of selector: Selector) -> UInt32 { selectors.number(of: selector) }

    /// The number of a range.
    mutating func number(of prefix: IPPrefix) -> UInt32 {
        Self.number(of: prefix, &prefixNumbers, &prefixes) { $0 }
    }

    /// The number of a list of ranges.
    mutating func number(ofNets list: [IPPrefix]) -> UInt32 {
        let members = Set(list.map { number(of: $0) }).sorted()
        return Self.number(of: members, &netNumbers, &nets) { $0 }
    }

    /// The number of a list of ports.
    mutating func number(of list: [PortMatch]) -> UInt32 {
        Self.number(of: list, &portNumbers, &ports) { PortList($0) }
    }

    /// The number of a service.
    mutating func number(of service: ServiceName) -> UInt32 {
        Self.number(of: service, &serviceNumbers, &services) { $0 }
    }

    /// The number of a list of domain names.
    mutating func number(of list: [DomainPattern]) -> UInt32 {
        Self.number(of: list, &domainNumbers, &domains) { DomainList($0) }
    }

    /// Whether any rule refers to a service.
    func hasService(_ service: ServiceName) -> Bool { serviceNumbers[service] != nil }

    private static func number<Key: Hashable, Value>(
        of key: Key,
        _ numbers: inout [Key: UInt32],
        _ values: inout [Value],
        _ make: (Key) -> Value
    ) -> UInt32 {
        if let number = numbers[key] { return number }
        let number = UInt32(values.count)
        numbers[key] = number
        values.append(make(key))
        return number
    }
}

/// The ports of a rule: numbers, and names that each endpoint resolves differently.
struct PortList: Sendable {
    /// The ranges of numbers, in the order of the rule.
    let ranges: [ClosedRange<UInt16>]
    /// The names of ports.
    let names: [String]

    init(_ ports: [PortMatch]) {
        ranges = ports.compactMap { if case .range(let range) = $0 { range } else { nil } }
        names = ports.compactMap { if case .name(let name) = $0 { name } else { nil } }
    }

    /// Whether one of the ranges contains a port number.
    func hasNumber(_ port: UInt16) -> Bool {
        for range in ranges where range.contains(port) { return true }
        return false
    }

    /// Whether the endpoint has the port number under one of the names.
    func hasName(_ port: UInt16, _ proto: IPProtocol, of identity: EndpointIdentity?) -> Bool {
        guard !names.isEmpty, let identity else { return false }
        return identity.namedPorts.contains { named in
            named.port == port && named.proto == proto && named.name.map(names.contains) ?? false
        }
    }
}
