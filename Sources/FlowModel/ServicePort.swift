/// A port of a service that a flow called (`dest_service_namespace`, `…_name`, `…_port`, `…_port_num`).
///
/// Immutable and shared, like ``Endpoint``.
public final class ServicePort: Sendable {
    /// A number that no other service port of this process has or had.
    public let id: UInt64
    /// The namespace of the service; `*` if several services match.
    public let namespace: String
    /// The name of the service; `*` if several services match.
    public let name: String
    /// The name of the port; nil if it has none, `*` if several match.
    public let portName: String?
    /// The number of the port before destination NAT: the service port, or the node port that was called.
    public let port: UInt16

    /// Creates a service port with a new number.
    public init(namespace: String, name: String, portName: String?, port: UInt16) {
        id = UniqueNumber.next()
        self.namespace = namespace
        self.name = name
        self.portName = portName
        self.port = port
    }
}
