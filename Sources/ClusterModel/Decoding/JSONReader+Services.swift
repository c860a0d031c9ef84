import FlowModel

extension JSONReader {
    // MARK: - Services

    /// A Service.
    mutating func service() throws(JSONError) -> Service {
        var metadata = ObjectMetadata(name: "")
        var spec = ServiceSpec()
        var balancers: [IPAddress] = []
        guard try enterObject() else { return Service(metadata: metadata) }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: .service)
            case "spec": spec = try serviceSpec()
            case "status": balancers = try serviceStatus()
            default: try skip()
            }
        }
        return Service(metadata: metadata, addresses: spec.addresses(balancers: balancers), ports: spec.ports)
    }

    private mutating func serviceSpec() throws(JSONError) -> ServiceSpec {
        var spec = ServiceSpec()
        guard try enterObject() else { return spec }
        while let key = try nextKey() {
            switch key {
            case "type": spec.type = try serviceType()
            case "clusterIP": spec.clusterAddress = try address(except: "None")
            case "clusterIPs": spec.clusterAddresses = try clusterAddresses()
            case "externalIPs": spec.externalAddresses = try addresses()
            case "loadBalancerIP": spec.balancerAddress = try address()
            case "ports": spec.ports = try servicePorts()
            default: try skip()
            }
        }
        return spec
    }

    private mutating func serviceType() throws(JSONError) -> ServiceSpec.Kind {
        guard let text = try text() else { return .other }
        switch text {
        case "LoadBalancer": return .loadBalancer
        case "ExternalName": return .externalName
        default: return .other
        }
    }

    /// The cluster addresses; `None` stands for a service without one.
    private mutating func clusterAddresses() throws(JSONError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        guard try enterArray() else { return addresses }
        while try nextElement() {
            if let address = try address(except: "None") { addresses.append(address) }
        }
        return addresses
    }

    private mutating func servicePorts() throws(JSONError) -> [Service.Port] {
        var ports: [Service.Port] = []
        guard try enterArray() else { return ports }
        while try nextElement() {
            if let port = try servicePort() { ports.append(port) }
        }
        return ports
    }

    private mutating func servicePort() throws(JSONError) -> Service.Port? {
        guard try enterObject() else { return nil }
        var name: String?
        var number: UInt16?
        var nodePort: UInt16?
        var proto: ProtocolMatch?
        while let key = try nextKey() {
            switch key {
            case "name": name = try nonEmptyString()
            case "port": number = try port()
            case "nodePort": nodePort = try port(orZero: true)
            case "protocol": proto = try self.proto()
            default: try skip()
            }
        }
        guard let number, proto != .unreadable else { return nil }
        guard case .number(let proto)? = proto else {
            return Service.Port(name: name, port: number, nodePort: nodePort, proto: APIDefaults.proto)
        }
        return Service.Port(name: name, port: number, nodePort: nodePort, proto: proto)
    }

    private mutating func serviceStatus() throws(JSONError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        guard try enterObject() else { return addresses }
        while let key = try nextKey() {
            switch key {
            case "loadBalancer": addresses = try balancerStatus()
            default: try skip()
            }
        }
        return addresses
    }

    private mutating func balancerStatus() throws(JSONError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        guard try enterObject() else { return addresses }
        while let key = try nextKey() {
            switch key {
            case "ingress": addresses = try addressesOfMembers()
            default: try skip()
            }
        }
        return addresses
    }

    // MARK: - Endpoints

    /// An EndpointSlice.
    mutating func endpointSlice() throws(JSONError) -> ServiceEndpoints {
        var metadata = ObjectMetadata(name: "")
        var addresses: [IPAddress] = []
        var ports: [NamedPort] = []
        var hasNames = false
        var addressNotes = 0..<0
        guard try enterObject() else {
            return ServiceEndpoints(kind: .endpointSlice, metadata: metadata, service: nil)
        }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: .endpointSlice)
            case "addressType": hasNames = try isFullNames()
            case "ports": ports = try namedPorts(number: "port")
            case "endpoints":
                let count = notes.count
                addresses = try endpointAddresses()
                addressNotes = count..<notes.count
            default: try skip()
            }
        }
        if hasNames { dropNotes(in: addressNotes) }
        return ServiceEndpoints(
            kind: .endpointSlice,
            metadata: metadata,
            service: metadata.labels.first { $0.key == "kubernetes.io/service-name" && !$0.value.isEmpty }?.value,
            groups: addresses.isEmpty ? [] : [ServiceEndpoints.Group(addresses: addresses, ports: ports)]
        )
    }

    /// Whether the slice's addresses are names (`addressType: FQDN`).
    private mutating func isFullNames() throws(JSONError) -> Bool {
        guard let text = try text() else { return false }
        switch text {
        case "FQDN": return true
        default: return false
        }
    }

    private mutating func endpointAddresses() throws(JSONError) -> [IPAddress] {
        var result: [IPAddress] = []
        guard try enterArray() else { return result }
        while try nextElement() {
            guard try enterObject() else { continue }
            while let key = try nextKey() {
                switch key {
                case "addresses": result += try addresses()
                default: try skip()
                }
            }
        }
        return result
    }

    /// An Endpoints object.
    mutating func endpoints() throws(JSONError) -> ServiceEndpoints {
        var metadata = ObjectMetadata(name: "")
        var groups: [ServiceEndpoints.Group] = []
        guard try enterObject() else { return ServiceEndpoints(kind: .endpoints, metadata: metadata, service: nil) }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: .endpoints)
            case "subsets": groups = try subsets()
            default: try skip()
            }
        }
        return ServiceEndpoints(kind: .endpoints, metadata: metadata, service: metadata.name, groups: groups)
    }

    private mutating func subsets() throws(JSONError) -> [ServiceEndpoints.Group] {
        var groups: [ServiceEndpoints.Group] = []
        guard try enterArray() else { return groups }
        while try nextElement() {
            guard try enterObject() else { continue }
            var ready: [IPAddress] = []
            var notReady: [IPAddress] = []
            var ports: [NamedPort] = []
            while let key = try nextKey() {
                switch key {
                case "addresses": ready = try addressesOfMembers()
                case "notReadyAddresses": notReady = try addressesOfMembers()
                case "ports": ports = try namedPorts(number: "port")
                default: try skip()
                }
            }
            let all = ready + notReady
            if !all.isEmpty { groups.append(ServiceEndpoints.Group(addresses: all, ports: ports)) }
        }
        return groups
    }
}

/// What is used of a service's `spec`.
private struct ServiceSpec {
    /// The types that make a difference.
    enum Kind {
        case loadBalancer
        case externalName
        case other
    }

    var type = Kind.other
    var clusterAddress: IPAddress?
    var clusterAddresses: [IPAddress] = []
    var externalAddresses: [IPAddress] = []
    var balancerAddress: IPAddress?
    var ports: [Service.Port] = []

    /// All addresses that the service is called at, each once.
    func addresses(balancers: [IPAddress]) -> [IPAddress] {
        guard type != .externalName else { return [] }
        var result = clusterAddresses
        if result.isEmpty, let clusterAddress { result.append(clusterAddress) }
        // What a service asked for when it still was a load balancer may be another's by now.
        let asked = type == .loadBalancer ? balancerAddress.map { [$0] } ?? [] : []
        for address in externalAddresses + balancers + asked where !result.contains(address) {
            result.append(address)
        }
        return result
    }
}
