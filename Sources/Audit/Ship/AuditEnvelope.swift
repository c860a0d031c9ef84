import ClusterModel

/// Makes the line to ship from an event's line: adds host, cluster and time to the unchanged event.
package struct AuditEnvelope: Sendable {
    /// The outcome for an event.
    package enum Result: Sendable, Hashable {
        /// Its line was appended.
        case shipped
        /// The event is about credentials, which must not leave this machine.
        case withheld
    }

    private let origin: [UInt8]
    private let redacts: Bool

    /// Prepares the part that is the same in all lines.
    ///
    /// - Parameters:
    ///   - host: the name of this host (`host`).
    ///   - cluster: the name of the cluster (`cluster`); nil to omit it.
    ///   - redacts: whether the objects of events are omitted: their members are null.
    package init(host: String, cluster: String?, redacts: Bool) {
        var text = ",\"host\":\(JSONText.quoted(host))"
        if let cluster { text += ",\"cluster\":\(JSONText.quoted(cluster))" }
        origin = Array(text.utf8)
        self.redacts = redacts
    }

    /// Appends the line of an event to a buffer.
    ///
    /// - Parameters:
    ///   - event: the event.
    ///   - bytes: the buffer that contains its line.
    ///   - line: the range of the line in the buffer.
    ///   - target: the buffer for complete lines.
    /// - Returns: whether the line was appended.
    package func append(_ event: AuditEvent, _ bytes: [UInt8], _ line: Range<Int>, to target: inout [UInt8]) -> Result {
        if event.isSecret { return .withheld }
        let start = target.count
        var place = line.lowerBound
        if redacts {
            for object in [event.requestObject, event.responseObject].compactMap({ $0 }).sorted(by: {
                $0.lowerBound < $1.lowerBound
            }) {
                target += bytes[place..<object.lowerBound]
                target += "null".utf8
                place = object.upperBound
            }
        }
        target += bytes[place..<line.upperBound]
        // The reader has found the end of the object, so there is a brace, followed at most by white space.
        while let last = target.last, last != UInt8(ascii: "}") { target.removeLast() }
        target.removeLast()
        target += origin
        // The time is the last member, where outputs search for it.
        if let time = Self.text(event.time > 0 ? event.time : event.receivedAt) {
            target += ",\"@timestamp\":\"\(time)\"".utf8
        }
        target += "}\n".utf8
        repair(&target, from: start)
        return .shipped
    }

    /// Replaces bytes that are not UTF-8, which an API server never writes.
    private func repair(_ target: inout [UInt8], from start: Int) {
        let line = target[start...]
        guard String(validating: line, as: UTF8.self) == nil else { return }
        let text = String(decoding: line, as: UTF8.self)
        target.removeSubrange(start...)
        target += text.utf8
    }

    /// Formats a time in µs as `2026-11-28T14:00:00.123456Z`; nil for 0, and for years without four digits.
    package static func text(_ time: Int64) -> String? {
        let (seconds, rest) = (time / 1_000_000, time % 1_000_000)
        guard time > 0, seconds < 253_402_300_800 else { return nil }
        // Converts days since 1970-01-01 to a date: Howard Hinnant, civil_from_days, for years from 1970 on.
        let shifted = seconds / 86_400 + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map { padded($0, 2) }
        return
            "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock.joined(separator: ":")).\(padded(rest, 6))Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
