/// A client of DNS: all addresses behind one interface are one client.
public enum DomainClient: Hashable, Sendable {
    /// This host.
    case host
    /// The workload behind the interface with this index.
    case workload(interface: UInt32)
}

/// Finds the domain names that a client has looked up for an address.
///
/// Not thread-safe: the results, and the state behind them, change on one thread.
public protocol DomainResolver: AnyObject {
    /// Whether no names are known.
    var isEmpty: Bool { get }

    /// Returns the names that a client has looked up and whose responses contained the address; in no order.
    ///
    /// Names are kept at least until the next interval has ended, because flows of this interval use them.
    func domains(of address: IPAddress, for client: DomainClient) -> [String]
}
