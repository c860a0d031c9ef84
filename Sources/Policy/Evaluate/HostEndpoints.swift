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
    /// The addresses, one of which the interface must have.
    var addresses: [IPAddress]
    /// The identity that selectors are matched against.
    var identity: EndpointIdentity

    /// Returns the rank of the match with an interface, the lowest first; nil if the endpoint does not match.
    private func rank(_ interface: HostInterface) -> Int? {
        guard node == interface.node else { return nil }
        switch interfaceName {
        case interface.name?: return 0
        case "*"?: return 2
        case nil, ""?: return addresses.contains(where: interface.addresses.contains) ? 1 : nil
        default: return nil
        }
    }

    /// The host endpoint of an interface: selected by name, else by an address, else one for all interfaces.
    static func find(_ interface: HostInterface, among endpoints: [InterfaceEndpoint]) -> InterfaceEndpoint? {
        var best: (rank: Int, endpoint: InterfaceEndpoint)?
        for endpoint in endpoints {
            guard let rank = endpoint.rank(interface) else { continue }
            if let best, (best.rank, best.endpoint.name) <= (rank, endpoint.name) { continue }
            best = (rank, endpoint)
        }
        return best?.endpoint
    }
}
