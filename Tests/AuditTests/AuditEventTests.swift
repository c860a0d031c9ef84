import Audit
import Foundation
import Testing

/// The decoding of events.
@Suite struct AuditEventTests {
    private func read(_ text: String) throws -> AuditEvent {
        let bytes = Array(text.utf8)
        return try AuditEvent(in: bytes.span, 0..<bytes.count)
    }

    @Test(arguments: ["writes.log", "reads.log"]) func decodesRecordedLinesAsFoundationDoes(_ name: String) throws {
        let lines = try Fixture.lines(name)
        #expect(lines.count >= 40)
        for line in lines {
            let event = try AuditEvent(in: line.span, 0..<line.count)
            let reference = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
            let object = reference["objectRef"] as? [String: Any] ?? [:]
            let user = reference["user"] as? [String: Any] ?? [:]
            let status = reference["responseStatus"] as? [String: Any] ?? [:]
            #expect(event.auditID == reference["auditID"] as? String)
            #expect(event.verb == reference["verb"] as? String)
            #expect(event.stage.rawValue == reference["stage"] as? String)
            #expect(event.level.rawValue == reference["level"] as? String)
            #expect(event.requestURI == reference["requestURI"] as? String)
            #expect(event.user.name == user["username"] as? String)
            #expect(event.user.groups == user["groups"] as? [String] ?? [])
            #expect(event.sourceIPs == reference["sourceIPs"] as? [String])
            #expect(event.target?.resource == object["resource"] as? String)
            #expect(event.target?.subresource ?? "" == object["subresource"] as? String ?? "")
            #expect(event.target?.group ?? "" == object["apiGroup"] as? String ?? "")
            #expect(event.status?.code == status["code"] as? Int)
            for (place, key) in [(event.requestObject, "requestObject"), (event.responseObject, "responseObject")] {
                #expect((place == nil) == (reference[key] == nil))
                guard let place else { continue }
                let part =
                    try JSONSerialization.jsonObject(with: Data(line[place]), options: .fragmentsAllowed) as? NSObject
                #expect(part == reference[key] as? NSObject)
            }
        }
    }

    @Test func readsTimesInMicroseconds() throws {
        var line = Line()
        line.time = "2026-11-21T11:50:27.194713Z"
        // date -u -d 2026-11-21T11:50:27Z +%s
        #expect(try line.event().time == 1_795_261_827_194_713)
        line.time = "2026-11-21T11:50:27Z"
        #expect(try line.event().time == 1_795_261_827_000_000)
        line.time = "yesterday"
        #expect(try line.event().time == 0)
    }

    @Test(arguments: [
        "", "null", "[]", "{}", "{\"kind\":\"Event\"}", "{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"auditID\":\"x\"}",
        #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"Panic","verb":"get"}"#,
        String(Line().text.dropLast()), Line().text + "}", Line().text.replacing("200", with: "0200"),
        Line().text.replacing("alice", with: "a\u{1}"), Line().text.replacing("alice", with: "\\ud8"),
        Line(more: "\"deep\":" + String(repeating: "[", count: 100_000) + ",").text,
        Line(more: "\"deep\":" + String(repeating: "[", count: 600) + String(repeating: "]", count: 600) + ",").text,
    ])
    func countsMalformedEventWithReason(_ text: String) {
        var counts = AuditCounts()
        let bytes = Array(text.utf8)
        let event = counts.event(of: .bytes(0..<bytes.count), in: bytes)
        #expect(event == nil)
        #expect(counts.malformed == (text.isEmpty ? 0 : 1))
        #expect((counts.firstError == nil) == text.isEmpty)
    }

    @Test(arguments: 0..<14) func truncatesLongTextToValidText(_ shift: Int) throws {
        // The cut falls on each byte of an escape in turn.
        let long =
            String(repeating: "x", count: AuditEvent.textLimit - shift) + "\\ud83d\\ude00"
            + String(repeating: "\\\\", count: 9000)
        let event = try read(Line(user: long, more: #""userAgent":"ä\n","#).text)
        #expect(event.user.name.hasSuffix("…"))
        #expect(event.user.name.utf8.count <= AuditEvent.textLimit + 10)
        #expect(event.user.name.hasPrefix(String(repeating: "x", count: AuditEvent.textLimit - 24)))
        #expect(event.userAgent == "ä\n")
        #expect(event.verb == "patch")
    }

    @Test func usesLastOfDuplicateMembers() throws {
        #expect(try read(Line(more: #""verb":"delete","#).text).verb == "delete")
    }

    @Test(
        arguments: [
            (Line(), AuditOutcome.done), (Line(code: 201), .done), (Line(code: 403), .denied),
            (Line(code: 401), .denied),
            (Line(code: 409), .conflict), (Line(code: 422), .failed), (Line(code: 500), .failed),
            (Line(code: 0), .unfinished),
            (Line(stage: "RequestReceived", code: 0), .unfinished), (Line(stage: "Panic", code: 500), .panicked),
            (Line(uri: "/apis/x?fieldManager=a&dryRun=All"), .dryRun), (Line(uri: "/apis/x?dryRun="), .done),
            (Line(uri: "/apis/x?dryRun=All", code: 403), .denied), (Line(uri: "/apis/dryRun=All"), .done),
        ] as [(Line, AuditOutcome)]
    )
    func classifiesOutcomes(_ line: Line, _ outcome: AuditOutcome) throws {
        #expect(try line.event().outcome == outcome)
    }

    /// Events of a run, which needs no clients.
    @Test func summarizedEventsKeepWhatChangesNeed() throws {
        for line in try Fixture.lines("writes.log") {
            let places = try AuditPlaces(in: line.span, 0..<line.count)
            let brief = AuditEvent(at: places, in: line.span, isBrief: true)
            var event = AuditEvent(at: places, in: line.span)
            #expect(!event.sourceIPs.isEmpty && !event.requestURI.isEmpty && !event.user.groups.isEmpty)
            (event.requestURI, event.sourceIPs, event.userAgent, event.authorization) = ("", [], "", ("", ""))
            event.user.groups = []
            event.impersonated?.groups = []
            #expect(brief == event)
        }
    }

    private static let options = #"{"kind":"DeleteOptions","apiVersion":"networking.k8s.io/v1"}"#
    private static let dryRun = #"{"kind":"DeleteOptions","apiVersion":"networking.k8s.io/v1","dryRun":["All"]}"#
    private static let query = "/apis/x?dryRun=All"
    private static let truncated = #""annotations":{"audit.k8s.io/truncated":"true"},"#
    private static let evictionOfNothing =
        #"{"kind":"Eviction","apiVersion":"policy/v1","deleteOptions":{"dryRun":["All"]}}"#

    /// The expected values are those of a kube-apiserver 1.36, which removed the object or did not.
    @Test(
        arguments: [
            (Line(verb: "delete", sent: dryRun), true), (Line(verb: "delete", sent: options), false),
            (Line(verb: "delete", uri: query), true), (Line(verb: "delete", uri: query, sent: options), false),
            (Line(verb: "deletecollection", sent: dryRun), true),
            (Line(verb: "deletecollection", uri: query, sent: options), false),
            (Line(verb: "delete", uri: query, more: truncated), false),
            (Line(verb: "create", resource: "pods", subresource: "eviction", sent: evictionOfNothing), true),
            (Line(verb: "create", uri: query, resource: "pods", subresource: "eviction", sent: "{}"), true),
            (Line(verb: "create", resource: "pods", subresource: "eviction", sent: "{}"), false),
            // The body of an update is the object.
            (Line(verb: "update", sent: #"{"dryRun":["All"]}"#), false),
            (Line(uri: "/apis/x?dry%52un=%41ll"), true), (Line(uri: #"/apis/x?dry\u0052un=All"#), true),
            (Line(uri: #"/apis/x?dry%5\u0032un=All"#), true), (Line(uri: "/apis/x?a?b&dryRun=All"), true),
            (Line(uri: "/apis/x?dryRun=All%"), false), (Line(uri: "/apis/x?dryRun=All;"), false),
            (Line(uri: "/apis/x?dryRun=%zz&dryRun=All"), true),
            (Line(uri: "/apis/x?a=" + String(repeating: "a", count: 5000) + "&dryRun=All"), true),
        ] as [(Line, Bool)]
    )
    func detectsDryRuns(_ line: Line, _ isTrial: Bool) throws {
        let event = try line.event()
        #expect(event.isDryRun == isTrial)
        #expect(event.outcome == (isTrial ? .dryRun : .done))
    }

    @Test func countsDeletionWithoutBodyAsDone() throws {
        let line = Line(verb: "delete", uri: Self.query).text.replacing("RequestResponse", with: "Metadata")
        #expect(try read(line).outcome == .done)
    }

    @Test(arguments: [
        ("secrets", "", true), ("serviceaccounts", "token", true), ("tokenreviews", "", true), ("pods", "", false),
        ("serviceaccounts", "", false),
    ])
    func doesNotReadCredentials(_ resource: String, _ part: String, _ isSecret: Bool) throws {
        let line = Line(
            verb: "create",
            resource: resource,
            group: "",
            subresource: part,
            sent: #"{"data":{"p":"c2VjcmV0"}}"#,
            answered: #"{"metadata":{"labels":{"p":"c2VjcmV0"}}}"#
        )
        let event = try line.event()
        #expect(event.isSecret == isSecret)
        #expect((event.requestObject == nil) == isSecret)
        #expect((event.responseObject == nil) == isSecret)
        if isSecret { #expect(!(try line.change().summary.contains("c2VjcmV0"))) }
    }

    @Test func selectsEventsByFilters() throws {
        let lines = try Fixture.lines("writes.log")
        let events = try lines.map { try AuditEvent(in: $0.span, 0..<$0.count) }
        func count(_ choose: (inout AuditSelection) -> Void) throws -> Int {
            var selection = AuditSelection()
            choose(&selection)
            for (line, event) in zip(lines, events) where selection.matches(event) {
                let mayMatch = selection.mayMatch(try AuditPlaces(in: line.span, 0..<line.count), in: line.span)
                #expect(mayMatch)
            }
            return events.filter { selection.matches($0) }.count
        }
        // jq -c 'select(…)' on the same file.
        #expect(try count { _ in } == 120)
        #expect(try count { $0.choose(kinds: ["NetworkPolicy"]) } == 9)
        #expect(try count { $0.choose(kinds: ["networkpolicies.crd.projectcalico.org"]) } == 1)
        #expect(try count { $0.verbs = ["delete", "update"] } == 24)
        #expect(
            try count {
                $0.namespaces = ["payments"]; $0.verbs = ["delete"]
            } == 3
        )
        #expect(try count { $0.users = ["kubernetes-*"] } == 39)
        #expect(try count { $0.stages = [.panic] } == 0)
        #expect(try count { $0.writesOnly = true } == 120)
    }
}
