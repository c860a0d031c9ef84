import FlowModel
package import Records

/// A record as the cells of a table: every text is neutralized, nothing is cut.
package struct RecordRow: Sendable {
    /// End of the interval, Unix seconds.
    package var time: Int64
    /// `allow` or `DENY`, with `~` where staged policies would decide otherwise.
    package var action: String
    /// Whether the packets were denied.
    package var isDenied: Bool
    /// The node whose agent saw it; empty where there is one node only.
    package var node: String
    /// `src` or `dst`.
    package var reporter: String
    /// The end that began.
    package var source: EndName
    /// The end that was called.
    package var destination: EndName
    /// Port and protocol of the destination: `80/tcp`, `icmp`.
    package var port: String
    /// The service that was called, `namespace/name:port`; empty where none is known.
    package var service: String
    /// Connections that were active.
    package var connections: UInt64
    /// Bytes in both directions.
    package var bytes: UInt64
    /// Packets in both directions.
    package var packets: UInt64
    /// Why.
    package var verdict: VerdictWords

    /// Makes a row of a record.
    ///
    /// - Parameters:
    ///   - record: the record.
    ///   - node: the node whose agent saw it; nil where there is one node only.
    package init(_ record: ReadRecord, node: String? = nil) {
        self.node = node.map(TerminalText.neutralized) ?? ""
        time = Int64(clamping: record.integer(.endTime))
        isDenied = record.isDenied
        action = (isDenied ? "DENY" : "allow") + (record.isPendingDifferent ? "~" : "")
        reporter = record.isDestinationReported ? "dst" : "src"
        source = EndName(record, .source)
        destination = EndName(record, .destination)
        port = TerminalText.neutralized(Self.port(record))
        service = TerminalText.neutralized(Self.service(record))
        connections = record.integer(.numFlows)
        bytes = record.integer(.bytesIn) &+ record.integer(.bytesOut)
        packets = record.integer(.packetsIn) &+ record.integer(.packetsOut)
        verdict = VerdictWords(record)
        verdict.now = TerminalText.neutralized(verdict.now)
        verdict.pending = verdict.pending.map(TerminalText.neutralized)
        verdict.decidedBy = TerminalText.neutralized(verdict.decidedBy)
    }

    private static func port(_ record: ReadRecord) -> String {
        let proto = record.text(.proto) ?? "0"
        guard let port = record.number(.destPort) else { return proto }
        return proto == IPProtocol.icmp6.name ? "\(port >> 8).\(port & 0xff)/\(proto)" : "\(port)/\(proto)"
    }

    private static func service(_ record: ReadRecord) -> String {
        guard let name = record.name(.destServiceName) else { return "" }
        let scope = record.name(.destServiceNamespace).map { "\($0)/" } ?? ""
        let port = record.name(.destServicePort) ?? record.number(.destServicePortNum).map { "\($0)" }
        return scope + name + (port.map { ":\($0)" } ?? "")
    }
}
