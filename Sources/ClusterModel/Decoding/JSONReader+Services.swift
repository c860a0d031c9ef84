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
        return Service(
            metadata: metadata,
            addresses: spec.addresses(balancers: balancers),
            ports: spec.ports,
            externalName: spec.type == .externalName ? spec.externalName ?? "" : nil,
            hasSelector: spec.hasSelector
        )
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
            case "externalName": spec.externalName = try nonEmptyString()
            case "selector": spec.hasSelector = try hasMembers()
            default: try skip()
            }
        }
        return spec
    }

    /// Reads a value; whether it is an object with members.
    private mutating func hasMembers() throws(JSONError) -> Bool {
        var hasMembers = false
        guard try enterObject() else { return false }
        while try nextKey() != nil {
            hasMembers = true
            try skip()
        }
        return hasMembers
    }

    private mutating func serviceType() throws(JSONError) -> ServiceSpec.Kind {
        guard let text = try text() else { return .other }
        switch text {
        case "LoadBalancer": return .loadBalancer
        case "ExternalName": return .externalName
        default: return .other
        }
    }

    /// Reads the cluster addresses; `None` marks a headless service.
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
        var endpoints = SliceEndpoints()
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
                endpoints = try sliceEndpoints()
                addressNotes = count..<notes.count
            default: try skip()
            }
        }
        if hasNames { dropNotes(in: addressNotes) }
        return ServiceEndpoints(
            kind: .endpointSlice,
            metadata: metadata,
            service: metadata.labels.first { $0.key == "kubernetes.io/service-name" && !$0.value.isEmpty }?.value,
            groups: endpoints.addresses.isEmpty
                ? []
                : [
                    ServiceEndpoints.Group(
                        addresses: endpoints.addresses,
                        ports: ports,
                        unready: endpoints.unready
                    )
                ]
        )
    }

    /// Reads `addressType`; whether the addresses are host names (`FQDN`).
    private mutating func isFullNames() throws(JSONError) -> Bool {
        guard let text = try text() else { return false }
        switch text {
        case "FQDN": return true
        default: return false
        }
    }

    private mutating func sliceEndpoints() throws(JSONError) -> SliceEndpoints {
        var result = SliceEndpoints()
        guard try enterArray() else { return result }
        while try nextElement() {
            guard try enterObject() else { continue }
            var addresses: [IPAddress] = []
            var readiness = ServiceEndpoints.Readiness.ready
            while let key = try nextKey() {
                switch key {
                case "addresses": addresses = try self.addresses()
                case "conditions": readiness = try self.readiness()
                default: try skip()
                }
            }
            result.add(addresses, readiness)
        }
        return result
    }

    /// Reads the conditions of an endpoint, with the API's defaults for absent ones.
    private mutating func readiness() throws(JSONError) -> ServiceEndpoints.Readiness {
        var ready: Bool?
        var serving: Bool?
        var terminating: Bool?
        guard try enterObject() else { return .ready }
        while let key = try nextKey() {
            switch key {
            case "ready": ready = try bool()
            case "serving": serving = try bool()
            case "terminating": terminating = try bool()
            default: try skip()
            }
        }
        if ready ?? true { return .ready }
        return serving ?? false && terminating ?? false ? .serving : .notReady
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
            var endpoints = SliceEndpoints()
            endpoints.add(ready, .ready)
            endpoints.add(notReady, .notReady)
            guard !endpoints.addresses.isEmpty else { continue }
            groups.append(
                ServiceEndpoints.Group(addresses: endpoints.addresses, ports: ports, unready: endpoints.unready)
            )
        }
        return groups
    }
}

/// The addresses of a slice with their readiness.
private struct SliceEndpoints {
    private(set) var addresses: [IPAddress] = []
    /// The indices of the addresses that are not ready, ascending.
    private var waiting: [(places: Range<Int>, readiness: ServiceEndpoints.Readiness)] = []

    /// Adds the addresses of an endpoint.
    mutating func add(_ added: [IPAddress], _ readiness: ServiceEndpoints.Readiness) {
        let start = addresses.count
        addresses += added
        if readiness != .ready { waiting.append((start..<addresses.count, readiness)) }
    }

    /// The addresses that are not ready; for an address of several endpoints, the best readiness counts.
    var unready: [IPAddress: ServiceEndpoints.Readiness] {
        var result: [IPAddress: ServiceEndpoints.Readiness] = [:]
        for (places, readiness) in waiting {
            for address in addresses[places] where readiness.rawValue < result[address]?.rawValue ?? .max {
                result[address] = readiness
            }
        }
        guard !result.isEmpty else { return result }
        var next = 0
        for places in waiting.map(\.places) + [addresses.count..<addresses.count] {
            for address in addresses[next..<places.lowerBound] { result[address] = nil }
            next = places.upperBound
        }
        return result
    }
}

/// The fields of a service's `spec` that are used.
private struct ServiceSpec {
    /// The service types that are distinguished.
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
    var externalName: String?
    var hasSelector = false

    /// The addresses where clients reach the service, without duplicates.
    func addresses(balancers: [IPAddress]) -> [IPAddress] {
        guard type != .externalName else { return [] }
        var result = clusterAddresses
        if result.isEmpty, let clusterAddress { result.append(clusterAddress) }
        // A service that is no longer a load balancer may still request an address that another one has.
        let asked = type == .loadBalancer ? balancerAddress.map { [$0] } ?? [] : []
        for address in externalAddresses + balancers + asked where !result.contains(address) {
            result.append(address)
        }
        return result
    }
}
