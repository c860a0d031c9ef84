import ClusterModel
import FlowModel

/// Validates addresses and address ranges.
enum AddressValidation {
    /// An address range as parsed by Kubernetes: an address and a prefix length.
    static func kubernetesRange(_ field: CheckedField) -> IPPrefix? {
        guard let text = field.element() else { return nil }
        guard let range = range(text) else {
            if let plain = unmapped(text) {
                field.doubt("no packet has such an address: the range is one of IPv4; write \(plain)")
            } else {
                field.refuse("this is no range of addresses; write one as in 10.0.0.0/8\(hint(text))")
            }
            return nil
        }
        if hasHostBits(text, range) {
            field.doubt("it has bits behind its length, which newer API servers refuse; write \(range)")
        } else if hasLeadingZero(text) {
            field.doubt("its length begins with a zero, which newer API servers refuse; write \(range)")
        }
        return range
    }

    /// An address range of a custom resource, as `isCIDR` checks it.
    ///
    /// Bits after the prefix are allowed, but IPv4-mapped IPv6 addresses are not.
    static func customRange(_ field: CheckedField) {
        guard let text = field.element() else { return }
        guard range(text) != nil, !hasLeadingZero(text) else {
            if let plain = unmapped(text) {
                field.refuse("addresses of IPv4 within those of IPv6 are refused; write \(plain)")
            } else {
                field.refuse("this is no range of addresses; write one as in 10.0.0.0/8\(hint(text))")
            }
            return
        }
    }

    /// An address range of a Calico rule: an address and a prefix length, with no bits set after the prefix.
    static func ruleRange(_ field: CheckedField) -> IPPrefix? {
        guard let text = field.element() else { return nil }
        guard let range = range(text) else {
            field.refuse("this is no range of addresses; write one as in 10.0.0.0/8\(hint(text))")
            return nil
        }
        if hasHostBits(text, range) { field.refuse("Calico refuses bits behind the length; write \(range)") }
        return range
    }

    /// An address range or an address, in a network set.
    static func setRange(_ field: CheckedField) {
        guard let text = field.element() else { return }
        if !isAddressLike(text) || IPPrefix(text) == nil, unmapped(text) == nil {
            field.refuse("this is neither a range as in 10.0.0.0/8 nor an address")
        }
    }

    /// An address.
    static func address(_ field: CheckedField) {
        guard let text = field.element() else { return }
        if !isAddressLike(text) || IPAddress(text) == nil { field.refuse("this is no address") }
    }

    private static func range(_ text: String) -> IPPrefix? {
        text.contains("/") && isAddressLike(text) ? IPPrefix(text) : nil
    }

    /// Whether the prefix length has a leading zero.
    private static func hasLeadingZero(_ text: String) -> Bool {
        text.split(separator: "/").last.map { $0.utf8.count > 1 && $0.hasPrefix("0") } ?? false
    }

    private static func hint(_ text: String) -> String {
        guard isAddressLike(text), let address = IPAddress(text) else { return "" }
        return "; that of one address is \(address)/\(address.isIPv4 ? 32 : 128)"
    }

    /// The IPv4 range that an IPv4-mapped IPv6 range represents.
    private static func unmapped(_ text: String) -> IPPrefix? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].contains(":"), isAddressLike(text), let address = IPAddress(String(parts[0])),
            address.isIPv4, let length = Int(parts[1]), 96...128 ~= length
        else { return nil }
        return IPPrefix(address, length: length - 96)
    }

    private static func hasHostBits(_ text: String, _ range: IPPrefix) -> Bool {
        text.split(separator: "/").first.flatMap { IPAddress(String($0)) } != range.address
    }

    /// Whether a text contains only characters of addresses; the C library would ignore the text after a zero byte.
    private static func isAddressLike(_ text: String) -> Bool {
        text.utf8.allSatisfy { 0x2e...0x3a ~= $0 || 0x41...0x46 ~= $0 || 0x61...0x66 ~= $0 }
    }
}
