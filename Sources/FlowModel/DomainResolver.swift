/// A client that looks names up: all addresses behind one interface are one client.
public enum DomainClient: Hashable, Sendable {
    /// This host.
    case host
    /// The workload behind the interface with this index.
    case workload(interface: UInt32)
}

/// Finds the domain names that a client has looked up for an address.
///
/// Not thread-safe: answers and the state behind them change on one thread.
public protocol DomainResolver: AnyObject {
    /// Whether no names are known at all.
    var isEmpty: Bool { get }

    /// Returns the names that a client has looked up and that had the address as answer; in no order.
    ///
    /// They are kept at least until the next interval has ended, because a flow of this one uses them.
    func domains(of address: IPAddress, for client: DomainClient) -> [String]
}
