import FlowModel

extension FieldSet {
    /// The longest name of a field, in bytes; keys that are longer have no field like them.
    private static let longestName = 32

    /// What is written in one API where another one has the second word.
    private static let otherWords: [(written: String, meant: String)] = [
        ("from", "to"), ("to", "from"), ("policyTypes", "types"), ("types", "policyTypes"), ("podSelector", "selector"),
        ("cidr", "nets"), ("cidrs", "nets"), ("number", "port"),
    ]

    /// The field whose name is most like a key: at most two bytes different, or longer; nil if there is none.
    func suggestion(for key: String) -> String? {
        guard !key.isEmpty, key.utf8.count <= Self.longestName else { return nil }
        let names = names.map(\.description)
        for (written, meant) in Self.otherWords where written == key && names.contains(meant) { return meant }
        let wanted = key.lowercased().utf8
        var best: (name: String, distance: Int)?
        for name in names {
            let distance = EditDistance.between(wanted, name.lowercased().utf8)
            // Of a short name two changes leave nothing.
            let limit = min(2, name.utf8.count / 2)
            if distance <= limit, distance < best?.distance ?? .max { best = (name, distance) }
        }
        if let best, best.distance <= 1 { return best.name }
        // As in `dest` or `proto`.
        return names.first { key.utf8.count >= 3 && $0.hasPrefix(key) } ?? best?.name
    }
}
