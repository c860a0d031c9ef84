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
}
