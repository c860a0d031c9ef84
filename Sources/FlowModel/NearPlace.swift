/// The place to which the address of a flow's near end belongs, as far as this host's kernel shows.
///
/// A sender can use any source address. If the kernel has a list of the addresses behind an interface, a source address that is
/// not in the list belongs to no endpoint there.
public enum NearPlace: Sendable, Hashable {
    /// The kernel has no information about the address.
    case unknown
    /// The address belongs behind the interface.
    case behind
    /// The address belongs to this host itself or behind another interface; `owner` is an address that belongs behind this one.
    case elsewhere(owner: IPAddress?)
    /// The address is not among the known addresses behind the interface; `owner` is one of these.
    case notBehind(owner: IPAddress?)
}
