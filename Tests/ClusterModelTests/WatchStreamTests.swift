import ClusterModel
import Testing

/// Lines of watches, in all valid forms and in malformed ones.
struct WatchStreamTests {
    private static let pod = #"{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"7"}}"#

    private static func events(_ body: String, kind: ObjectKind = .pod) -> [WatchEvent] {
        WatchOutcome([Array(body.utf8)], kind: kind).events
    }

    @Test(arguments: [
        #"{"type":"MODIFIED","object":\#(pod)}"#, #"{"object":\#(pod),"type":"MODIFIED"}"#,
        #" { "x" : [ ] , "object" : 7 , "type" : "ADDED" , "object" : \#(pod) } "#,
        #"{"t\u0079pe":"ADDED","obj\u0065ct":\#(pod)}"#,
    ]) func decodesMembersInAnyOrder(_ line: String) {
        for body in [line, line + "\n", "\n\r\n \(line)\r\n\n"] {
            guard case .upsert(let object, resourceVersion: "7")? = Self.events(body).first else {
                Issue.record("\(Self.events(body))")
                continue
            }
            #expect(object.reference == ObjectReference(kind: .pod, namespace: "n", name: "a"))
        }
    }

    /// The hollow objects of recorded bookmarks, and malformed ones.
    @Test(arguments: [
        (ObjectKind.pod, #""spec":{"containers":null},"status":{}"#),
        (.endpointSlice, #""addressType":"","endpoints":null,"ports":null"#),
        (.networkPolicy, #""spec":{"podSelector":{}}"#),
        (.service, #""spec":null,"status":[]"#),
    ]) func decodesHollowBookmark(_ kind: ObjectKind, _ rest: String) {
        let line =
            #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","creationTimestamp":null},\#(rest)}}"#
        guard case .bookmark(resourceVersion: "9", isInitialEventsEnd: false)? = Self.events(line, kind: kind).first
        else {
            Issue.record("\(Self.events(line, kind: kind))")
            return
        }
    }

    @Test(arguments: [
        (#"{"type":"ADDED","object":{"metadata":{"resourceVersion":"7"}}}"#, "", "7"),
        (#"{"type":"DELETED","object":{"metadata":{"resourceVersion":"7"}}}"#, "", "7"),
        (#"{"type":"BOOKMARK","object":{"metadata":{}}}"#, "", nil),
        (#"{"type":"SYNCED","object":\#(pod)}"#, "", "7"), (#"{"object":\#(pod)}"#, "", "7"),
        (#"{"type":"ADDED"}"#, "", nil), (#"{"type":"ADDED","object":null}"#, "", nil), ("7", "", nil),
        (#"{"type":"ADDED","object":\#(pod)"#, "", "7"), (#"{"type":"ADDED","object":\#(pod)}}"#, "", "7"),
        (#"{"type":"ADDED","object":{"metadata":{"name":"a"},"spec":{"nodeName":nil}}}"#, "spec.nodeName", nil),
        (
            #"{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"7"},"spec":{"x":[1,}}}"#,
            "spec.x[1]", "7"
        ),
    ]) func reportsUnusableLineAndReadsNext(_ line: String, _ path: String, _ version: String?) {
        let events = Self.events("\(line)\n{\"type\":\"ADDED\",\"object\":\(Self.pod)}\n")
        guard events.count == 2, case .unusable(let error, let found) = events[0], case .upsert = events[1] else {
            Issue.record("\(events)")
            return
        }
        #expect(found == version)
        #expect(PathComponent.text(error.path) == path)
        #expect(!error.reason.isEmpty)
        if !path.isEmpty { #expect(error.reference?.name == "a") }
    }

    /// A list or an object in the place of an event reports no object.
    @Test(arguments: [#"{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[]}"#, pod])
    func reportsNoObjectForOtherDocument(_ line: String) {
        let events = Self.events("\(line)\n")
        guard events.count == 1, case .unusable(let error, nil) = events[0] else {
            Issue.record("\(events)")
            return
        }
        #expect(error.reference == nil)
    }

    @Test func reportsNoEventForCutLine() {
        let line = Array(#"{"type":"ADDED","object":\#(Self.pod)}"#.utf8)
        for length in 1..<line.count {
            let outcome = WatchOutcome([Array(line[..<length])], kind: .pod)
            #expect(outcome.events.isEmpty && outcome.isCut)
        }
        #expect(WatchOutcome([line], kind: .pod).text.count == 2)
        #expect(WatchOutcome([line], kind: .pod).isCut == false)
    }

    @Test(arguments: [Chunking.whole, .each(1), .each(64)]) func reportsLineOverLimit(_ chunking: Chunking) {
        let good = #"{"type":"ADDED","object":\#(Self.pod)}"#
        let long = #"{"type":"ADDED","object":{"x":"\#(String(repeating: "x", count: 1000))"}}"#
        let body = Array("\(good)\n\(long)\n\(good)\n\(long)".utf8)
        let outcome = WatchOutcome(chunking.pieces(of: body), kind: .pod, lineLimit: 500)
        #expect(outcome.isCut)
        let kinds = outcome.events.map { event in
            switch event {
            case .upsert: "upsert"
            case .unusable(let error, _): error.reason
            default: "?"
            }
        }
        #expect(kinds == ["upsert", "a line of more than 500 bytes", "upsert"])
    }
}
