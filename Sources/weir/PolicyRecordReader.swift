import FlowModel

/// Makes a question of a record that Weir wrote.
struct PolicyRecordReader {
    /// The fields of one end.
    private struct End {
        var address: IPAddress?
        var name = "-"
        var aggregatedName = "-"
        var namespace = "-"
        var type = "net"
        var port: Int?

        mutating func take(_ field: Substring, _ value: PolicyFlowReader.Value) {
            switch (field, value) {
            case ("ip", .text(let text)): address = IPAddress(text)
            case ("name", .text(let text)): name = text
            case ("name_aggr", .text(let text)): aggregatedName = text
            case ("namespace", .text(let text)): namespace = text
            case ("type", .text(let text)): type = text
            case ("port", .number(let number)): port = number
            default: break
            }
        }

        /// Who it is; nil if it is several.
        var endName: PolicyEndName? {
            guard type == "wep", name != "-", namespace != "-" else { return address.map { .address($0) } }
            return .recorded("\(namespace)/\(name)", address)
        }
    }

    private static let source = "source_"
    private static let destination = "dest_"

    private var sourceEnd = End()
    private var destinationEnd = End()
    private var proto: String?

    /// Whether only a record has a member of this name.
    static func isField(_ key: String) -> Bool {
        // A question has `source_port` too, and no other of these.
        key == "start_time" || key == "end_time" || key == "source_ip" || key.hasPrefix("source_name")
            || key.hasPrefix("dest_") || key == "proto" || key == "reporter"
    }

    /// Takes a member; those that say nothing of the connection are passed over.
    mutating func take(_ key: String, _ value: PolicyFlowReader.Value) {
        if key.hasPrefix(Self.source) {
            sourceEnd.take(key.dropFirst(Self.source.count), value)
        } else if key.hasPrefix(Self.destination) {
            destinationEnd.take(key.dropFirst(Self.destination.count), value)
        } else if key == "proto" {
            switch value {
            case .text(let text): proto = text
            case .number(let number): proto = String(number)
            case .null, .other: break
            }
        }
    }

    /// What the record asks.
    ///
    /// - Throws: if its protocol cannot be read.
    func line() throws(PolicyQuestionError) -> PolicyFlowReader.Line {
        guard let text = proto, let proto = IPProtocol(recordText: text) else {
            throw PolicyQuestionError(description: "'proto' of the record is no protocol")
        }
        for (end, what) in [(sourceEnd, "source"), (destinationEnd, "destination")] where end.endName == nil {
            let namespace = end.namespace == "-" ? "" : "\(end.namespace)/"
            return .untraceable("the \(what) is aggregated: \(namespace)\(end.aggregatedName)")
        }
        guard let from = sourceEnd.endName, let to = destinationEnd.endName else {
            throw PolicyQuestionError(description: "the record does not say who talks to whom")
        }
        var connection = PolicyConnection(source: from, destination: to, proto: proto)
        if proto.hasPorts {
            guard let port = destinationEnd.port else {
                return .untraceable("the port of the destination is aggregated")
            }
            connection.port = UInt16(exactly: port)
            connection.sourcePort = sourceEnd.port.flatMap { UInt16(exactly: $0) }
        } else if proto == .icmp6, let message = destinationEnd.port.flatMap({ UInt16(exactly: $0) }) {
            (connection.icmpType, connection.icmpCode) = (UInt8(message >> 8), UInt8(message & 0xff))
        }
        return .connection(connection)
    }
}

extension IPProtocol {
    /// Reads a protocol as records have it: a name or a number.
    init?(recordText text: String) {
        switch text {
        case "ipip": self.init(rawValue: 4)
        case "esp": self.init(rawValue: 50)
        default: self.init(policyText: text)
        }
    }
}
