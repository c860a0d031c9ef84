import API
import FlowModel
import Foundation
import Store
import Testing

/// A line as Weir writes it, with some fields set to JSON values and all others empty.
func recordLine(_ fields: [FlowField: String] = [:]) -> String {
    let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
    return "{\(members.joined(separator: ","))}"
}

/// The beginning of the bank's records, Unix seconds: a whole hour.
let bankStart: Int64 = 1_764_338_400 / 3600 * 3600

/// Records of a bank: the customer calls the summary and, denied, the database; the summary calls the database.
///
/// - Parameter flushes: how often, every ten seconds.
/// - Returns: the lines.
func bankLines(flushes: Int) -> [String] {
    let denied =
        #"{"enforced_policies":["0|application|yaobank/application.allow-customer|deny|-1"],"#
        + #""pending_policies":["0|application|yaobank/application.staged:customer-to-database|allow|0"]}"#
    let allowed =
        #"{"enforced_policies":["0|application|yaobank/application.allow-summary|allow|0"],"#
        + #""pending_policies":["0|application|yaobank/application.allow-summary|allow|0"]}"#
    func line(_ flush: Int, _ source: String, _ destination: String, _ more: [FlowField: String]) -> String {
        let end = bankStart + Int64(flush + 1) * 10
        var fields: [FlowField: String] = [
            .startTime: "\(end - 10)", .endTime: "\(end)", .sourceType: "\"wep\"", .destType: "\"wep\"",
            .proto: "\"tcp\"",
            .sourceNamespace: "\"yaobank\"", .destNamespace: "\"yaobank\"", .sourceNameAggr: "\"\(source)-*\"",
            .destNameAggr: "\"\(destination)-*\"", .destServiceNamespace: "\"yaobank\"",
            .destServiceName: "\"\(destination)\"",
        ]
        for (field, value) in more { fields[field] = value }
        return recordLine(fields)
    }
    return (0..<flushes).flatMap { flush in
        [
            line(
                flush,
                "customer",
                "summary",
                [.destPort: "80", .numFlowsStarted: "3", .bytesOut: "300", .bytesIn: "700", .policies: allowed]
            ),
            line(
                flush,
                "customer",
                "summary",
                [
                    .destPort: "80", .numFlowsStarted: "3", .bytesOut: "700", .bytesIn: "300", .policies: allowed,
                    .reporter: "\"dst\"",
                ]
            ),
            line(
                flush,
                "customer",
                "database",
                [.destPort: "2379", .action: "\"deny\"", .numFlowsStarted: "1", .bytesOut: "60", .policies: denied]
            ),
            line(
                flush,
                "summary",
                "database",
                [.destPort: "2379", .numFlowsStarted: "2", .bytesOut: "5000", .policies: allowed]
            ),
        ]
    }
}

/// A store in memory with some lines.
func store(_ lines: [String]) throws -> (StoreReader, StoreWriter) {
    let writer = try StoreWriter.inMemory()
    for line in lines { writer.take(Array((line + "\n").utf8)) }
    writer.commit()
    return (StoreReader(of: writer), writer)
}

/// The members of an answer that the OpenAPI document has.
func documentedMembers(of name: String, method: String = "get") throws -> Set<String> {
    var value: Any? = try JSONSerialization.jsonObject(with: Data(OpenAPI.document(version: "1")))
    let path = [
        "paths", "/api/v1/\(name)", method, "responses", "200", "content", "application/json", "schema", "properties",
    ]
    for member in path { value = (value as? [String: Any])?[member] }
    return Set(try #require(value as? [String: Any]).keys)
}
