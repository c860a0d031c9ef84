import Glibc

/// The transport of syslog messages.
package enum SyslogTransport: String, Sendable, Hashable, CaseIterable {
    /// A datagram for each message (RFC 5426).
    case udp
    /// A stream with octet counting (RFC 6587).
    case tcp
    /// A stream with octet counting over TLS (RFC 5425).
    case tls
}

/// The content of a syslog message.
package enum SyslogContent: String, Sendable, Hashable, CaseIterable {
    /// Structured data, followed by the record as JSON.
    case json
    /// Structured data only.
    case fields
    /// ArcSight's Common Event Format.
    case cef
}

/// Formats records as syslog messages (RFC 5424).
struct SyslogMessage {
    /// The content of messages.
    let content: SyslogContent
    private let host: String

    /// The fields in structured data.
    private static let parameters = [
        "action", "reporter", "proto", "source_namespace", "source_name_aggr", "source_ip", "dest_namespace",
        "dest_name_aggr", "dest_ip", "dest_port", "dest_service_namespace", "dest_service_name", "bytes_in",
        "bytes_out",
        "packets_in", "packets_out", "num_flows",
    ]
    /// The further fields of records about forwarded connections, whose traffic is in no other field.
    private static let transit = ["transit_bytes_in", "transit_bytes_out", "transit_packets_in", "transit_packets_out"]

    /// Takes the content of messages and the host name.
    init(content: SyslogContent, host: String) {
        self.content = content
        // HOSTNAME: printable characters without spaces, at most 255 (section 6.2.4).
        let name = String(decoding: host.utf8.filter { 0x21...0x7e ~= $0 }.prefix(255), as: UTF8.self)
        self.host = name.isEmpty ? "-" : name
    }

    /// Returns the message for a line.
    ///
    /// - Parameters:
    ///   - line: the line, without its newline.
    ///   - limit: the maximum size in bytes; a longer message omits the record as JSON.
    /// - Returns: the message; nil if it is too long even without the record.
    func bytes(of line: ArraySlice<UInt8>, limit: Int = .max) -> [UInt8]? {
        let fields = LineFields(line)
        let event = SyslogAuditEvent(fields)
        let isDenied = event?.isRefused ?? (fields.text("action") == "deny")
        let time = LineTime.end(of: line)
        // Facility local0 (16); severity warning (4) for denials, otherwise informational (6): section 6.2.1.
        var text = "<\(16 * 8 + (isDenied ? 4 : 6))>1 \(Self.timestamp(time)) \(host) weir - "
        if content == .cef {
            let cef = event.map { $0.cef(time: time) } ?? CEFEvent.text(fields, isDenied: isDenied)
            let message = Array((text + "cef - " + cef).utf8)
            return message.count <= limit ? message : nil
        }
        // 32473 is the enterprise number for examples (RFC 5612): Weir has none of its own.
        text += event == nil ? "flow [flow@32473" : "audit [audit@32473"
        let names = Self.parameters + (fields.isForwarded ? Self.transit : [])
        let parameters = event?.parameters ?? names.compactMap { name in fields.text(name).map { (name, $0) } }
        for (name, value) in parameters { text += " \(name)=\"\(Self.escaped(value))\"" }
        text += "]"
        let head = Array(text.utf8)
        let whole = head.count + 1 + line.count
        if content == .json, whole <= limit { return head + [UInt8(ascii: " ")] + line }
        return head.count <= limit ? head : nil
    }

    /// Escapes a value of structured data (section 6.3.3).
    private static func escaped(_ value: String) -> String {
        var text = ""
        for character in value {
            if character == "\"" || character == "\\" || character == "]" { text.append("\\") }
            text.append(character)
        }
        return text
    }

    private static func timestamp(_ seconds: Int64) -> String {
        guard seconds > 0 else { return "-" }
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension LineFields {
    /// Whether the record is of a host that forwards the connection.
    fileprivate var isForwarded: Bool { text("reporter") == "fwd" }
}

/// Records in ArcSight's Common Event Format, version 0.
enum CEFEvent {
    /// The format's keys, and the fields of a record that they contain.
    private static let keys = [
        ("src", "source_ip"), ("spt", "source_port"), ("dst", "dest_ip"), ("dpt", "dest_port"), ("proto", "proto"),
        ("act", "action"), ("in", "bytes_in"), ("out", "bytes_out"), ("cnt", "num_flows"),
        ("shost", "source_name_aggr"), ("dhost", "dest_name_aggr"), ("dvchost", "host"),
    ]
    /// The names of the format's custom strings, and the fields that they contain.
    private static let strings = [
        ("sourceNamespace", "source_namespace"), ("destinationNamespace", "dest_namespace"),
        ("serviceNamespace", "dest_service_namespace"), ("service", "dest_service_name"), ("dropReason", "drop_reason"),
    ]

    /// Returns the event of a record.
    static func text(_ fields: LineFields, isDenied: Bool) -> String {
        let name = isDenied ? "flow denied" : "flow allowed"
        var parts = ["CEF:0|Weir|weir|0|\(isDenied ? "deny" : "allow")|\(name)|\(isDenied ? 5 : 1)|"]
        for (key, field) in [("start", "start_time"), ("end", "end_time"), ("rt", "end_time")] {
            if let seconds = fields.text(field) { parts.append("\(key)=\(seconds)000") }
        }
        // 0 is inbound, 1 outbound; a forwarded connection is both.
        let isForwarded = fields.isForwarded
        if let reporter = fields.text("reporter"), !isForwarded {
            parts.append("deviceDirection=\(reporter == "src" ? 1 : 0)")
        }
        for (key, field) in keys {
            let isTransit = isForwarded && field.hasPrefix("bytes_")
            if let value = fields.text(isTransit ? "transit_\(field)" : field) {
                parts.append("\(key)=\(escaped(value))")
            }
        }
        for (index, (label, field)) in strings.enumerated() {
            guard let value = fields.text(field) else { continue }
            parts.append("cs\(index + 1)Label=\(label) cs\(index + 1)=\(escaped(value))")
        }
        return parts[0] + parts.dropFirst().joined(separator: " ")
    }

    /// Escapes a value of an extension.
    static func escaped(_ value: String) -> String {
        var text = ""
        for character in value {
            if character == "=" || character == "\\" { text.append("\\") }
            text.append(character)
        }
        return text
    }
}
