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
        checkMessageProtocol(rule["icmp"], proto)
        for (proto, field) in [(proto, rule["protocol"]), (notProto, rule["notProtocol"])] {
            checkVersion(version, proto, field)
        }
        checkHTTP(rule, proto)
        for end in ["source", "destination"] {
            CalicoEntityValidation(rule: rule, isSource: end == "source", isEgress: isEgress, isGlobal: isGlobal)
                .check(rule[end], proto)
        }
        checkFamilies(rule, version)
        rule["metadata"].expectObject(.ruleMetadata)
        MetadataValidation.checkAnnotations(rule["metadata"]["annotations"])
    }

    /// Validates the protocol of a rule with `icmp`; before 3.33 Calico accepts only the two names.
    private func checkMessageProtocol(_ message: CheckedField, _ proto: CalicoProtocol) {
        guard message.isPresent, proto.isReadable else { return }
        guard let name = proto.messageName else {
            return message.refuse("type and code need protocol ICMP or ICMPv6; \(proto.words)")
        }
        guard !proto.isNamed else { return }
        message.doubt("Calico before 3.33 refuses it with the number of a protocol; write protocol: \(name)")
    }

    /// Validates the IP version of an ICMP rule; before 3.33 Calico compares only the two names.
    private func checkVersion(_ version: Int?, _ proto: CalicoProtocol, _ field: CheckedField) {
        guard let version, let own = proto.ipVersion, own != version else { return }
        let reason = "\(field.excerpt) is of IPv\(own), and ipVersion is \(version)"
        if proto.isNamed {
            field.refuse("\(reason); write ipVersion: \(own)")
        } else {
            field.doubt("\(reason), which Calico refuses from 3.33 on; write ipVersion: \(own)")
        }
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
        } else if proto.number == 6, !proto.isNamed {
            rule["protocol"].doubt("Calico before 3.33 refuses http with the number of a protocol; write TCP")
        }
        http["methods"].checkRepetitions()
        for method in http["methods"].elements() {
            if !method.isPresent { method.doubt("there is no method, which Calico refuses from 3.32 on") }
            _ = method.string()
        }
        for member in ["methods", "paths"] { http[member].checkCount(upTo: 20, since: "3.32") }
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
        } else if text.unicodeScalars.count > 1_024 {
            path[present[0]].doubt("it has more than 1024 characters, which Calico refuses from 3.32 on")
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
                    } else if member == "notNets", range.length == (range.isIPv4 ? 96 : 0) {
                        net.refuse("\(range) has all addresses of IPv\(own), so the rule would match nothing")
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

    /// The protocol number; nil if the field is absent or invalid.
    private(set) var number: UInt8?
    /// Whether the protocol is given by name.
    private(set) var isNamed = false
    /// Whether the protocol is valid or absent.
    private(set) var isReadable = true

    /// Parses a field, and reports an error in it.
    init(_ field: CheckedField) {
        switch field.value {
        case nil: break
        case .number: number = field.integer(in: 1...255).map { UInt8($0) }
        case .string(let text):
            number = Self.names.first { $0.name == text }?.number
            isNamed = number != nil
            if number == nil, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let value = UInt8(text), value > 0 {
                number = value
            }
            if number == nil { field.word(of: Self.names.map(\.name), isRequired: true) }
        default: _ = field.string()
        }
        isReadable = number != nil || !field.isPresent
    }

    /// Whether the protocol has ports.
    var hasPorts: Bool { number == 6 || number == 17 || number == 132 }

    /// The name of ICMP or ICMPv6, which have types and codes; nil for other protocols.
    var messageName: String? { number == 1 ? "ICMP" : number == 58 ? "ICMPv6" : nil }

    /// The IP version of ICMP or ICMPv6; nil for other protocols.
    var ipVersion: Int? { number == 1 ? 4 : number == 58 ? 6 : nil }

    /// A text about the protocol, for a message.
    var words: String {
        guard let number else { return "no protocol is named" }
        return "found \(Self.names.first { $0.number == number }?.name ?? "\(number)")"
    }
}
