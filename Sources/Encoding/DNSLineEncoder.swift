public import FlowModel

/// Writes records of the DNS log as lines: one compact JSON object with all fields of the format, then a newline.
///
/// Times are Unix seconds, as in the flow log; latencies are nanoseconds. Texts and lists that are too long are truncated,
/// texts with `…` at the end, so that a line is shorter than ``maximumLineBytes``.
public struct DNSLineEncoder: Sendable {
    /// The maximum size of a line, in bytes.
    public static let maximumLineBytes = 32 << 10

    /// The maximum number of bytes of all labels of a line, of the answer, and of one text.
    private static let labelBytes = 4096
    private static let answerBytes = 12_288
    private static let textBytes = 1024

    /// Makes an encoder.
    public init() {}

    /// Appends a record as a line.
    public func encode(_ record: DNSRecord, into buffer: inout ByteBuffer) {
        var line = Line()
        line.number("start_time", record.startTime)
        line.number("end_time", record.endTime)
        line.text("type", record.isLogged ? "LOG" : "UNLOGGED")
        line.number("count", Int64(clamping: record.count))
        encodeClient(of: record, into: &line)
        line.text("qname", record.name)
        line.text("qtype", record.type)
        line.text("qclass", record.recordClass)
        line.text("rcode", record.responseCode)
        encodeSets(record.sets, into: &line)
        encodeServers(record.servers, into: &line)
        line.number("latency_count", Int64(clamping: record.latency.count))
        line.number("latency_mean", Int64(clamping: record.latency.mean))
        line.number("latency_max", Int64(clamping: record.latency.largest))
        line.end()
        buffer.append(line.buffer, from: 0, count: line.buffer.count)
    }

    private func encodeClient(of record: DNSRecord, into line: inout Line) {
        line.address("client_ip", record.detail == .client ? record.clientAddress : nil)
        guard let client = record.client else {
            for name in ["client_name", "client_name_aggr", "client_namespace"] { line.text(name, "-") }
            return line.key("client_labels", raw: "null")
        }
        line.text("client_name", record.detail == .client && client.kind != .network ? client.name : "-")
        line.text("client_name_aggr", client.aggregatedName)
        line.text("client_namespace", client.namespace ?? "-")
        line.labels("client_labels", client.labels, limit: Self.labelBytes)
    }

    private func encodeSets(_ sets: [DNSRecord.RecordSet], into line: inout Line) {
        let limit = line.buffer.count + Self.answerBytes
        line.list("rrsets") { list in
            for set in sets where list.buffer.count < limit {
                list.object { object in
                    object.text("name", set.name)
                    object.text("type", set.type)
                    object.text("class", set.recordClass)
                    object.list("rdata") { data in
                        for text in set.data where data.buffer.count < limit { data.element(text) }
                    }
                }
            }
        }
    }

    private func encodeServers(_ servers: [DNSRecord.Server], into line: inout Line) {
        line.list("servers") { list in
            for server in servers {
                list.object { object in
                    object.address("ip", server.address)
                    object.text("name", server.endpoint.kind == .network ? "-" : server.endpoint.name)
                    object.text("name_aggr", server.endpoint.aggregatedName)
                    object.text("namespace", server.endpoint.namespace ?? "-")
                    object.labels("labels", server.endpoint.labels, limit: Self.labelBytes / 8)
                }
            }
        }
    }

    /// A line under construction.
    private struct Line: ~Copyable {
        var buffer = ByteBuffer(capacity: 1024)
        private var needsComma = false

        init() { buffer.append(UInt8(ascii: "{")) }

        mutating func end() { buffer.append("}\n") }

        private mutating func separate() {
            if needsComma { buffer.append(UInt8(ascii: ",")) }
            needsComma = true
        }

        mutating func key(_ name: String, raw value: String = "") {
            separate()
            buffer.append("\"\(name)\":\(value)")
        }

        mutating func number(_ name: String, _ value: Int64) { key(name, raw: "\(value)") }

        mutating func text(_ name: String, _ value: String) {
            key(name)
            _ = buffer.appendJSON(value, limit: DNSLineEncoder.textBytes)
        }

        mutating func address(_ name: String, _ value: IPAddress?) {
            key(name, raw: value.map { "\"\($0)\"" } ?? "null")
        }

        /// Appends labels as in the flow log.
        mutating func labels(_ name: String, _ labels: LabelSet?, limit: Int) {
            guard let labels else { return key(name, raw: "null") }
            key(name, raw: "{\"labels\":[")
            _ = buffer.appendElements(labels.labels, limit: limit)
            buffer.append("]}")
        }

        mutating func list(_ name: String, _ fill: (inout Line) -> Void) {
            key(name, raw: "[")
            needsComma = false
            fill(&self)
            buffer.append(UInt8(ascii: "]"))
            needsComma = true
        }

        mutating func object(_ fill: (inout Line) -> Void) {
            separate()
            buffer.append(UInt8(ascii: "{"))
            needsComma = false
            fill(&self)
            buffer.append(UInt8(ascii: "}"))
            needsComma = true
        }

        mutating func element(_ text: String) {
            separate()
            _ = buffer.appendJSON(text, limit: DNSLineEncoder.textBytes)
        }
    }
}
