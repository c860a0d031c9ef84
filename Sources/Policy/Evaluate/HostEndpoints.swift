import ClusterModel
import FlowModel

/// A host endpoint, and the interfaces that it is of.
struct InterfaceEndpoint: Sendable {
    /// The name of the object.
    var name: String
    /// The node.
    var node: String
    /// The interface; nil where only addresses say which, `*` for all.
    var interfaceName: String?
    /// Its addresses, one of which the interface has.
    var addresses: [IPAddress]
    /// The identity that selectors are matched against.
    var identity: EndpointIdentity

    /// Returns how well it fits an interface, the best first; nil if it is not of the interface.
    private func rank(_ interface: HostInterface) -> Int? {
        guard node == interface.node else { return nil }
        switch interfaceName {
        case interface.name?: return 0
        case "*"?: return 2
        case nil, ""?: return addresses.contains(where: interface.addresses.contains) ? 1 : nil
        default: return nil
        }
    }

    /// The host endpoint of an interface: by its name, else by an address, else the one of all interfaces.
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
