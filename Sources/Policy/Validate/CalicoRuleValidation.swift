import ClusterModel
import FlowModel

/// Validates a rule of a Calico policy.
struct CalicoRuleValidation {
    /// Whether the rule is an egress rule.
    let isEgress: Bool
    /// Whether the rule belongs to a global policy.
    let isGlobal: Bool

    func check(_ rule: CheckedField) {
        guard rule.isPresent else { return rule.refuse("the rule is empty; it needs an action at least") }
        guard rule.expectObject(.calicoRule) else { return }
        if rule["action"].isEmpty {
            rule.refuse("the rule has no action; it needs Allow, Deny, Log or Pass")
        } else {
            rule["action"].word(of: ["Allow", "Deny", "Log", "Pass"])
        }
        let version = ipVersion(rule["ipVersion"])
        let proto = CalicoProtocol(rule["protocol"])
        let notProto = CalicoProtocol(rule["notProtocol"])
        checkMessage(rule["icmp"])
        checkMessage(rule["notICMP"])
        if rule["icmp"].isPresent, proto.isReadable, proto.number != 1, proto.number != 58 {
            rule["icmp"].refuse("type and code need protocol ICMP or ICMPv6; \(proto.words)")
        }
        for (proto, field) in [(proto, rule["protocol"]), (notProto, rule["notProtocol"])] {
            if let version, let own = proto.ipVersion, own != version {
                field.refuse("\(field.excerpt) is of IPv\(own), and ipVersion is \(version); write ipVersion: \(own)")
            }
        }
        checkHTTP(rule, proto)
        for end in ["source", "destination"] {
            CalicoEntityValidation(isSource: end == "source", isEgress: isEgress, isGlobal: isGlobal)
                .check(rule[end], proto)
        }
        checkFamilies(rule, version)
        MetadataValidation.checkAnnotations(rule["metadata"]["annotations"])
    }

    private func ipVersion(_ field: CheckedField) -> Int? {
        guard let version = field.integer(in: 0...255) else { return nil }
        guard version == 4 || version == 6 else {
            field.refuse("there is no IP version \(version); it is 4 or 6")
            return nil
        }
        return version
    }

    /// Validates the type and code of ICMP messages.
    private func checkMessage(_ message: CheckedField) {
        message.expectObject(.icmp)
        _ = message["type"].integer(in: 0...254)
        _ = message["code"].integer(in: 0...255)
        if message["code"].isPresent, !message["type"].isPresent {
            message["code"].refuse("a code needs a type")
        }
    }

    private func checkHTTP(_ rule: CheckedField, _ proto: CalicoProtocol) {
        let http = rule["http"]
        guard http.isPresent, http.expectObject(.http) else { return }
        if isEgress {
            http.refuse("http is accepted in ingress rules only")
        } else if let action = rule["action"].nonEmptyString(), action != "Allow" {
            http.refuse("http is accepted in rules with action Allow only")
        }
        if proto.isReadable, proto.number != nil, proto.number != 6 {
            rule["protocol"].refuse("http needs protocol TCP, or none; found \(rule["protocol"].excerpt)")
        }
        var methods: Set<String> = []
        for method in http["methods"].elements() {
            guard let word = method.string(), !methods.insert(word).inserted else { continue }
            method.refuse("\(word) is listed twice; name each method once")
        }
        for path in http["paths"].elements() { checkPath(path) }
    }

    private func checkPath(_ path: CheckedField) {
        path.expectObject(.httpPath)
        let present = ["exact", "prefix"].filter { path[$0].nonEmptyString() != nil }
        guard present.count == 1, let text = path[present[0]].string() else {
            return path.refuse("a path needs either exact or prefix")
        }
        if !text.hasPrefix("/") || text.contains(where: { "? #".contains($0) }) {
            path[present[0]].refuse("a path begins with / and has no space, ? and #")
        }
    }

    /// Requires all ranges of a rule to have the same IP version.
    private func checkFamilies(_ rule: CheckedField, _ version: Int?) {
        var first: (version: Int, range: IPPrefix)?
        for end in ["source", "destination"] {
            for member in ["nets", "notNets"] {
                for net in rule[end][member].elements() {
                    guard let text = net.string(), text.contains("/"), let range = IPPrefix(text) else { continue }
                    let own = range.isIPv4 ? 4 : 6
                    if let version, version != own {
                        net.refuse("\(range) is of IPv\(own), and ipVersion is \(version)")
                    } else if let first, first.version != own {
                        net.refuse(
                            "\(range) is of IPv\(own) and \(first.range) of the same rule of IPv\(first.version); "
                                + "make a rule for each"
                        )
                    }
                    first = first ?? (own, range)
                }
            }
        }
    }
}

/// A protocol in a Calico rule.
struct CalicoProtocol {
    private static let names: [(name: String, number: UInt8)] = [
        ("TCP", 6), ("UDP", 17), ("ICMP", 1), ("ICMPv6", 58), ("SCTP", 132), ("UDPLite", 136),
    ]

    /// The protocol number; nil if none is given.
    private(set) var number: UInt8?
    /// Whether the protocol is valid or absent.
    private(set) var isReadable = true

    /// Parses a field, and reports an error in it.
    init(_ field: CheckedField) {
        switch field.value {
        case nil: break
        case .number: number = field.integer(in: 1...255).map { UInt8($0) }
        case .string(let text):
            number = Self.names.first { $0.name == text }?.number ?? UInt8(text).flatMap { $0 == 0 ? nil : $0 }
            if number == nil { field.word(of: Self.names.map(\.name), isRequired: true) }
        default: _ = field.string()
        }
        isReadable = number != nil || !field.isPresent
    }

    /// Whether the protocol has ports.
    var hasPorts: Bool { number == 6 || number == 17 || number == 132 }

    /// The IP version of the protocol; nil for both.
    var ipVersion: Int? { number == 1 ? 4 : number == 58 ? 6 : nil }

    /// The text of the field, for a message.
    var words: String {
        guard let number else { return "no protocol is named" }
        return "found \(Self.names.first { $0.number == number }?.name ?? "\(number)")"
    }
}
