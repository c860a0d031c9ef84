import FlowModel

/// The defaults of API servers for members that an object omits.
///
/// Objects from an API server already have these values; objects from files get them here. Sources: the defaulting,
/// conversion and admission code of Kubernetes (`pkg/apis/*/v1/defaults.go` and `conversion.go`, the ServiceAccount
/// admission plugin), and `defaultPolicyTypesField` of Calico's clientv3.
enum APIDefaults {
    /// The namespace of a namespaced object without one.
    static let namespace = "default"
    /// The service account of a pod (`spec.serviceAccountName`).
    static let serviceAccount = "default"
    /// The protocol of a port of a container, Service, EndpointSlice, Endpoints, NetworkPolicy or AdminNetworkPolicy.
    static let proto = IPProtocol.tcp
    /// The tier of a Calico policy (`spec.tier`).
    static let tier = "default"
    /// The label that contains the name of a Namespace; API servers overwrite any other value.
    static let namespaceNameLabel = "kubernetes.io/metadata.name"

    /// The labels of a Namespace including its name label, sorted by key.
    static func labels(_ labels: [Label], ofNamespace name: String) -> [Label] {
        let added = Label(key: namespaceNameLabel, value: name)
        var labels = labels
        let place = labels.firstIndex { $0.key >= added.key } ?? labels.endIndex
        if place < labels.endIndex, labels[place].key == added.key {
            labels[place] = added
        } else {
            labels.insert(added, at: place)
        }
        return labels
    }

    /// The values of a member with a singular and a plural form (`podIP` and `podIPs`, `podCIDR` and `podCIDRs`).
    ///
    /// The singular value replaces the plural values if it differs from their first one.
    static func values<Value: Equatable>(one: Value?, all: [Value]) -> [Value] {
        guard let one, all.first != one else { return all }
        return [one]
    }

    /// The directions of a Kubernetes NetworkPolicy without `policyTypes`.
    static func directions(of policy: NetworkPolicySpec) -> PolicyDirections {
        policy.egress.isEmpty ? .ingress : [.ingress, .egress]
    }

    /// The directions of a Calico policy without `types`.
    static func directions(of policy: CalicoPolicy) -> PolicyDirections {
        guard !policy.egress.isEmpty else { return .ingress }
        return policy.ingress.isEmpty ? .egress : [.ingress, .egress]
    }

    /// Sets the protocol of the ports of a Kubernetes NetworkPolicy that have none.
    static func setProtocols(_ rules: inout [NetworkPolicyRule]) {
        for rule in rules.indices {
            rules[rule].ports = rules[rule].ports?.map { port in
                let isNamed = port.proto != nil || port.port == .unreadable
                return isNamed ? port : PolicyPort(proto: proto, port: port.port)
            }
        }
    }
}
