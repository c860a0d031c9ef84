import FlowModel
import Foundation
import Testing

/// `weir ui`, as an operator runs it and as programs query it.
@Suite struct UICommandTests {
    private let folder: TemporaryFolder
    private let flows: String

    init() throws {
        folder = try TemporaryFolder()
        flows = folder.file("flows.log")
        let fields: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .action: "\"deny\"", .numFlowsStarted: "3",
            .sourceNameAggr: "\"<script>alert(1)</script>\"", .sourceType: "\"wep\"",
        ]
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        try Data("{\(members.joined(separator: ","))}\n".utf8).write(to: URL(fileURLWithPath: flows))
    }

    /// Starts the server, and returns it with the URL that it prints.
    private func serve(_ more: [String] = []) throws -> (process: ChildProcess, url: String) {
        let process = try ChildProcess(
            [WeirProgram.path, "ui", "--from", flows, "--listen", "127.0.0.1:0"] + more,
            keepingIn: folder
        )
        let isThere = eventually { process.output.contains("\n") || process.hasEnded }
        try #require(isThere && process.output.hasPrefix("http://127.0.0.1:"), "\(process.errors)")
        return (process, process.output.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private func ask(_ url: String, _ more: [String] = []) throws -> String {
        let process = try ChildProcess(
            ["curl", "-s", "-m", "20", "-w", "\n%{http_code}"] + more + [url],
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        return process.output
    }

    @Test func servesAPIFromFileUntilSignal() throws {
        let (process, url) = try serve()
        let status = try ask("\(url)api/v1/status")
        #expect(status.hasSuffix("\n200"), "\(status)")
        #expect(status.contains("\"records\":1"))
        let query = try ask(
            "\(url)api/v1/query?group_by=source&sum=denied_connections&since=1764338000&until=1764339000"
        )
        #expect(query.contains("\"sums\":[3]"), "\(query)")
        #expect(try ask("\(url)api/v1/query?group_by=nonsense").hasSuffix("\n400"))
        #expect(try ask("\(url)api/v1/nothing").hasSuffix("\n404"))
        #expect(try ask("\(url)api/v1/status", ["-X", "DELETE"]).contains("\n40"))
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    @Test func rejectsForeignHostHeader() throws {
        let (process, url) = try serve()
        #expect(try ask("\(url)api/v1/status", ["-H", "Host: rebound.example"]).hasSuffix("\n403"))
        #expect(try ask("\(url)api/v1/live", ["-H", "Host: rebound.example"]).hasSuffix("\n403"))
        #expect(try ask("\(url)api/v1/status", ["-H", "Host: localhost:1"]).hasSuffix("\n200"))
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
    }

    /// A page of another site makes the browser ask in vain; a link to the page works.
    @Test func rejectsRequestsOfOtherSites() throws {
        let (process, url) = try serve()
        let other = ["-H", "Sec-Fetch-Site: cross-site"]
        for path in ["api/v1/status", "api/v1/live", "api/v1/records?format=csv"] {
            let answer = try ask(url + path, other)
            #expect(answer.hasSuffix("\n403") && answer.contains("foreign_site"), "\(path): \(answer)")
        }
        #expect(try ask("\(url)api/v1/policy/preview", ["-d", ""] + other).hasSuffix("\n403"))
        #expect(try ask(url, other).hasSuffix("\n200"))
        for site in ["same-origin", "none"] {
            #expect(try ask("\(url)api/v1/status", ["-H", "Sec-Fetch-Site: \(site)"]).hasSuffix("\n200"), "\(site)")
        }
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
    }

    /// Requests for the head alone of streams and downloads leave all eight places free.
    @Test func headRequestsHoldNoStream() throws {
        let (process, url) = try serve()
        for path in ["api/v1/live", "api/v1/records?format=csv&since=1764338000"] {
            for _ in 0..<9 { #expect(try ask(url + path, ["-I"]).hasSuffix("\n200"), "\(path)") }
        }
        let download = try ask("\(url)api/v1/records?format=csv&since=1764338000")
        #expect(download.hasSuffix("\n200") && download.contains("deny"), "\(download)")
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
    }

    @Test func servesPageWithStrictContentSecurityPolicy() throws {
        let (process, url) = try serve()
        let page = try ask(url, ["-D", "-"])
        #expect(page.hasSuffix("\n200"), "\(page)")
        #expect(page.lowercased().contains("content-security-policy: default-src 'none'"))
        #expect(page.lowercased().contains("content-type: text/html"))
        let tag = page.split(separator: "\r\n").first { $0.lowercased().hasPrefix("etag: ") }
        let value = try #require(tag).dropFirst(6)
        #expect(try ask(url, ["-H", "If-None-Match: \(value)"]).hasSuffix("\n304"))
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
    }

    /// With an inventory a denied connection is explained rule by rule, also where the record names workloads only.
    @Test(arguments: [true, false]) func explainListsChecksOfRules(_ hasNames: Bool) throws {
        let inventory = folder.file("bank.yaml")
        try Data(PolicyInventory.bank.utf8).write(to: URL(fileURLWithPath: inventory))
        let path = folder.file("bank.log")
        let hit = "0|application|yaobank/application.allow-customer|deny|-1"
        var fields: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .action: "\"deny\"", .proto: "\"tcp\"", .destPort: "2379",
            .numFlowsStarted: "1", .reporter: "\"dst\"", .sourceType: "\"wep\"", .destType: "\"wep\"",
            .sourceNamespace: "\"yaobank\"", .sourceNameAggr: "\"customer-856cd6d9f5-bl2sn\"",
            .destNamespace: "\"yaobank\"", .destNameAggr: "\"database-69f6f4db5b-wd2lr\"",
            .policies: "{\"enforced_policies\":[\"\(hit)\"],\"pending_policies\":[\"\(hit)\"]}",
        ]
        if hasNames {
            fields[.sourceName] = "\"customer-856cd6d9f5-bl2sn\""
            fields[.destName] = "\"database-69f6f4db5b-wd2lr\""
        }
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        try Data("{\(members.joined(separator: ","))}\n".utf8).write(to: URL(fileURLWithPath: path))
        let process = try ChildProcess(
            [WeirProgram.path, "ui", "--from", path, "--listen", "127.0.0.1:0", "--inventory", inventory],
            keepingIn: folder
        )
        let isThere = eventually { process.output.contains("\n") || process.hasEnded }
        try #require(isThere && process.output.hasPrefix("http://127.0.0.1:"), "\(process.errors)")
        let url = process.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let answer = try ask("\(url)api/v1/explain?since=1764338000&until=1764339000")
        #expect(answer.hasSuffix("\n200"))
        #expect(answer.contains("\"checks\":[\"") && answer.contains("rule 0 (spec.ingress[0])"), "\(answer)")
        #expect(!answer.contains("needs an inventory"), "\(answer)")
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    /// The rules of the inventory are not checked for a connection that a host forwards, and a note says so.
    @Test func explainNotesForwardedConnection() throws {
        let inventory = folder.file("bank.yaml")
        try Data(PolicyInventory.bank.utf8).write(to: URL(fileURLWithPath: inventory))
        let line = try String(contentsOfFile: flows, encoding: .utf8)
            .replacing("\"reporter\":\"src\"", with: "\"reporter\":\"fwd\"")
        try Data(line.utf8).write(to: URL(fileURLWithPath: flows))
        let (process, url) = try serve(["--inventory", inventory])
        let answer = try ask("\(url)api/v1/explain?since=1764338000&until=1764339000")
        #expect(answer.hasSuffix("\n200"))
        let note = "the inventory is not asked about forwarded connections; an end that is watched has a record"
        #expect(answer.contains(note), "\(answer)")
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    /// The document that is served is the one in docs, has every endpoint, and refers to nothing that it lacks.
    @Test func openAPIDocumentIsComplete() throws {
        let printed = try ChildProcess([WeirProgram.path, "schema", "openapi"], keepingIn: folder)
        #expect(printed.wait() == 0, "\(printed.errors)")
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let copy = try String(contentsOf: root.appendingPathComponent("docs/openapi.json"), encoding: .utf8)
        #expect(printed.output == copy, "weir schema openapi > docs/openapi.json")
        let (process, url) = try serve()
        #expect(try ask("\(url)api/v1/openapi.json") == copy + "\n200")
        let document = try #require(try JSONSerialization.jsonObject(with: Data(copy.utf8)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: Any])
        for path in paths.keys where path != "/api/v1/live" {
            let isPost = (paths[path] as? [String: Any])?["post"] != nil
            let answer = try ask("\(url)\(path.dropFirst())?unknown=1", isPost ? ["-X", "POST"] : [])
            #expect(answer.hasSuffix("\n400") && answer.contains("unknown_parameter"), "\(path): \(answer)")
        }
        let components = try #require(document["components"] as? [String: [String: Any]])
        for reference in copy.matches(of: /"#\/components\/([a-z]+)\/([A-Za-z]+)"/) {
            #expect(components[String(reference.1)]?[String(reference.2)] != nil, "\(reference.0)")
        }
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
    }

    /// The page loads without the token, and prompts for it; its data requires it.
    @Test func tokenProtectsDataButNotPage() throws {
        let token = folder.file("token")
        try Data("0123456789abcdef\n".utf8).write(to: URL(fileURLWithPath: token))
        chmod(token, 0o600)
        let (process, url) = try serve(["--token-file", token])
        #expect(try ask(url).hasSuffix("\n200"))
        #expect(try ask("\(url)assets/main.js").hasSuffix("\n200"))
        #expect(try ask("\(url)api/v1/status").hasSuffix("\n401"))
        #expect(try ask("\(url)api/v1/live", ["-H", "Authorization: Bearer 0123456789abcdeX"]).hasSuffix("\n401"))
        #expect(try ask("\(url)assets/../api/v1/status", ["--path-as-is"]).hasSuffix("\n401"))
        #expect(try ask("\(url)/api/v1/status").hasSuffix("\n401"))
        #expect(try ask("\(url)api/v1/status", ["-H", "Authorization: Bearer 0123456789abcdef"]).hasSuffix("\n200"))
        #expect(try ask("\(url)api/v1/status", ["-H", "X-Weir-Token: 0123456789abcdef"]).hasSuffix("\n200"))
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    /// A name may contain markup.
    @Test func recordsAreServedAsJSONWithNosniff() throws {
        let (process, url) = try serve()
        let answer = try ask("\(url)api/v1/records?since=1764338000&until=1764339000", ["-D", "-"])
        #expect(answer.contains("alert(1)"), "\(answer)")
        #expect(answer.lowercased().contains("content-type: application/"), "\(answer)")
        #expect(!answer.lowercased().contains("html"), "\(answer)")
        #expect(answer.lowercased().contains("x-content-type-options: nosniff"))
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
    }

    @Test(
        arguments: [
            (["--listen", "0.0.0.0:0"], 2, "--token-file"), (["--listen", "nonsense"], 2, "nonsense"),
            (["--from", "/nowhere"], 1, "/nowhere"), (["--store", "/nowhere"], 1, "/nowhere"),
        ] as [([String], Int32, String)]
    )
    func rejectsUnusableArguments(_ arguments: [String], _ status: Int32, _ text: String) throws {
        let process = try ChildProcess([WeirProgram.path, "ui"] + arguments, keepingIn: folder)
        #expect(process.wait() == status)
        #expect(process.errors.contains(text), "\(process.errors)")
    }
}
