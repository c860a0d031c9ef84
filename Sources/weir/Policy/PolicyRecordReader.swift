import FlowModel
import Records

/// Converts a record of Weir to a question.
enum PolicyRecordReader {
    /// Whether a member of this name occurs only in records.
    static func isField(_ key: String) -> Bool {
        // Questions also have `source_port`, but none of the other members.
        key == "start_time" || key == "end_time" || key == "source_ip" || key.hasPrefix("source_name")
            || key.hasPrefix("dest_") || key == "proto" || key == "reporter"
    }

    /// The question about the connection of a record.
    ///
    /// - Parameter bytes: the record, an object of JSON.
    /// - Returns: the question.
    /// - Throws: an error if its protocol cannot be parsed.
    static func line(_ bytes: some Collection<UInt8>) throws(PolicyQuestionError) -> PolicyFlowReader.Line {
        let record: ReadRecord
        do { record = try ReadRecord(bytes) } catch { throw PolicyQuestionError(description: "\(error)") }
        guard !record.isForwarded else { return .untraceable("a host forwards the connection") }
        guard let text = record.text(.proto) ?? record.number(.proto).map({ "\($0)" }),
            let proto = IPProtocol(recordText: text)
        else { throw PolicyQuestionError(description: "'proto' of the record is no protocol") }
        guard let from = endName(record, .source) else { return untraceable(record, .source, "source") }
        guard let to = endName(record, .destination) else { return untraceable(record, .destination, "destination") }
        var connection = PolicyConnection(source: from, destination: to, proto: proto)
        connection.isOfRecord = true
        let domains = record.texts(.destDomains)
        connection.domains = domains.isEmpty ? nil : domains
        if proto.hasPorts {
            guard let port = record.number(.destPort) else {
                return .untraceable("the port of the destination is aggregated")
            }
            connection.port = UInt16(exactly: port)
            connection.sourcePort = record.number(.sourcePort).flatMap { UInt16(exactly: $0) }
        } else if proto == .icmp6, let message = record.number(.destPort).flatMap({ UInt16(exactly: $0) }) {
            (connection.icmpType, connection.icmpCode) = (UInt8(message >> 8), UInt8(message & 0xff))
        }
        return .connection(connection)
    }

    /// The endpoint at one end of a record; nil if the record aggregates several endpoints.
    private static func endName(_ record: ReadRecord, _ end: RecordEnd) -> PolicyEndName? {
        let address = record.address(end.address)
        guard record.text(end.type) == "wep", let name = record.name(end.name),
            let namespace = record.name(end.namespace)
        else { return address.map { .address($0) } }
        return .recorded("\(namespace)/\(name)", address)
    }

    private static func untraceable(_ record: ReadRecord, _ end: RecordEnd, _ what: String) -> PolicyFlowReader.Line {
        let namespace = record.name(end.namespace).map { "\($0)/" } ?? ""
        return .untraceable("the \(what) is aggregated: \(namespace)\(record.text(end.aggregatedName) ?? "-")")
    }
}

extension IPProtocol {
    /// Parses a protocol in the form of records: a name or a number.
    init?(recordText text: String) {
        switch text {
        case "ipip": self.init(rawValue: 4)
        case "esp": self.init(rawValue: 50)
        default: self.init(policyText: text)
        }
    }
}
