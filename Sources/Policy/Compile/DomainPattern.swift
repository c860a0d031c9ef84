/// A domain name of a rule or of a network set (`domains`, `allowedEgressDomains`).
///
/// It is an exact name, or a name with `*` in place of one label. The asterisk matches one or more labels:
/// `*.example.com` matches `www.example.com` and `a.b.example.com`, but not `example.com`.
struct DomainPattern: Sendable, Hashable, CustomStringConvertible {
    /// The name in lower case, without the final dot.
    let description: String
    /// The length of the text before the asterisk, in bytes; nil for an exact name.
    private let headLength: Int?

    /// Parses a name; nil if Calico refuses it.
    init?(_ text: String) {
        guard Self.error(in: text) == nil else { return nil }
        let lower = text.lowercased()
        let name = lower.hasSuffix(".") ? String(lower.dropLast()) : lower
        description = name
        headLength = name.utf8.firstIndex(of: UInt8(ascii: "*")).map { name.utf8[..<$0].count }
    }

    /// Whether the pattern matches a name, which must be in lower case and without the final dot.
    func matches(_ name: String) -> Bool {
        guard let headLength else { return name == description }
        let tailLength = description.utf8.count - headLength - 1
        return name.utf8.count > headLength + tailLength
            && name.utf8.starts(with: description.utf8.prefix(headLength))
            && name.utf8.suffix(tailLength).elementsEqual(description.utf8.suffix(tailLength))
    }

    /// The reason why a text is not a valid pattern; nil if it is valid.
    static func error(in text: String) -> String? {
        var labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if labels.count > 1, labels.last?.isEmpty == true { labels.removeLast() }
        if text.utf8.count > 253 + (text.hasSuffix(".") ? 1 : 0) { return "it has more than 253 characters" }
        let wildcards = labels.count { $0.elementsEqual("*".utf8) }
        if wildcards > 1 { return "it has several asterisks; one is accepted, and stands for one or more labels" }
        for label in labels where !label.elementsEqual("*".utf8) {
            if label.isEmpty { return "it has an empty label" }
            if label.count > 63 { return "a label has more than 63 characters" }
            if label.contains(UInt8(ascii: "*")) {
                return "an asterisk stands for whole labels, as in *.example.com; it cannot be a part of one"
            }
            guard label.allSatisfy(isLabelByte) else {
                return "a label has other characters than letters, digits, - and _"
            }
        }
        return nil
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        0x30...0x39 ~= byte || 0x41...0x5a ~= byte || 0x61...0x7a ~= byte || byte == 0x2d || byte == 0x5f
    }
}

/// The domain names of a rule or of a network set, prepared for matching.
struct DomainList: Sendable {
    private let names: Set<String>
    private let wildcards: [DomainPattern]

    init(_ patterns: [DomainPattern]) {
        wildcards = patterns.filter { $0.description.contains("*") }
        names = Set(patterns.map(\.description)).subtracting(wildcards.map(\.description))
    }

    /// Whether the list matches one of the names.
    func matches(_ names: [String]) -> Bool {
        names.contains { name in self.names.contains(name) || wildcards.contains { $0.matches(name) } }
    }
}
