import Foundation
import Testing

@testable import Export

/// The setup creates the objects that servers need, on the first run and on later ones.
struct ServerSetupTests {
    private func runSetup(
        _ kind: HTTPDestination.Kind,
        _ server: HTTPServerStub,
        cluster: String? = nil,
        _ change: (inout HTTPOptions) -> Void = { _ in }
    ) throws -> [String] {
        var options = HTTPOptions()
        change(&options)
        var notes: [String] = []
        try ServerSetup(HTTPDestination(kind: kind, url: server.url), options).run(days: 30, cluster: cluster) {
            notes.append($0)
        }
        return notes
    }

    @Test func createsTemplates() throws {
        let server = try HTTPServerStub([])
        defer { server.stop() }
        let notes = try runSetup(.elasticsearch, server) { $0.index = "flows" }
        #expect(notes == ["/_ilm/policy/flows", "/_component_template/flows-fields", "/_index_template/flows"])
        let requests = server.requests
        #expect(requests.allSatisfy { $0.method == "PUT" && $0.headers["content-type"] == "application/json" })
        for (request, expected) in zip(requests, IndexSchema.requests(for: .elasticsearch, index: "flows", days: 30)) {
            #expect(request.path == expected.path && String(decoding: request.body, as: UTF8.self) == expected.body)
        }
    }

    /// The first time there is no policy; later one is replaced by its version.
    @Test(arguments: [true, false])
    func replacesExistingPolicyByVersion(exists: Bool) throws {
        let server = try HTTPServerStub { request in
            guard request.method == "GET" else { return .respond(200, "{}") }
            return exists ? .respond(200, "{\"_seq_no\":7,\"_primary_term\":2,\"policy\":{}}") : .respond(404, "{}")
        }
        defer { server.stop() }
        _ = try runSetup(.opensearch, server)
        let requests = server.requests.map { "\($0.method) \($0.path)" }
        let policy = "/_plugins/_ism/policies/calico_flowlogs_standard"
        #expect(
            requests.prefix(2) == ["GET \(policy)", "PUT \(policy)" + (exists ? "?if_seq_no=7&if_primary_term=2" : "")]
        )
        #expect(requests.count == 4)
    }

    @Test func createsTables() throws {
        let server = try HTTPServerStub([])
        defer { server.stop() }
        let folder = TemporaryFolder()
        folder.write("secret", to: "log")
        let notes = try runSetup(.clickhouse, server, cluster: "east") {
            $0.table = "net.flows"
            $0.user = "weir"
            $0.passwordFile = folder.path + "/log"
        }
        #expect(notes.count == 4 && notes.first == "CREATE TABLE IF NOT EXISTS net.flows_local ON CLUSTER 'east'")
        #expect(server.requests.allSatisfy { $0.method == "POST" && $0.path == "/" })
        // Three of them add columns.
        #expect(server.requests.count == 7)
        #expect(server.requests.first?.headers["authorization"] == "Basic d2VpcjpzZWNyZXQ=")
    }

    /// The description has no error texts of libraries.
    @Test(arguments: [
        ("http://127.0.0.1:9", "connection refused"), ("https://127.0.0.1:9", "connection refused"),
        ("http://no-such-host.invalid", "the host name no-such-host.invalid cannot be resolved"),
    ])
    func describesConnectionFailure(url: String, reason: String) throws {
        let failure = #expect(throws: ServerSetup.Failure.self) {
            try ServerSetup(HTTPDestination(kind: .elasticsearch, url: url), HTTPOptions()).run(days: 1, cluster: nil) {
                _ in
            }
        }
        let said = failure?.description ?? ""
        #expect(said.hasSuffix(reason), "\(said)")
        #expect(said.contains("PUT \(url)/") && !said.contains("NIO") && !said.contains("errno"))
    }

    @Test(
        arguments: [
            (.respond(401, "who are you"), "answers 401 who are you"), (.close, "PUT "),
            (.respond(400, "{\"error\":\"no\"}"), "answers 400"),
        ] as [(HTTPServerStub.Answer, String)]
    )
    func describesFailedRequest(answer: HTTPServerStub.Answer, reason: String) throws {
        let server = try HTTPServerStub([.respond(200)], then: answer)
        defer { server.stop() }
        let failure = #expect(throws: ServerSetup.Failure.self) { try runSetup(.elasticsearch, server) }
        #expect(failure?.description.contains(reason) == true, "\(failure?.description ?? "")")
        #expect(failure?.description.contains("/_component_template/") == true)
        #expect(throws: ServerSetup.Failure.self) { try runSetup(.loki, server) }
    }
}
