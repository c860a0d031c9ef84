import ClusterModel
import FlowModel

/// The used parts of an object, by name: from the decoder on one side, from Foundation's reading on the other.
typealias Facts = [String: [String]]

extension ClusterObject {
    /// The parts that the decoder found.
    var facts: Facts {
        var facts = Self.facts(of: metadata)
        facts["kind"] = [kind.rawValue]
        switch self {
        case .namespace, .serviceAccount, .tier, .calicoPolicy, .stagedKubernetesPolicy, .networkPolicy, .adminPolicy,
            .felixConfiguration:
            break
        case .pod(let pod):
            facts["addresses"] = pod.addresses.map(\.description)
            facts["node"] = pod.node.map { [$0] } ?? []
            facts["host"] = [pod.usesHostNetwork ? "true" : "false"]
            facts["ended"] = [pod.phase == .ended ? "true" : "false"]
            facts["account"] = pod.serviceAccount.map { [$0] } ?? []
            facts["ports"] = pod.namedPorts.map(Self.text).sorted()
        case .node(let node):
            facts["addresses"] = node.addresses.map(\.description)
            facts["ranges"] = node.podRanges.map(\.description)
        case .service(let service):
            facts["addresses"] = service.addresses.map(\.description)
            facts["ports"] = service.ports.map { "\($0.name ?? "-") \($0.port) \($0.nodePort ?? 0) \($0.proto.name)" }
        case .serviceEndpoints(let endpoints):
            facts["service"] = endpoints.service.map { [$0] } ?? []
            facts["groups"] = endpoints.groups.map { group in
                "\(group.addresses.map(\.description)) \(group.ports.map(Self.text))"
            }
        case .networkSet(let set):
            facts["nets"] = set.nets.map(\.description)
            facts["domains"] = set.domains
        case .hostEndpoint(let endpoint):
            facts["addresses"] = endpoint.addresses.map(\.description)
        }
        return facts
    }

    private static func facts(of metadata: ObjectMetadata) -> Facts {
        [
            "name": [metadata.name],
            "namespace": metadata.namespace.map { [$0] } ?? [],
            "uid": metadata.uid.map { [$0] } ?? [],
            "generateName": metadata.generateName.map { [$0] } ?? [],
            "version": metadata.resourceVersion.map { [$0] } ?? [],
            "labels": metadata.labels.map { "\($0.key)=\($0.value)" },
            "deleting": [metadata.isDeleting ? "true" : "false"],
        ]
    }

    private static func text(_ port: NamedPort) -> String {
        "\(port.name ?? "-") \(port.port) \(port.proto.name)"
    }
}

extension Reference {
    /// The same facts as Foundation reads them.
    static func facts(of object: [String: Any], kind: ObjectKind) -> Facts {
        let spec = object.object("spec")
        let status = object.object("status")
        var facts = metadataFacts(of: object)
        facts["kind"] = [kind.rawValue]
        switch kind {
        case .pod:
            let all = status.objects("podIPs").compactMap { $0.text("ip") }
            facts["addresses"] = (all.isEmpty ? [status.text("podIP")].compactMap(\.self) : all).map(address)
            facts["node"] = [spec.text("nodeName")].compactMap(\.self)
            facts["host"] = ["\(spec["hostNetwork"] as? Bool ?? false)"]
            facts["ended"] = ["\(["Succeeded", "Failed"].contains(status.text("phase")))"]
            facts["account"] = [spec.text("serviceAccountName")].compactMap(\.self)
            facts["ports"] = podPorts(of: spec).sorted()
        case .node:
            facts["addresses"] = status.objects("addresses").filter { $0.text("type") != "Hostname" }
                .compactMap { $0.text("address") }.map(address)
            facts["ranges"] = spec.strings("podCIDRs")
        case .service:
            let balancers = status.object("loadBalancer").objects("ingress").compactMap { $0.text("ip") }
            facts["addresses"] =
                (spec.strings("clusterIPs").filter { $0 != "None" } + spec.strings("externalIPs")
                + balancers).map(address)
            facts["ports"] = spec.objects("ports").map { port in
                let node = port["nodePort"] as? Int ?? 0
                return "\(port.text("name") ?? "-") \(port["port"] as? Int ?? -1) \(node) \(proto(of: port))"
            }
        case .endpointSlice:
            facts["service"] = [(object.object("metadata").object("labels"))["kubernetes.io/service-name"] as? String]
                .compactMap(\.self)
            let addresses = object.objects("endpoints").flatMap { $0.strings("addresses") }
            facts["groups"] = groups([(addresses, object.objects("ports"))])
        case .endpoints:
            facts["service"] = facts["name"]
            facts["groups"] = groups(
                object.objects("subsets").map { subset in
                    let all = subset.objects("addresses") + subset.objects("notReadyAddresses")
                    return (all.compactMap { $0.text("ip") }, subset.objects("ports"))
                }
            )
        case .networkSet, .globalNetworkSet:
            facts["nets"] = spec.strings("nets")
            facts["domains"] = spec.strings("allowedEgressDomains")
        default:
            break
        }
        return facts
    }

    private static func metadataFacts(of object: [String: Any]) -> Facts {
        let metadata = object.object("metadata")
        let labels = metadata["labels"] as? [String: String] ?? [:]
        return [
            "name": [metadata.text("name") ?? ""],
            "namespace": [metadata.text("namespace")].compactMap(\.self),
            "uid": [metadata.text("uid")].compactMap(\.self),
            "generateName": [metadata.text("generateName")].compactMap(\.self),
            "version": [metadata.text("resourceVersion")].compactMap(\.self),
            "labels": labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" },
            "deleting": ["\(metadata["deletionTimestamp"] != nil)"],
        ]
    }

    private static func podPorts(of spec: [String: Any]) -> [String] {
        let beside = spec.objects("initContainers").filter { $0.text("restartPolicy") == "Always" }
        return (spec.objects("containers") + beside).flatMap { $0.objects("ports") }
            .filter { $0.text("name") != nil }
            .map { "\($0.text("name") ?? "") \($0["containerPort"] as? Int ?? -1) \(proto(of: $0))" }
    }

    private static func groups(_ groups: [(addresses: [String], ports: [[String: Any]])]) -> [String] {
        groups.filter { !$0.addresses.isEmpty }.map { group in
            let ports = group.ports.map { "\($0.text("name") ?? "-") \($0["port"] as? Int ?? -1) \(proto(of: $0))" }
            return "\(group.addresses.map(address)) \(ports)"
        }
    }

    private static func proto(of port: [String: Any]) -> String { (port.text("protocol") ?? "TCP").lowercased() }

    /// An address in its canonical form.
    private static func address(_ text: String) -> String { IPAddress(text)?.description ?? "not an address: \(text)" }
}
