import Foundation

/// Splunk's HTTP event collector: one event for each record.
struct SplunkDialect: HTTPDialect {
    let contentType = "application/json"
    let compresses = true
    let hostName: String
    let index: String?
    /// The channel of this sender, for collectors that acknowledge when indexers have stored the events; nil without
    /// acknowledgements.
    let channel: String?

    var headers: [(String, String)] { channel.map { [("x-splunk-request-channel", $0)] } ?? [] }

    func path(for group: LineGroup) -> String { "/services/collector/event" }

    func body(of group: LineGroup) -> [UInt8] {
        var event = ["host": hostName, "source": "weir", "sourcetype": "calico:flowlog"]
        event["index"] = index
        let data = (try? JSONSerialization.data(withJSONObject: event, options: [.sortedKeys])) ?? Data()
        let head = Array(data.dropLast())
        var body: [UInt8] = []
        for line in group.lines {
            body += head + Array(",\"time\":\(LineTime.end(of: line)),\"event\":".utf8) + line + Array("}\n".utf8)
        }
        return body
    }

    func judge(_ status: Int, _ body: [UInt8], _ group: LineGroup) -> HTTPVerdict {
        guard status == 200 else { return verdict(of: status, body) }
        struct Answer: Decodable {
            let code: Int
            let ackId: Int?
        }
        // A server that is not the collector may respond with 200.
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)), answer.code == 0 else {
            return .later("the collector does not report success: \(Self.excerpt(body))")
        }
        guard channel != nil else { return .delivered }
        guard let receipt = answer.ackId else {
            return .later("the collector does not acknowledge: switch indexer acknowledgement on for this token")
        }
        return .taken(receipt: receipt)
    }

    func question(of receipt: Int) -> (path: String, body: [UInt8]) {
        ("/services/collector/ack?channel=\(channel ?? "")", Array("{\"acks\":[\(receipt)]}".utf8))
    }

    func isSafe(_ receipt: Int, _ status: Int, _ body: [UInt8]) -> Bool? {
        struct Answer: Decodable {
            let acks: [String: Bool]
        }
        guard status == 200, let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)) else { return nil }
        return answer.acks["\(receipt)"] ?? false
    }
}
