import ClusterModel
import FlowModel

/// A host endpoint with the properties that select its interfaces.
struct InterfaceEndpoint: Sendable {
    /// The name of the object.
    var name: String
    /// The node.
    var node: String
    /// The interface; `*` for all; nil if the addresses select it.
    var interfaceName: String?
    /// The expected addresses (`expectedIPs`); they select the interface that has one of them.
    var addresses: [IPAddress]
    /// The identity that selectors are matched against.
    var identity: EndpointIdentity

    /// Returns the rank of the match with an interface, the lowest first; nil if the endpoint does not match.
    fileprivate func rank(_ interface: HostInterface) -> Int? {
        switch interfaceName {
        case interface.name?: return 0
        case "*"?: return 2
        case nil, ""?: return addresses.contains(where: interface.addresses.contains) ? 1 : nil
        default: return nil
        }
    }

}

/// All host endpoints, by node.
struct HostEndpoints: Sendable {
    private let byNode: [String: [InterfaceEndpoint]]

    init(_ endpoints: [InterfaceEndpoint]) {
        byNode = Dictionary(grouping: endpoints, by: \.node).mapValues { $0.sorted { $0.name < $1.name } }
    }

    /// Whether there is no host endpoint.
    var isEmpty: Bool { byNode.isEmpty }

    /// The host endpoints of a node, in the order of their names.
    func of(_ node: String) -> [InterfaceEndpoint] { byNode[node] ?? [] }

    /// The host endpoint of an interface: selected by name, else by an address, else one for all interfaces.
    func find(_ interface: HostInterface) -> InterfaceEndpoint? {
        var best: (rank: Int, endpoint: InterfaceEndpoint)?
        for endpoint in of(interface.node) {
            guard let rank = endpoint.rank(interface), best.map({ rank < $0.rank }) ?? true else { continue }
            best = (rank, endpoint)
        }
        return best?.endpoint
    }
}
