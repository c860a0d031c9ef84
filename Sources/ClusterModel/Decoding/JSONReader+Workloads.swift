import FlowModel

extension JSONReader {
    /// Reads only the metadata of an object.
    mutating func metadataOnly(of kind: ObjectKind) throws(JSONError) -> ObjectMetadata {
        var metadata = ObjectMetadata(name: "")
        guard try enterObject() else { return metadata }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: kind)
            default: try skip()
            }
        }
        return metadata
    }

    // MARK: - Pods

    /// A Pod.
    mutating func pod() throws(JSONError) -> Pod {
        var metadata = ObjectMetadata(name: "")
        var spec = PodSpec()
        var status = PodStatus()
        var annotations = PodAnnotations()
        guard try enterObject() else { return Pod(metadata: metadata) }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: .pod, &annotations)
            case "spec": spec = try podSpec()
            case "status": status = try podStatus()
            default: try skip()
            }
        }
        let addresses = APIDefaults.values(one: status.address, all: status.addresses)
        // Calico marks a finished pod in this way before its containers end.
        let isFinished = metadata.isDeleting && annotations.hasReleasedNetwork
        // A static pod has no service account.
        let missingAccount = annotations.isMirror ? nil : APIDefaults.serviceAccount
        return Pod(
            metadata: metadata,
            addresses: addresses.isEmpty ? annotations.addresses : addresses,
            node: spec.node,
            usesHostNetwork: spec.usesHostNetwork,
            phase: isFinished ? .ended : status.phase,
            serviceAccount: spec.serviceAccount ?? spec.oldServiceAccount ?? missingAccount,
            namedPorts: spec.namedPorts + spec.initPorts,
            started: status.started,
            hasReleasedNetwork: annotations.hasReleasedNetwork,
            containers: status.containers
        )
    }

    private mutating func podSpec() throws(JSONError) -> PodSpec {
        var spec = PodSpec()
        guard try enterObject() else { return spec }
        while let key = try nextKey() {
            switch key {
            case "nodeName": spec.node = try nonEmptyString()
            case "hostNetwork": spec.usesHostNetwork = try bool() ?? false
            case "serviceAccountName": spec.serviceAccount = try nonEmptyString()
            case "serviceAccount": spec.oldServiceAccount = try nonEmptyString()
            case "containers": spec.namedPorts = try containerPorts(onlyRestarting: false)
            case "initContainers": spec.initPorts = try containerPorts(onlyRestarting: true)
            default: try skip()
            }
        }
        return spec
    }

    private mutating func podStatus() throws(JSONError) -> PodStatus {
        var status = PodStatus()
        guard try enterObject() else { return status }
        while let key = try nextKey() {
            switch key {
            case "phase": status.phase = try phase()
            case "startTime": status.started = try time()
            case "podIP": status.address = try address()
            case "podIPs": status.addresses = try addressesOfMembers()
            case "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses":
                try containers(into: &status.containers)
            default: try skip()
            }
        }
        return status
    }

    /// Reads an array of container statuses, and adds the started containers.
    private mutating func containers(into containers: inout [PodContainer]) throws(JSONError) {
        guard try enterArray() else { return }
        while try nextElement() {
            guard try enterObject() else { continue }
            var (name, identifier): (String?, String?)
            while let key = try nextKey() {
                switch key {
                case "name": name = try nonEmptyString()
                case "containerID": identifier = try nonEmptyString()
                default: try skip()
                }
            }
            // containerd://…, cri-o://…, docker://…
            guard let name, let last = identifier?.split(separator: "/").last else { continue }
            containers.append(PodContainer(identifier: String(last), name: name))
        }
    }

    private mutating func phase() throws(JSONError) -> Pod.Phase {
        guard let text = try text() else { return .live }
        switch text {
        case "Succeeded", "Failed": return .ended
        default: return .live
        }
    }

    /// Reads the named ports of an array of containers; of init containers only those that restart (sidecars).
    private mutating func containerPorts(onlyRestarting: Bool) throws(JSONError) -> [NamedPort] {
        var result: [NamedPort] = []
        guard try enterArray() else { return result }
        while try nextElement() {
            guard try enterObject() else { continue }
            var ports: [NamedPort] = []
            var isRestarting = false
            while let key = try nextKey() {
                switch key {
                case "ports": ports = try namedPorts(number: "containerPort")
                case "restartPolicy": isRestarting = try isAlways()
                default: try skip()
                }
            }
            guard isRestarting || !onlyRestarting else { continue }
            for port in ports where port.name != nil { result.append(port) }
        }
        return result
    }

    private mutating func isAlways() throws(JSONError) -> Bool {
        guard let text = try text() else { return false }
        switch text {
        case "Always": return true
        default: return false
        }
    }

    // MARK: - Nodes

    /// A Node.
    mutating func node() throws(JSONError) -> Node {
        var node = Node(metadata: ObjectMetadata(name: ""))
        guard try enterObject() else { return node }
        while let key = try nextKey() {
            switch key {
            case "metadata": node.metadata = try metadata(of: .node)
            case "spec": node.podRanges = try podRanges()
            case "status": node.addresses = try nodeStatus()
            default: try skip()
            }
        }
        return node
    }

    private mutating func podRanges() throws(JSONError) -> [IPPrefix] {
        var one: IPPrefix?
        var all: [IPPrefix] = []
        guard try enterObject() else { return all }
        while let key = try nextKey() {
            switch key {
            case "podCIDR": one = try prefix()
            case "podCIDRs": all = try prefixes().prefixes
            default: try skip()
            }
        }
        return APIDefaults.values(one: one, all: all)
    }

    private mutating func nodeStatus() throws(JSONError) -> [IPAddress] {
        var result: [IPAddress] = []
        guard try enterObject() else { return result }
        while let key = try nextKey() {
            switch key {
            case "addresses": result = try nodeAddresses()
            default: try skip()
            }
        }
        return result
    }

    /// Reads the addresses in `status.addresses`; host names, as of type `Hostname`, are ignored without a note.
    private mutating func nodeAddresses() throws(JSONError) -> [IPAddress] {
        var result: [IPAddress] = []
        guard try enterArray() else { return result }
        while try nextElement() {
            guard try enterObject() else { continue }
            var found: IPAddress?
            while let key = try nextKey() {
                switch key {
                case "address":
                    let count = notes.count
                    found = try address()
                    dropNotes(after: count)
                default: try skip()
                }
            }
            if let found, !result.contains(found) { result.append(found) }
        }
        return result
    }
}

/// The fields of a pod's `spec` that are used.
private struct PodSpec {
    var node: String?
    var usesHostNetwork = false
    var serviceAccount: String?
    /// The deprecated name of `serviceAccountName`; servers write both.
    var oldServiceAccount: String?
    var namedPorts: [NamedPort] = []
    var initPorts: [NamedPort] = []
}

/// The fields of a pod's `status` that are used.
private struct PodStatus {
    var phase = Pod.Phase.live
    var address: IPAddress?
    var addresses: [IPAddress] = []
    var started: Int64?
    var containers: [PodContainer] = []
}
