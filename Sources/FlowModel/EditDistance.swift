/// The difference between two texts, for suggestions after typing errors.
public enum EditDistance {
    /// Returns the minimum number of edits that turn one text into the other (Damerau-Levenshtein, restricted edit distance).
    ///
    /// An edit inserts, deletes or replaces a byte, or swaps it with the next one. Takes time in proportion to the product of
    /// both lengths.
    public static func between(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Int {
        let (left, right) = (Array(left), Array(right))
        var before: [Int] = []
        var row = Array(0...right.count)
        for index in left.indices {
            var next = [index + 1]
            next.reserveCapacity(right.count + 1)
            for column in right.indices {
                let change = row[column] + (left[index] == right[column] ? 0 : 1)
                var least = min(change, row[column + 1] + 1, next[column] + 1)
                if index > 0, column > 0, left[index] == right[column - 1], left[index - 1] == right[column] {
                    least = min(least, before[column - 1] + 1)
                }
                next.append(least)
            }
            (before, row) = (row, next)
        }
        return row[right.count]
    }

    /// Returns the name that a text probably means; nil if none is similar.
    ///
    /// This is the only rule for suggestions: of commands, settings, kinds, members of objects, and names in filters. In this
    /// order: the shortest name that begins with the text, if the text has at least four bytes; a name that differs in one
    /// byte; a name that begins with the text, if the text has at least two bytes; the name with the smallest distance. That
    /// distance is at most 1 for names of two or three bytes, 2 for up to eight bytes, and 3, or a quarter of the name, for
    /// longer names. Distances ignore case. Equal candidates are ordered by name.
    public static func nearest(to text: String, among names: some Sequence<String>) -> String? {
        let length = text.utf8.count
        let completions = names.filter { length >= 2 && $0.hasPrefix(text) }
        if length >= 4, let shortest = completions.min(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }) {
            return shortest
        }
        let wanted = text.lowercased().utf8
        let nearest = names.map { (distance: between(wanted, $0.lowercased().utf8), name: $0) }
            .filter { $0.distance <= limit(for: $0.name) }
            .min { $0 < $1 }
        if let nearest, nearest.distance <= 1 { return nearest.name }
        return completions.min() ?? nearest?.name
    }

    private static func limit(for name: String) -> Int {
        switch name.utf8.count {
        case ..<2: 0
        case ..<4: 1
        case ..<9: 2
        default: max(3, name.utf8.count / 4)
        }
    }
}
