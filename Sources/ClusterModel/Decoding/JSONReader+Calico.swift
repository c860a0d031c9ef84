import FlowModel

extension JSONReader {
    /// A NetworkSet or a GlobalNetworkSet.
    mutating func networkSet(_ kind: ObjectKind) throws(JSONError) -> NetworkSet {
        var set = NetworkSet(metadata: ObjectMetadata(name: ""))
        guard try enterObject() else { return set }
        while let key = try nextKey() {
            switch key {
            case "metadata": set.metadata = try metadata(of: kind)
            case "spec": (set.nets, set.domains) = try networkSetSpec()
            default: try skip(key, of: .object)
            }
        }
        return set
    }

    private mutating func networkSetSpec() throws(JSONError) -> (nets: [IPPrefix], domains: [String]) {
        var nets: [IPPrefix] = []
        var domains: [String] = []
        guard try enterObject() else { return (nets, domains) }
        while let key = try nextKey() {
            switch key {
            case "nets": nets = try prefixes().prefixes
            case "allowedEgressDomains": domains = try strings()
            default: try skip(key, of: .networkSet)
            }
        }
        return (nets, domains)
    }

    /// A HostEndpoint.
    mutating func hostEndpoint() throws(JSONError) -> HostEndpoint {
        var metadata = ObjectMetadata(name: "")
        var endpoint = HostEndpoint(metadata: metadata, node: "")
        guard try enterObject() else { return endpoint }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: .hostEndpoint)
            case "spec": endpoint = try hostEndpointSpec()
            default: try skip(key, of: .object)
            }
        }
        endpoint.metadata = metadata
        return endpoint
    }

    private mutating func hostEndpointSpec() throws(JSONError) -> HostEndpoint {
        var endpoint = HostEndpoint(metadata: ObjectMetadata(name: ""), node: "")
        guard try enterObject() else { return endpoint }
        while let key = try nextKey() {
            switch key {
            case "node": endpoint.node = try string() ?? ""
            case "interfaceName": endpoint.interfaceName = try nonEmptyString()
            case "expectedIPs": endpoint.addresses = try addresses()
            case "profiles": endpoint.profiles = try strings()
            case "ports": endpoint.namedPorts = try namedPorts(number: "port", of: .endpointPort)
            default: try skip(key, of: .hostEndpoint)
            }
        }
        return endpoint
    }

    /// Reads the fields of a FelixConfiguration that Weir uses.
    mutating func felixConfiguration() throws(JSONError) -> FelixConfiguration {
        var configuration = FelixConfiguration(metadata: ObjectMetadata(name: ""))
        guard try enterObject() else { return configuration }
        while let key = try nextKey() {
            switch key {
            case "metadata": configuration.metadata = try metadata(of: .felixConfiguration)
            case "spec": (configuration.failsafeInbound, configuration.failsafeOutbound) = try failsafePorts()
            default: try skip(key, of: .object)
            }
        }
        return configuration
    }

    private mutating func failsafePorts() throws(JSONError) -> (
        inbound: [FelixConfiguration.FailsafePort]?, outbound: [FelixConfiguration.FailsafePort]?
    ) {
        var ports: (inbound: [FelixConfiguration.FailsafePort]?, outbound: [FelixConfiguration.FailsafePort]?)
        guard try enterObject() else { return ports }
        while let key = try nextKey() {
            switch key {
            case "failsafeInboundHostPorts": ports.inbound = try failsafePortList()
            case "failsafeOutboundHostPorts": ports.outbound = try failsafePortList()
            default: try skip()
            }
        }
        return ports
    }

    /// Reads failsafe ports; nil for null.
    ///
    /// Invalid ports are noted and left out.
    private mutating func failsafePortList() throws(JSONError) -> [FelixConfiguration.FailsafePort]? {
        guard try enterArray() else { return nil }
        var ports: [FelixConfiguration.FailsafePort] = []
        while try nextElement() {
            if let port = try failsafePort() { ports.append(port) }
        }
        return ports
    }

    private mutating func failsafePort() throws(JSONError) -> FelixConfiguration.FailsafePort? {
        let start = offset
        var proto = ProtocolMatch.number(.tcp)
        var port: UInt16?
        var range: (net: IPPrefix?, isReadable: Bool) = (nil, true)
        guard try enterObject() else { return nil }
        while let key = try nextKey() {
            switch key {
            case "protocol": proto = try self.proto() ?? proto
            case "port": port = try self.port()
            case "net": range = try optionalPrefix()
            default: try skip(key, of: .failsafePort)
            }
        }
        guard case .number(let number) = proto, number.hasPorts, let port, range.isReadable else {
            note("this failsafe port is passed over: it needs a protocol (TCP, UDP or SCTP) and a port", at: start)
            return nil
        }
        return FelixConfiguration.FailsafePort(proto: number, port: port, net: range.net)
    }

    /// A Tier.
    mutating func tier() throws(JSONError) -> Tier {
        var metadata = ObjectMetadata(name: "")
        var tier = Tier(metadata: metadata)
        guard try enterObject() else { return tier }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: .tier)
            case "spec": tier = try tierSpec()
            default: try skip(key, of: .object)
            }
        }
        tier.metadata = metadata
        return tier
    }

    private mutating func tierSpec() throws(JSONError) -> Tier {
        var tier = Tier(metadata: ObjectMetadata(name: ""))
        isStrict = true
        defer { isStrict = false }
        guard try enterObject() else { return tier }
        while let key = try nextKey() {
            switch key {
            case "order": tier.order = try double()
            case "defaultAction": tier.defaultAction = try word(Tier.DefaultAction.self) ?? .deny
            default: try skip(key, of: .tier)
            }
        }
        return tier
    }

    /// Reads a case of an enumeration; nil for null and the empty string; throws for any other text.
    mutating func word<Word: ListedWord>(_ type: Word.Type) throws(JSONError) -> Word? {
        let start = offset
        guard let text = try nonEmptyString() else { return nil }
        guard let word = Word(rawValue: text) else { throw .unusable(Word.expectation, at: start) }
        return word
    }
}

/// An enumeration of words, with the text that lists them in messages.
protocol ListedWord: RawRepresentable<String> {
    /// A text such as `expected Deny or Pass`.
    static var expectation: StaticString { get }
}

extension Tier.DefaultAction: ListedWord {
    static var expectation: StaticString { "expected Deny or Pass" }
}

extension StagedAction: ListedWord {
    static var expectation: StaticString { "expected Set, Delete, Learn or Ignore" }
}

extension AdminPolicy.Tier: ListedWord {
    static var expectation: StaticString { "expected Admin or Baseline" }
}

extension LabelSelector.Operator: ListedWord {
    static var expectation: StaticString { "expected In, NotIn, Exists or DoesNotExist" }
}
