import Foundation
import Testing

@testable import Export

/// Splunk's indexer acknowledgement: a record is delivered when the indexers have it.
struct SplunkTests {
    private static func batch(_ numbers: Range<Int>) -> RecordBatch {
        let lines = numbers.map { "{\"start_time\":1700000000,\"end_time\":1700000010,\"number\":\($0)}\n" }
        return RecordBatch(bytes: Array(lines.joined().utf8), records: numbers.count)
    }

    private func output(
        _ server: HTTPServerStub,
        _ recorder: LogRecorder = LogRecorder(),
        timeout: Duration = .seconds(30)
    ) throws -> Output {
        var options = OutputOptions()
        options.http.waitsForIndexers = true
        options.http.timeout = timeout
        let place = try OutputSpecification(parsing: "splunk:\(server.url)")
        return try Output(place, options: options, logger: recorder.logger)
    }

    private static func isQuery(_ request: HTTPServerStub.Request) -> Bool {
        request.path.hasPrefix("/services/collector/ack?channel=")
    }

    @Test func countsRecordsDeliveredOnAcknowledgement() throws {
        let server = try HTTPServerStub([
            .respond(200, "{\"text\":\"Success\",\"code\":0,\"ackId\":7}"), .respond(200, "{\"acks\":{\"7\":false}}"),
            .respond(200, "{\"acks\":{\"7\":true}}"), .respond(200, "{\"code\":0,\"ackId\":8}"),
        ]) { _ in .respond(200, "{\"acks\":{\"8\":true}}") }
        defer { server.stop() }
        let output = try output(server)
        output.submit(Self.batch(0..<3))
        #expect(eventually { output.statistics.delivered == 3 })
        output.submit(Self.batch(3..<4))
        #expect(output.finish(within: .seconds(30)).delivered == 4)
        let requests = server.requests
        try #require(requests.count == 5)
        #expect(requests.map(Self.isQuery) == [false, true, true, false, true])
        let channel = try #require(requests[0].headers["x-splunk-request-channel"])
        #expect(UUID(uuidString: channel) != nil)
        #expect(requests.allSatisfy { $0.headers["x-splunk-request-channel"] == channel })
        #expect(requests[1].path.hasSuffix("?channel=" + channel))
        #expect(requests[1].lines == ["{\"acks\":[7]}"] && requests[4].lines == ["{\"acks\":[8]}"])
    }

    /// Records that the indexers never acknowledge are sent again.
    @Test(arguments: ["{\"acks\":{\"7\":false}}", "{\"acks\":{}}", "<html>"])
    func resendsUnacknowledgedRecords(answer: String) throws {
        let server = try HTTPServerStub { request in
            Self.isQuery(request) ? .respond(200, answer) : .respond(200, "{\"code\":0,\"ackId\":7}")
        }
        defer { server.stop() }
        let output = try output(server, timeout: .milliseconds(400))
        output.submit(Self.batch(0..<3))
        #expect(eventually { server.requests.count { !Self.isQuery($0) } >= 2 })
        #expect(output.statistics.delivered == 0)
        #expect(output.finish(within: .milliseconds(50)).drops == OutputDrops(unsent: 3))
    }

    /// A token without acknowledgement: the output logs it, and nothing counts as delivered.
    @Test func reportsCollectorWithoutAcknowledgement() throws {
        let server = try HTTPServerStub { _ in .respond(200, "{\"code\":0}") }
        defer { server.stop() }
        let recorder = LogRecorder()
        let output = try output(server, recorder)
        output.submit(Self.batch(0..<3))
        #expect(eventually { recorder.count("switch indexer acknowledgement on") == 1 })
        #expect(output.finish(within: .milliseconds(50)).drops == OutputDrops(unsent: 3))
    }
}
