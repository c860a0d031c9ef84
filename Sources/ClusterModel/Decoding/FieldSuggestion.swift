import FlowModel

extension FieldSet {
    /// The longest name of a field, in bytes; longer keys get no suggestion.
    private static let longestName = 32

    /// Field names of one API that correspond to another name in a second API.
    private static let otherWords: [(written: String, meant: String)] = [
        ("from", "to"), ("to", "from"), ("policyTypes", "types"), ("types", "policyTypes"), ("podSelector", "selector"),
        ("cidr", "nets"), ("cidrs", "nets"), ("number", "port"),
    ]

    /// The field name that is most similar to a key; nil if none is.
    func suggestion(for key: String) -> String? {
        guard !key.isEmpty, key.utf8.count <= Self.longestName else { return nil }
        let names = names.map(\.description)
        for (written, meant) in Self.otherWords where written == key && names.contains(meant) { return meant }
        return EditDistance.nearest(to: key, among: names)
    }
}
