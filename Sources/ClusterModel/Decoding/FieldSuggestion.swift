import FlowModel

extension FieldSet {
    /// The longest name of a field, in bytes; keys that are longer have no field like them.
    private static let longestName = 32

    /// Words of one API for which another one has the second word.
    private static let otherWords: [(written: String, meant: String)] = [
        ("from", "to"), ("to", "from"), ("policyTypes", "types"), ("types", "policyTypes"), ("podSelector", "selector"),
        ("cidr", "nets"), ("cidrs", "nets"), ("number", "port"),
    ]

    /// The field that was probably meant by a key; nil if there is none.
    func suggestion(for key: String) -> String? {
        guard !key.isEmpty, key.utf8.count <= Self.longestName else { return nil }
        let names = names.map(\.description)
        for (written, meant) in Self.otherWords where written == key && names.contains(meant) { return meant }
        return EditDistance.nearest(to: key, among: names)
    }
}
