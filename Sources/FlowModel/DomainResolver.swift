/// A client that looks names up: all addresses behind one interface are one client.
public enum DomainClient: Hashable, Sendable {
    /// This host.
    case host
    /// The workload behind the interface with this index.
    case workload(interface: UInt32)
}

/// Finds the domain names that a client has looked up for an address.
///
/// Not thread-safe: answers and what they are made from change on one thread.
public protocol DomainResolver: AnyObject {
    /// Whether no names are known at all.
    var isEmpty: Bool { get }

    /// The names that a client asked for and got the address of; in no order.
    ///
    /// They are kept at least until the next interval has ended, because a flow of this one uses them.
    func domains(of address: IPAddress, for client: DomainClient) -> [String]
}
