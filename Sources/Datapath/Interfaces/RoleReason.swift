public import FlowModel

/// The reason why an interface has its role.
public enum RoleReason: Sendable, Hashable {
    /// The default.
    case standard
    /// The name matches a pattern of the selection.
    case pattern(String)
    /// The node's end of a pair, named as a network plugin names those of pods.
    case plugin(String)
    /// The node's end of a pair, and a host route leads through it to a workload of this host.
    case route(to: IPAddress)
    /// The node's end of a pair, and a workload of this host has its address in the namespace of the other end.
    case configured(IPAddress)
    /// The node's end of a pair, and a workload of this host has sent through it.
    case sender(IPAddress)
}

extension RoleReason: CustomStringConvertible {
    /// A few words for the operator.
    public var description: String {
        switch self {
        case .standard: "default"
        case .pattern(let pattern): "matches \(pattern)"
        case .plugin(let name): "named by \(name)"
        case .route(let address): "route to \(address)"
        case .configured(let address): "\(address) is configured behind it"
        case .sender(let address): "\(address) sends through it"
        }
    }
}

/// The role of a watched interface, with its reason.
struct RoleAssignment: Hashable {
    var role: InterfaceRole
    var reason: RoleReason
    /// Whether it could still turn out to be a workload's.
    var isOpen = false
}
