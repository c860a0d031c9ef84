extension JSONReader {
    /// Reads a time (RFC 3339) as seconds since 1970 in UTC without the fraction; nil for null and the empty string.
    ///
    /// Other values are noted, and nil is returned.
    mutating func time() throws(JSONError) -> Int64? {
        let start = offset
        guard let text = try text(), !text.isEmpty else { return nil }
        guard let time = text.time else {
            note("expected a time as in 2026-11-28T11:05:00Z", at: start)
            return nil
        }
        return time
    }
}

extension JSONText {
    /// The text as a time (RFC 3339), in seconds since 1970 in UTC; nil if it is not a time.
    package var time: Int64? {
        guard !hasEscapes, bytes.count >= 20,
            let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
            let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2),
            bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] | 0x20 == UInt8(ascii: "t") || bytes[10] == UInt8(ascii: " "),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            1...12 ~= month, 1...31 ~= day, hour < 24, minute < 60, second <= 60, let offset = offsetFromUTC
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        return ((days * 24 + hour) * 60 + minute) * 60 + second - offset
    }

    /// The offset of the local time from UTC in seconds, which follows the seconds and their fraction.
    private var offsetFromUTC: Int64? {
        var place = 19
        if bytes[place] == UInt8(ascii: ".") {
            place += 1
            while place < bytes.count, JSONReader.isDigit(bytes[place]) { place += 1 }
        }
        guard place < bytes.count else { return nil }
        switch bytes[place] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"):
            return place + 1 == bytes.count ? 0 : nil
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard place + 6 == bytes.count, bytes[place + 3] == UInt8(ascii: ":"),
                let hours = number(place + 1, 2), let minutes = number(place + 4, 2), hours < 24, minutes < 60
            else { return nil }
            let seconds = (hours * 60 + minutes) * 60
            return bytes[place] == UInt8(ascii: "-") ? -seconds : seconds
        default: return nil
        }
    }

    /// The number in some decimal digits.
    private func number(_ start: Int, _ count: Int) -> Int64? {
        var number: Int64 = 0
        for place in start..<start + count {
            guard JSONReader.isDigit(bytes[place]) else { return nil }
            number = number * 10 + Int64(bytes[place] - UInt8(ascii: "0"))
        }
        return number
    }

    /// The days from 1970-01-01 to a day of the Gregorian calendar, computed with years that begin in March.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return year * 365 + floorDivided(year, 4) - floorDivided(year, 100) + floorDivided(year, 400) + dayOfYear
            - 719_468
    }

    private static func floorDivided(_ number: Int64, _ divisor: Int64) -> Int64 {
        number >= 0 ? number / divisor : (number - divisor + 1) / divisor
    }
}
