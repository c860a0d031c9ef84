/// The forms of names, labels and ports that API servers accept (Kubernetes, `apimachinery/pkg/util/validation`).
public enum ObjectName {
    /// Whether a name is a DNS label: at most 63 of a-z, 0-9 and `-` (RFC 1123).
    public static func isLabel(_ name: String) -> Bool {
        name.utf8.count <= 63 && isWord(Array(name.utf8)[...])
    }

    /// Whether a name is a DNS subdomain: labels separated by dots, at most 253 characters in all.
    ///
    /// Labels may have any length.
    public static func isSubdomain(_ name: String) -> Bool {
        name.utf8.count <= 253
            && Array(name.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
                .allSatisfy { isWord($0) }
    }

    /// Whether a text is a key of a label or annotation: at most 63 letters, digits, `-`, `_` and `.`.
    ///
    /// An optional prefix is a subdomain and `/`.
    public static func isQualified(_ key: String) -> Bool {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.last, parts.count <= 2, !name.isEmpty, isLabelValue(name) else { return false }
        return parts.count == 1 || isSubdomain(parts[0])
    }

    /// Whether a text is a label value: at most 63 letters, digits, `-`, `_` and `.`, or empty.
    ///
    /// It must begin and end with a letter or digit.
    public static func isLabelValue(_ value: String) -> Bool {
        let bytes = Array(value.utf8)
        guard let first = bytes.first, let last = bytes.last else { return true }
        return bytes.count <= 63 && isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
    }

    /// Whether a name is a port name: at most 15 of a-z, 0-9 and `-`, with at least one letter (RFC 6335, section 5.1).
    public static func isPort(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return bytes.count <= 15 && isWord(bytes[...]) && bytes.contains { 0x61...0x7a ~= $0 }
            && !zip(bytes, bytes.dropFirst()).contains { $0 == UInt8(ascii: "-") && $1 == UInt8(ascii: "-") }
    }

    /// Whether bytes are one or more of a-z, 0-9 and `-`, with `-` neither first nor last.
    private static func isWord(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last else { return false }
        return first != UInt8(ascii: "-") && last != UInt8(ascii: "-")
            && bytes.allSatisfy { 0x61...0x7a ~= $0 || 0x30...0x39 ~= $0 || $0 == UInt8(ascii: "-") }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        0x30...0x39 ~= byte || 0x41...0x5a ~= byte || 0x61...0x7a ~= byte
    }
}
