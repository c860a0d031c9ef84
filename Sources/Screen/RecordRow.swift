import FlowModel
package import Records

/// The cells of a record in a table: all text is neutralized, and nothing is truncated.
package struct RecordRow: Sendable {
    /// End of the interval, Unix seconds.
    package var time: Int64
    /// `allow` or `DENY`, with `~` where staged policies would decide otherwise.
    package var action: String
    /// Whether the packets were denied.
    package var isDenied: Bool
    /// The node of the agent that reported the record; empty if only one node is shown.
    package var node: String
    /// `src`, `dst` or `fwd`.
    package var reporter: String
    /// The endpoint that opened the connection.
    package var source: EndName
    /// The endpoint that received the connection.
    package var destination: EndName
    /// Destination port and protocol, as ``FlowModel/PortName`` writes them.
    package var port: String
    /// The destination service as `namespace/name:port`; empty if unknown.
    package var service: String
    /// The process of the reporting end; empty if unknown.
    package var process: String
    /// The names that the source has looked up for the destination, with commas between them; empty if there are none.
    package var domains: String
    /// Active connections.
    package var connections: UInt64
    /// Bytes in both directions.
    package var bytes: UInt64
    /// Packets in both directions.
    package var packets: UInt64
    /// The reason for the verdict.
    package var verdict: VerdictWords

    /// Creates a row from a record.
    ///
    /// - Parameters:
    ///   - record: the record.
    ///   - node: the node of the agent that reported it; nil if only one node is shown.
    package init(_ record: ReadRecord, node: String? = nil) {
        self.node = node.map(TerminalText.neutralized) ?? ""
        time = Int64(clamping: record.integer(.endTime))
        isDenied = record.isDenied
        action = (isDenied ? "DENY" : "allow") + (record.isPendingDifferent ? "~" : "")
        reporter = record.reporter.rawValue
        source = EndName(record, .source)
        destination = EndName(record, .destination)
        port = TerminalText.neutralized(PortName.text(record.number(.destPort), record.text(.proto) ?? "0"))
        service = TerminalText.neutralized(Self.service(record))
        process = TerminalText.neutralized(record.name(.processName) ?? "")
        domains = TerminalText.neutralized(record.texts(.destDomains).joined(separator: ","))
        connections = record.integer(.numFlows)
        let isForwarded = record.isForwarded
        bytes = record.integer(isForwarded ? .transitBytesIn : .bytesIn)
        bytes &+= record.integer(isForwarded ? .transitBytesOut : .bytesOut)
        packets = record.integer(isForwarded ? .transitPacketsIn : .packetsIn)
        packets &+= record.integer(isForwarded ? .transitPacketsOut : .packetsOut)
        verdict = VerdictWords(record)
        verdict.now = TerminalText.neutralized(verdict.now)
        verdict.pending = verdict.pending.map(TerminalText.neutralized)
        verdict.decidedBy = TerminalText.neutralized(verdict.decidedBy)
    }

    private static func service(_ record: ReadRecord) -> String {
        guard let name = record.name(.destServiceName) else { return "" }
        let scope = record.name(.destServiceNamespace).map { "\($0)/" } ?? ""
        let port = record.name(.destServicePort) ?? record.number(.destServicePortNum).map { "\($0)" }
        return scope + name + (port.map { ":\($0)" } ?? "")
    }
}
