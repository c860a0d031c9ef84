import Encoding
import Glibc

/// The place and time of a record, at the end of its line: `"host":"node-1","@timestamp":"2026-11-28T18:00:00.000Z"`.
///
/// Calico's own set-up has shippers that add these fields; this is for readers without one. The time is the end of the
/// interval, as a text: shippers parse it where they ignore a number.
struct RecordOrigin {
    private let host: String
    private var endTime: Int64?
    private var text = ""

    /// Takes the name of the host.
    init(host: String) {
        var buffer = ByteBuffer(capacity: 256)
        buffer.appendJSON(host)
        self.host = String(decoding: buffer.take(), as: UTF8.self)
    }

    /// Puts both fields before the end of the line that was appended last.
    mutating func append(to lines: inout ByteBuffer, _ endTime: Int64) {
        // The text is the same for all records of a flush.
        if self.endTime != endTime {
            self.endTime = endTime
            text = ",\"host\":\(host),\"@timestamp\":\"\(Self.timestamp(endTime))\"}\n"
        }
        // These are the brace and the newline.
        lines.truncate(to: lines.count - 2)
        lines.append(text)
    }

    private static func timestamp(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S.000Z", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
