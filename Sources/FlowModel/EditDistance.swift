/// How unlike two texts are: for suggesting what was meant.
public enum EditDistance {
    /// How many bytes must be put in, left out or changed to make one text of the other (Levenshtein).
    ///
    /// Takes time in proportion to the product of both lengths.
    public static func between(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let change = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(change, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }

    /// The name that is most like a text: at most two bytes different, and not half of the name; or one that begins with
    /// the text; nil if there is none.
    public static func nearest(to text: String, among names: [String]) -> String? {
        let nearest = names.map { (name: $0, distance: between(text.utf8, $0.utf8)) }
            .filter { $0.distance <= min(2, $0.name.utf8.count / 2) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        return nearest?.name ?? names.sorted().first { text.utf8.count >= 2 && $0.hasPrefix(text) }
    }
}
