import FlowModel

/// The values that API servers give to members that an object leaves out.
///
/// What an API server sends has them already, and is not changed by them; objects in files get them here. Sources: the
/// defaulting, conversion and admission code of Kubernetes (`pkg/apis/*/v1/defaults.go` and `conversion.go`, the
/// ServiceAccount admission plugin), and `defaultPolicyTypesField` of Calico's clientv3.
enum APIDefaults {
    /// The namespace of an object that should be in one and names none.
    static let namespace = "default"
    /// The service account of a pod (`spec.serviceAccountName`).
    static let serviceAccount = "default"
    /// The protocol of a port of a container, Service, EndpointSlice, Endpoints, NetworkPolicy or AdminNetworkPolicy.
    static let proto = IPProtocol.tcp
    /// The tier of a Calico policy (`spec.tier`).
    static let tier = "default"
    /// The label that every Namespace has, with its name; API servers overwrite any other value.
    static let namespaceNameLabel = "kubernetes.io/metadata.name"

    /// The labels of a Namespace, ascending by key.
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

    /// The values of a member that has a singular and a plural form (`podIP` and `podIPs`, `podCIDR` and `podCIDRs`): the
    /// singular one says which is the first, and stands alone where both differ.
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

    /// Gives a protocol to the ports of a Kubernetes NetworkPolicy that name none.
    static func setProtocols(_ rules: inout [NetworkPolicyRule]) {
        for rule in rules.indices {
            rules[rule].ports = rules[rule].ports?.map { port in
                let isNamed = port.proto != nil || port.port == .unreadable
                return isNamed ? port : PolicyPort(proto: proto, port: port.port)
            }
        }
    }
}
