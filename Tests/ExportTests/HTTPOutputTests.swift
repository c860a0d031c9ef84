import Foundation
import Glibc
import Testing

@testable import Export

/// Outputs over HTTP: every record is delivered or counted, whatever the server answers.
struct HTTPOutputTests {
    private static func line(_ number: Int, _ extra: String = "") -> String {
        "{\"start_time\":1700000000,\"end_time\":1700000010,\"number\":\(number),\"action\":\"allow\",\"reporter\":\"src\"\(extra)}"
    }

    private static func batch(_ numbers: Range<Int>) -> RecordBatch {
        RecordBatch(bytes: numbers.flatMap { Array((line($0) + "\n").utf8) }, records: numbers.count)
    }

    private static func numbers(_ lines: [String]) -> [Int] {
        lines.compactMap { line in
            line.components(separatedBy: "\"number\":").dropFirst().first.flatMap { Int($0.prefix { $0.isNumber }) }
        }
    }

    private func output(
        _ kind: HTTPDestination.Kind,
        _ server: HTTPServerStub,
        _ recorder: LogRecorder = LogRecorder(),
        _ change: (inout HTTPOptions) -> Void = { _ in }
    ) throws -> Output {
        let text = kind == .lines ? server.url + "/in" : "\(kind.rawValue):\(server.url)"
        var options = OutputOptions()
        options.http.hostName = "node-1"
        change(&options.http)
        return try Output(try OutputSpecification(parsing: text), options: options, logger: recorder.logger)
    }

    private static func items(_ statuses: [Int]) -> String {
        let items = statuses.map { status in
            status < 300
                ? "{\"create\":{\"_index\":\"i\",\"status\":\(status)}}"
                : "{\"create\":{\"status\":\(status),\"error\":{\"type\":\"t\",\"reason\":\"because \(status)\"}}}"
        }
        return "{\"took\":1,\"errors\":\(statuses.contains { $0 >= 300 }),\"items\":[\(items.joined(separator: ","))]}"
    }

    // MARK: Requests

    @Test func sendsLinesUnchanged() throws {
        let server = try HTTPServerStub([])
        defer { server.stop() }
        let output = try output(.lines, server)
        for first in stride(from: 0, to: 50, by: 10) { output.submit(Self.batch(first..<(first + 10))) }
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 50 && statistics.dropped == 0)
        #expect(server.requests.allSatisfy { $0.path == "/in" && $0.headers["content-type"] == "application/x-ndjson" })
        #expect(Self.numbers(server.requests.flatMap(\.lines)) == Array(0..<50))
        #expect(server.requests.first?.lines.first == Self.line(0))
    }

    @Test func bulkRequestGivesEachRecordItsOwnID() throws {
        let server = try HTTPServerStub([
            .respond(200, Self.items([201, 201])), .respond(200, Self.items([201, 201])),
        ])
        defer { server.stop() }
        let output = try output(.elasticsearch, server) { $0.index = "tigera_secure_ee_flows.cluster.{date}" }
        output.submit(Self.batch(0..<2))
        output.submit(Self.batch(2..<4))
        #expect(output.finish(within: .seconds(30)).delivered == 4)
        let requests = server.requests
        #expect(requests.map(\.path) == ["/_bulk", "/_bulk"])
        #expect(requests.allSatisfy { $0.headers["content-encoding"] == "gzip" })
        let lines = requests.flatMap(\.lines)
        try #require(Self.numbers(lines) == [0, 1, 2, 3])
        var names: Set<String> = []
        for action in stride(from: 0, to: 8, by: 2).map({ lines[$0] }) {
            let object = try JSONSerialization.jsonObject(with: Data(action.utf8)) as? [String: [String: String]]
            #expect(object?["create"]?["_index"] == "tigera_secure_ee_flows.cluster.20231114")
            names.insert(object?["create"]?["_id"] ?? "")
        }
        #expect(names.count == 4)
    }

    @Test func retriedClickHouseInsertKeepsItsToken() throws {
        let server = try HTTPServerStub([.respond(503, "busy"), .respond(200)])
        defer { server.stop() }
        let output = try output(.clickhouse, server) { $0.table = "net.flows" }
        output.submit(Self.batch(0..<3))
        #expect(output.finish(within: .seconds(30)).delivered == 3)
        let paths = server.requests.map(\.path)
        try #require(paths.count == 2)
        #expect(paths[0] == paths[1])
        #expect(paths[0].hasPrefix("/?query=INSERT%20INTO%20net.flows%20FORMAT%20JSONEachRow&"))
        #expect(paths[0].contains("insert_deduplication_token=") && paths[0].contains("skip_unknown_fields=0"))
        #expect(Self.numbers(server.requests[1].lines) == [0, 1, 2])
    }

    @Test func formatsRequestsForLokiAndSplunk() throws {
        let loki = try HTTPServerStub([], then: .respond(204))
        let splunk = try HTTPServerStub(
            [.respond(200, "{\"text\":\"Busy\",\"code\":9}")],
            then: .respond(200, "{\"code\":0}")
        )
        defer {
            loki.stop()
            splunk.stop()
        }
        let folder = TemporaryFolder()
        folder.write("secret\n", to: "log")
        chmod(folder.path + "/log", 0o600)
        let outputs = [
            try output(.loki, loki), try output(.splunk, splunk) { $0.tokenFile = folder.path + "/log" },
        ]
        for output in outputs { output.submit(Self.batch(0..<2)) }
        for output in outputs { #expect(output.finish(within: .seconds(30)).delivered == 2) }
        try #require(loki.requests.count == 1 && splunk.requests.count == 2)
        let push = HTTPServerStub.gunzip(loki.requests[0].body)
        let streams = try #require(JSONSerialization.jsonObject(with: Data(push)) as? [String: [[String: Any]]])[
            "streams"
        ]
        #expect(streams?.count == 1)
        let labels = ["action": "allow", "host": "node-1", "job": "weir", "reporter": "src"]
        #expect(streams?[0]["stream"] as? [String: String] == labels)
        let values = streams?[0]["values"] as? [[String]]
        #expect(values == [["1700000010000000000", Self.line(0)], ["1700000010000000000", Self.line(1)]])
        #expect(splunk.requests[1].headers["authorization"] == "Splunk secret")
        let event = try JSONSerialization.jsonObject(with: Data(splunk.requests[1].lines[0].utf8)) as? [String: Any]
        #expect(event?["time"] as? Int == 1_700_000_010 && event?["host"] as? String == "node-1")
        #expect((event?["event"] as? [String: Any])?["number"] as? Int == 0)
    }

    @Test func rereadsCredentialsForEachRequest() throws {
        let server = try HTTPServerStub([.respond(401)])
        defer { server.stop() }
        let folder = TemporaryFolder()
        folder.write("old", to: "log")
        chmod(folder.path + "/log", 0o600)
        let recorder = LogRecorder()
        let output = try output(.lines, server, recorder) {
            $0.user = "weir"
            $0.passwordFile = folder.path + "/log"
        }
        output.submit(Self.batch(0..<1))
        #expect(eventually { recorder.count("does not take the credentials (401)") == 1 })
        folder.write("new", to: "log")
        chmod(folder.path + "/log", 0o600)
        #expect(output.finish(within: .seconds(30)).delivered == 1)
        #expect(server.requests.first?.headers["authorization"] == "Basic d2VpcjpvbGQ=")
        #expect(server.requests.last?.headers["authorization"] == "Basic d2VpcjpuZXc=")
    }

    @Test(arguments: ["password-file", "token-file", "api-key-file", "key-file", "cert-file"])
    func rejectsWorldReadableSecret(_ option: String) throws {
        let server = try HTTPServerStub([])
        defer { server.stop() }
        let folder = TemporaryFolder()
        folder.write("secret", to: "log")
        let path = folder.path + "/log"
        chmod(path, 0o604)
        let error = #expect(throws: OutputError.self) {
            _ = try output(.lines, server) { options in
                switch option {
                case "password-file": options.passwordFile = path
                case "token-file": options.tokenFile = path
                case "api-key-file": options.apiKeyFile = path
                case "key-file": options.keyFile = path
                default: options.certificateFile = path
                }
            }
        }
        #expect(error?.reason == "\(path): everybody may read it, and it holds a secret; chmod 0600 it")
        for place in ["tls:127.0.0.1:1", "syslog:tls:127.0.0.1:1"] {
            var options = OutputOptions()
            options.http.keyFile = path
            let error = #expect(throws: OutputError.self) {
                try Output(try OutputSpecification(parsing: place), options: options, logger: LogRecorder().logger)
            }
            #expect(error?.reason.contains("everybody may read it") == true)
        }
        #expect(server.requests.isEmpty)
    }

    // MARK: Answers

    /// Failures of a server instead of an acceptance; all records arrive with the next attempt, in order.
    @Test(
        arguments: [
            .respond(403, "no"), .respond(404), .respond(408), .respond(429), .respond(500), .respond(503),
            .respond(301),
            .cut(200), .cut(503), .close, .garbage, .respond(200, "<html>welcome</html>"), .respond(200, "{}"),
            .respond(200, "{\"errors\":false,\"items\":[]}"), .silence,
            // Longer than the timeout as a whole, with something every 100 ms.
            .trickle(200, items([201, 201, 201]), pause: 100),
        ] as [HTTPServerStub.Answer]
    )
    func resendsRecordsAfterFailure(answer: HTTPServerStub.Answer) throws {
        let server = try HTTPServerStub([answer, answer], then: .respond(200, Self.items([201, 201, 201])))
        defer { server.stop() }
        let recorder = LogRecorder()
        let output = try output(.opensearch, server, recorder) {
            $0.timeout = answer.isEndless ? .milliseconds(500) : .seconds(30)
        }
        output.submit(Self.batch(0..<3))
        #expect(eventually { output.statistics.delivered == 3 })
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.dropped == 0)
        try #require(server.requests.count == 3)
        #expect(recorder.count("output is unavailable") == 1 && recorder.count("output is back") == 1)
        #expect(server.requests[0].lines == server.requests[2].lines)
    }

    /// The output does not read an answer that is larger than any valid one.
    @Test func resendsRecordsAfterOversizedAnswer() throws {
        let answer = HTTPServerStub.Answer.respond(200, String(repeating: "x", count: 5 << 20))
        let server = try HTTPServerStub([answer])
        defer { server.stop() }
        let recorder = LogRecorder()
        let output = try output(.lines, server, recorder)
        output.submit(Self.batch(0..<3))
        #expect(eventually { output.statistics.delivered == 3 })
        #expect(output.finish(within: .seconds(30)).dropped == 0)
        #expect(server.requests.count == 2 && recorder.count("output is unavailable") == 1)
    }

    /// Records and credentials go only to the configured server.
    @Test(arguments: [301, 302, 307, 308])
    func doesNotFollowRedirects(status: Int) throws {
        let other = try HTTPServerStub([])
        let server = try HTTPServerStub([.respond(status, headers: [("location", other.url + "/in")])])
        defer {
            server.stop()
            other.stop()
        }
        let recorder = LogRecorder()
        let output = try output(.lines, server, recorder)
        output.submit(Self.batch(0..<3))
        #expect(eventually { output.statistics.delivered == 3 })
        #expect(recorder.count("the server redirects (\(status)), which is not followed") == 1)
        #expect(output.finish(within: .seconds(30)).dropped == 0)
        #expect(server.requests.count == 2 && other.requests.isEmpty)
    }

    @Test func waitsForSlowAnswer() throws {
        let server = try HTTPServerStub([], then: .trickle(200, Self.items([201, 201]), pause: 10))
        defer { server.stop() }
        let output = try output(.opensearch, server)
        output.submit(Self.batch(0..<2))
        #expect(eventually { output.statistics.delivered == 2 })
        #expect(output.finish(within: .seconds(30)).dropped == 0)
        #expect(server.requests.count == 1)
    }

    /// Two identical lines are two records, which keep their identifiers when they are sent again.
    @Test func equalRecordsGetDifferentIDs() throws {
        let server = try HTTPServerStub([.cut(200)], then: .respond(200, Self.items([201, 201, 201])))
        defer { server.stop() }
        let output = try output(.elasticsearch, server)
        let lines = [Self.line(7), Self.line(7), Self.line(8)].map { $0 + "\n" }.joined()
        output.submit(RecordBatch(bytes: Array(lines.utf8), records: 3))
        #expect(eventually { output.statistics.delivered == 3 })
        #expect(output.finish(within: .seconds(30)).dropped == 0)
        try #require(server.requests.count == 2 && server.requests[0].lines == server.requests[1].lines)
        let names = stride(from: 0, to: 6, by: 2).map { server.requests[0].lines[$0] }
        #expect(Set(names).count == 3)
    }

    /// Batches of two nodes may have the same number by chance; their records must have different identifiers.
    @Test func identifiersDependOnContent() {
        func group(_ line: String) -> LineGroup { LineGroup(batch: 1, places: [0], lines: [Array(line.utf8)[...]]) }
        let (one, other) = (group(Self.line(1, ",\"host\":\"a\"")), group(Self.line(1, ",\"host\":\"b\"")))
        #expect(one.identifier(0) != other.identifier(0) && one.token != other.token)
        #expect(one.identifier(0) == group(Self.line(1, ",\"host\":\"a\"")).identifier(0))
    }

    @Test func resendsOnlyRecordsNotAccepted() throws {
        let server = try HTTPServerStub([
            .respond(200, Self.items([201, 429, 400, 409, 503])), .respond(200, Self.items([201, 503])),
            .respond(200, Self.items([201])),
        ])
        defer { server.stop() }
        let folder = TemporaryFolder()
        let recorder = LogRecorder()
        let output = try output(.elasticsearch, server, recorder) { $0.deadLetterPath = folder.path + "/log" }
        output.submit(Self.batch(0..<5))
        #expect(eventually { output.statistics.queued == 0 })
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 4 && statistics.drops == OutputDrops(rejected: 1))
        try #require(server.requests.map { Self.numbers($0.lines) } == [[0, 1, 2, 3, 4], [1, 4], [4]])
        // A record keeps its identifier.
        #expect(server.requests[0].lines[8] == server.requests[2].lines[0])
        let letter = try JSONSerialization.jsonObject(with: Data(folder.read("log"))) as? [String: Any]
        #expect((letter?["reason"] as? String)?.contains("because 400") == true)
        #expect((letter?["record"] as? [String: Any])?["number"] as? Int == 2)
        #expect(recorder.count("the server refuses records: 400") == 1)
    }

    /// Rights, a missing index or a full disk can be mended: no record is lost.
    @Test(arguments: [401, 403, 404, 408])
    func resendsRecordsThatServerBars(status: Int) throws {
        let barred = HTTPServerStub.Answer.respond(200, Self.items([status, status]))
        let server = try HTTPServerStub([barred, barred], then: .respond(200, Self.items([201, 201])))
        defer { server.stop() }
        let recorder = LogRecorder()
        let output = try output(.elasticsearch, server, recorder) { $0.barredLimit = .zero }
        output.submit(Self.batch(0..<2))
        #expect(eventually { output.statistics.queued == 0 })
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 2 && statistics.dropped == 0)
        try #require(server.requests.count == 3)
        #expect(server.requests.allSatisfy { $0.lines == server.requests[0].lines })
        // 408 is the server's own delay, and needs no operator.
        #expect((recorder.count("\(status) t because \(status)") > 0) == (status != 408))
    }

    /// A single barred record blocks its output for a limited time.
    @Test func rejectsBarredRecordAfterLimitIfOthersAreAccepted() throws {
        let server = try HTTPServerStub(
            [.respond(200, Self.items([201, 403, 201]))],
            then: .respond(200, Self.items([403]))
        )
        defer { server.stop() }
        let folder = TemporaryFolder()
        let output = try output(.elasticsearch, server) {
            $0.barredLimit = .milliseconds(300)
            $0.deadLetterPath = folder.path + "/log"
        }
        output.submit(Self.batch(0..<3))
        #expect(eventually { output.statistics.queued == 0 })
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 2 && statistics.drops == OutputDrops(rejected: 1))
        #expect(server.requests.count > 1 && server.requests.dropFirst().allSatisfy { $0.lines.count == 2 })
        #expect(folder.read("log").isEmpty == false)
    }

    /// Some versions of ClickHouse answer 500 to a value that a column does not take; such a record must not delay the others.
    @Test(arguments: [
        ("Code: 27. DB::Exception: Cannot parse input", 1), ("Code: 241. DB::Exception: Memory limit", 0),
    ])
    func rejectsRecordByClickHouseErrorCode(answer: String, rejected: Int) throws {
        let server = try HTTPServerStub([.respond(500, answer)], then: .respond(200))
        defer { server.stop() }
        let output = try output(.clickhouse, server)
        output.submit(Self.batch(0..<1))
        #expect(eventually { output.statistics.queued == 0 })
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.drops == OutputDrops(rejected: rejected) && statistics.delivered == 1 - rejected)
    }

    /// A request with one bad record is refused whole: halving it finds the bad record.
    @Test(arguments: [400, 413])
    func halvesRefusedRequest(status: Int) throws {
        let server = try HTTPServerStub(
            [
                .respond(status, "bad"), .respond(200), .respond(status, "bad"), .respond(200), .respond(status, "bad"),
            ],
            then: .respond(200)
        )
        defer { server.stop() }
        let output = try output(.lines, server)
        output.submit(Self.batch(0..<8))
        #expect(eventually { output.statistics.queued == 0 })
        let statistics = output.finish(within: .seconds(30))
        try #require(server.requests.map { $0.lines.count } == [8, 4, 4, 2, 2, 1, 1])
        #expect(Self.numbers(server.requests[0].lines) == Array(0..<8))
        #expect(statistics.delivered == 8 && statistics.dropped == 0)
    }

    @Test func limitsRequestsWhenServerRefusesAll() throws {
        let server = try HTTPServerStub([], then: .respond(400, "no such column"))
        defer { server.stop() }
        let output = try output(.lines, server)
        output.submit(Self.batch(0..<1_000))
        #expect(eventually { output.statistics.queued == 0 })
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.drops == OutputDrops(rejected: 1_000) && statistics.delivered == 0)
        #expect(server.requests.count < 100)
    }

    @Test func waitsForRetryAfter() throws {
        let server = try HTTPServerStub([.respond(429, "", headers: [("retry-after", "1")])])
        defer { server.stop() }
        let output = try output(.lines, server)
        let start = ContinuousClock.now
        output.submit(Self.batch(0..<1))
        #expect(eventually { output.statistics.delivered == 1 })
        #expect(ContinuousClock.now - start >= .seconds(1))
        _ = output.finish(within: .seconds(1))
    }

    /// Seconds, and dates in the form that servers send; nothing else.
    @Test(arguments: [
        ("0", 0), ("17", 17), ("-5", 0), ("99999999999", 300), ("", nil), ("1.5", nil), ("soon", nil),
        ("99999999999999999999", nil), ("Sun, 06 Nov 1994 08:49:37 GMT", 20), ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("Sun, 06 Nov 1994 09:49:00 GMT", 300), ("Sunday, 06-Nov-94 08:49:37 GMT", nil),
        ("Sun, 99 Nov 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994 08:49:37 GMT and", nil), ("Sun, 06 Nov 1994", nil),
    ])
    func parsesRetryAfterSecondsAndDates(text: String, seconds: Int?) {
        #expect(HTTPExchange.pause(text, now: 784_111_757) == seconds.map { .seconds($0) })
    }

    /// A server does not answer when the run ends: undelivered records are counted in time.
    @Test func finishDoesNotWaitForSilentServer() throws {
        let server = try HTTPServerStub([], then: .silence)
        defer { server.stop() }
        let output = try output(.lines, server)
        output.submit(Self.batch(0..<5))
        #expect(eventually { server.requests.count == 1 })
        let start = ContinuousClock.now
        let statistics = output.finish(within: .milliseconds(200))
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(statistics.drops == OutputDrops(unsent: 5))
    }

    // MARK: Texts

    @Test(arguments: [
        ("http://host/in", "http://host/in"), ("https://[::1]:8080", "https://[::1]:8080"),
        ("elasticsearch:https://search:9200", "elasticsearch:https://search:9200"),
        ("clickhouse:http://db:8123", "clickhouse:http://db:8123"),
    ])
    func readsURLs(text: String, said: String) throws {
        #expect("\(try OutputSpecification(parsing: text))" == said)
    }

    @Test(arguments: [
        ("http://user:secret@host/", "credentials do not belong into an address"),
        ("elasticsearch:search:9200", "a URL is needed"),
        ("https:///x", "the host is empty"), ("clickhouse:http://db/?query=x", "the URL ends before ?"),
        ("loki:", "a URL is needed"),
    ])
    func rejectsInvalidURLs(text: String, reason: String) {
        let error = #expect(throws: OutputSpecificationError.self) { try OutputSpecification(parsing: text) }
        #expect(error?.reason.contains(reason) == true)
    }

    @Test(arguments: [
        ("http://user:secret@host/in", "http://redacted@host/in"),
        ("splunk:https://a:secr/et@host", "splunk:https://redacted@host"),
        ("loki:http://host/?key=secret", "loki:http://host/?redacted"),
        ("http://user:se?cret@host/in", "http://redacted"),
        ("loki:http://host/?key=a@secret", "loki:http://redacted"),
    ])
    func redactsSecretsOfRejectedURLs(text: String, shown: String) {
        let error = #expect(throws: OutputSpecificationError.self) { try OutputSpecification(parsing: text) }
        #expect(error?.description.contains("\"\(shown)\"") == true)
        #expect(error?.description.contains("secr") == false)
    }
}
