/// Formats numbers in few columns: `60`, `1.6k`, `18.2k`, `4.1M`.
package enum ShortNumber {
    private static let units = ["", "k", "M", "G", "T", "P", "E"]

    /// The number with three or four digits and a unit suffix in powers of 1000; an integer below 1000.
    package static func text(_ number: UInt64) -> String {
        guard number >= 1000 else { return "\(number)" }
        var value = Double(number)
        var unit = 0
        while value >= 999.95, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)\(units[unit])"
    }
}
