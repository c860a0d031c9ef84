/// Counts of lines.
package struct AuditCounts: Sendable, Hashable {
    /// Lines that are events.
    package var events = 0
    /// Lines that are not events.
    package var malformed = 0
    /// Lines that are longer than ``AuditLines/limit``.
    package var tooLong = 0
    /// The error of the first line that is not an event.
    package var firstError: String?

    /// Creates counts of 0.
    package init() {}

    /// Lines that could not be used.
    package var bad: Int { malformed + tooLong }

    /// Reads the event of a line and counts it; a line of white space is not counted.
    ///
    /// - Parameters:
    ///   - line: the line.
    ///   - buffer: the buffer that contains the line.
    ///   - selection: the requested events; an event is counted but not decoded if its bytes show that it does not match.
    ///   - isBrief: whether to leave out members that changes do not require (``AuditEvent/init(at:in:isBrief:)``).
    /// - Returns: the event; nil if the line is not an event or does not match.
    package mutating func event(
        of line: AuditLines.Line,
        in buffer: [UInt8],
        where selection: AuditSelection? = nil,
        isBrief: Bool = false
    ) -> AuditEvent? {
        guard case .bytes(let place) = line else {
            tooLong += 1
            firstError = firstError ?? "a line of more than \(AuditLines.limit) bytes"
            return nil
        }
        guard buffer[place].contains(where: { $0 > 0x20 }) else { return nil }
        do throws(AuditError) {
            let places = try AuditPlaces(in: buffer.span, place)
            events += 1
            guard selection?.mayMatch(places, in: buffer.span) ?? true else { return nil }
            return AuditEvent(at: places, in: buffer.span, isBrief: isBrief)
        } catch {
            malformed += 1
            firstError = firstError ?? "\(error)"
            return nil
        }
    }
}
