import ClusterModel
import FlowModel

/// Parses a connection from a line with one JSON object of strings and numbers.
enum PolicyFlowReader {
    /// The value of a member.
    private enum Value {
        case null
        case text(String)
        case number(Int)
        /// A value that no member can have.
        case other
    }

    /// Whether a line contains only white space.
    static func isBlank(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        var reader = JSONReader(bytes.span.extracting(range))
        return reader.isAtEnd
    }

    /// The content of a line.
    enum Line {
        /// A connection to evaluate.
        case connection(PolicyConnection)
        /// A record that cannot be evaluated, of several connections or of a host that forwards, with the reason.
        case untraceable(String)
    }

    /// Parses a line with a question or a record.
    ///
    /// - Throws: an error if the line is not such an object, or does not specify both endpoints.
    static func line(_ bytes: [UInt8], _ range: Range<Int>) throws(PolicyQuestionError) -> Line {
        let endsWithReturn = bytes[range].last == UInt8(ascii: "\r")
        var reader = JSONReader(bytes.span.extracting(endsWithReturn ? range.dropLast() : range))
        guard reader.peek() == UInt8(ascii: "{") else {
            throw PolicyQuestionError(JSONError.syntax("expected an object", at: reader.offset))
        }
        var members = Members()
        var isRecord = false
        var unknown: String?
        do throws(JSONError) {
            _ = try reader.enterObject()
            while let key = try reader.nextKey() {
                let name = key.string
                if !isRecord, Members.names.contains(name) {
                    members.values[name] = try value(&reader)
                } else {
                    isRecord = isRecord || PolicyRecordReader.isField(name)
                    unknown = unknown ?? name
                    try reader.skip()
                }
            }
            try reader.expectEnd()
        } catch {
            throw PolicyQuestionError(error)
        }
        if isRecord { return try PolicyRecordReader.line(bytes[range]) }
        if let unknown {
            throw PolicyQuestionError(
                description: "'\(unknown)' is not one of \(Members.names.joined(separator: ", "))"
            )
        }
        return .connection(try members.connection())
    }

    private static func value(_ reader: inout JSONReader) throws(JSONError) -> Value {
        if reader.isAtString { return try reader.string().map { .text($0) } ?? .other }
        if reader.isAtNumber { return try reader.integer().map { .number($0) } ?? .other }
        if try reader.readNull() { return .null }
        try reader.skip()
        return .other
    }

    // MARK: Members

    /// The members of a question, by name.
    private struct Members {
        static let names = ["from", "to", "protocol", "port", "source_port", "icmp_type", "icmp_code", "domain"]

        var values: [String: Value] = [:]

        func connection() throws(PolicyQuestionError) -> PolicyConnection {
            let from = try text("from")
            let to = try text("to")
            let proto = try proto()
            let port = try number("port", to: 65_535)
            let sourcePort = try number("source_port", to: 65_535)
            let icmpType = try number("icmp_type", to: 255)
            let icmpCode = try number("icmp_code", to: 255)
            let domain = try text("domain")
            guard let from else { throw PolicyQuestionError(description: "'from' is missing") }
            guard let to else { throw PolicyQuestionError(description: "'to' is missing") }
            return PolicyConnection(
                source: try PolicyEndName(from),
                destination: try PolicyEndName(to),
                proto: proto,
                port: port.map { UInt16($0) },
                sourcePort: sourcePort.map { UInt16($0) },
                icmpType: icmpType.map { UInt8($0) },
                icmpCode: icmpCode.map { UInt8($0) },
                domains: domain.map { [$0.lowercased()] }
            )
        }

        private func text(_ name: String) throws(PolicyQuestionError) -> String? {
            switch values[name] {
            case .text(let text): return text
            case .null, nil: return nil
            case .number, .other: throw PolicyQuestionError(description: "'\(name)' must be a text")
            }
        }

        private func number(_ name: String, to maximum: Int) throws(PolicyQuestionError) -> Int? {
            switch values[name] {
            case .number(let number) where 0...maximum ~= number: return number
            case .null, nil: return nil
            default: throw PolicyQuestionError(description: "'\(name)' must be a number from 0 to \(maximum)")
            }
        }

        private func proto() throws(PolicyQuestionError) -> IPProtocol {
            switch values["protocol"] {
            case .null, nil: return .tcp
            case .text(let text):
                if let proto = IPProtocol(policyText: text) { return proto }
            case .number(let number):
                if let number = UInt8(exactly: number), number > 0 { return IPProtocol(rawValue: number) }
            case .other: break
            }
            throw PolicyQuestionError(
                description: "'protocol' must be tcp, udp, sctp, icmp, icmp6 or a number from 1 to 255"
            )
        }
    }
}

extension PolicyQuestionError {
    /// The error for a line that is not a JSON object, with the column in bytes from 1.
    fileprivate init(_ error: JSONError) {
        self.init(description: "column \(error.offset + 1): \(error.reason)")
    }
}
