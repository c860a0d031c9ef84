/// Where the address of a flow's near end belongs, as far as the kernel of this host shows.
///
/// Who sends packets may write any source address into them. On an interface behind which the kernel knows the addresses,
/// one that is not among them names nobody there.
public enum NearPlace: Sendable, Hashable {
    /// The kernel shows nothing of it.
    case unknown
    /// It belongs behind the interface.
    case behind
    /// It belongs to this host itself or behind another interface; `owner` is an address that belongs behind this one.
    case elsewhere(owner: IPAddress?)
    /// It is not among the addresses that are known behind the interface, of which `owner` is one.
    case notBehind(owner: IPAddress?)
}
