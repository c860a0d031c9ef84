import Audit
import ClusterModel
import Foundation
import Testing

/// A comparison of objects by their outlines has the same result as one of the whole objects.
@Suite struct AuditOutlineTests {
    /// Comparisons of two states that a pass over their bytes could get wrong.
    private static let pairs: [(String, String)] = [
        // A member beside the spec has the name of one in it: the one outside counts.
        (#"{"data":"a","spec":{"data":"b"}}"#, #"{"data":"a","spec":{"data":"c"}}"#),
        (#"{"order":1,"spec":{"order":2}}"#, #"{"spec":{"order":2}}"#),
        // A spec that is a selector alone is compared as one.
        (#"{"spec":{"matchLabels":{"a":"1"}}}"#, #"{"spec":{"matchLabels":{"a":"2"}}}"#),
        (#"{"spec":{"matchLabels":{"a":"1"},"x":1}}"#, #"{"spec":{"matchLabels":{"a":"2"},"x":1}}"#),
        (#"{"matchExpressions":[1],"x":1}"#, #"{"matchExpressions":[2],"x":1}"#),
        // Members that are there twice, keys with escapes, parts of another type, white space.
        (#"{"spec":{"a":1,"a":2}}"#, #"{"spec":{"a":2}}"#), (#"{"spec":{"a":1},"spec":{"b":2}}"#, #"{"spec":{"b":2}}"#),
        (#"{"spec":{"\u0061":1}}"#, #"{"spec":{"a":1}}"#), (#"{"spec":null}"#, #"{"spec":{"a":1}}"#),
        (#"{"spec":[1]}"#, #"{"spec":{"a":1}}"#),
        (#"{"spec" : { "a" : 1 , "b": [ 1 ] } }"#, #"{"spec":{"a":1,"b":[1]}}"#),
        (#"{"spec":{}}"#, #"{"spec":{"a":1}}"#), ("{}", #"{"spec":{}}"#),
        (#"{"spec":{"a":"x"}}"#, #"{"spec":{"a":"\u0078"}}"#),
        // Members that are left out, and the members of a status that are compared.
        (
            #"{"managedFields":1,"spec":{"managedFields":[2],"a":1}}"#,
            #"{"managedFields":2,"spec":{"managedFields":[3],"a":1}}"#
        ),
        (#"{"status":{"phase":"Pending","x":1,"podIPs":[{"ip":"1"}]}}"#, #"{"status":{"phase":"Running","x":2}}"#),
        (#"{"status":{"addresses":[1]}}"#, #"{"status":[1]}"#),
        // Without a spec, as endpoints.
        (
            #"{"endpoints":[{"addresses":["1"]}],"ports":[{"port":1}]}"#,
            #"{"endpoints":[{"addresses":["2"]}],"ports":[{"port":1}]}"#
        ),
        (#"{"endpoints":[{"addresses":["1"]}],"spec":{}}"#, #"{"endpoints":[{"addresses":["1"]}]}"#),
        // Elements of lists that are the same, or begin alike.
        (#"{"spec":{"a":[1,2,3,3]}}"#, #"{"spec":{"a":[1,2,3]}}"#),
        (#"{"spec":{"a":[1,2]}}"#, #"{"spec":{"a":[12,2]}}"#),
        (#"{"spec":{"a":[1, 2]}}"#, #"{"spec":{"a":[1,2,1]}}"#),
        (#"{"spec":{"a":[[1],{"b":2}]}}"#, #"{"spec":{"a":[[1],{"b":3}]}}"#),
        (#"{"spec":{"a":["x","y"]}}"#, #"{"spec":{"a":["y","x"]}}"#),
        (#"{"spec":{"a":[1]}}"#, #"{"status":{"a":[1]}}"#),
        (#"{"spec":{"a":[]}}"#, #"{"spec":{"a":[1]}}"#), (#"{"spec":{"a":[1]}}"#, #"{"spec":{"a":1}}"#),
        (#"{"spec":{"ingress":[{"action":"Deny"}],"order":1}}"#, #"{"spec":{"order":1}}"#),
        (#"{"spec":{"finalizers":["kubernetes"]}}"#, #"{"spec":{"finalizers":["kubernetes"]}}"#),
    ]

    /// An object with metadata in front of its other members.
    private static func object(_ members: String, version: Int, metadata: String = "") -> String {
        let rest = members.dropFirst().dropLast()
        return #"{"kind":"X","metadata":{"name":"db","uid":"u","resourceVersion":"\#(version)"\#(metadata)}"#
            + (rest.isEmpty ? "}" : ",\(rest)}")
    }

    private static func whole(_ text: String) -> ObjectValue? {
        let bytes = Array(text.utf8)
        return ObjectValue(in: bytes.span, 0..<bytes.count)
    }

    private static func expectSame(_ before: String, _ after: String) throws {
        let expected = ObjectComparison(try #require(whole(before)), try #require(whole(after)))
        let first = Line(verb: "create", code: 201, answered: before)
        let change = try Line(verb: "update", answered: after).change(after: [first])
        #expect(change.basis == .compared, "\(before) \(after)")
        #expect(change.changes == expected.changes, "\(before) \(after)")
        #expect(change.omitted == expected.omitted)
        // The same holds for a new object, and for a deleted one.
        let made = try Line(verb: "create", code: 201, answered: after).change()
        #expect(made.changes == ObjectComparison(.object([:]), try #require(whole(after))).changes, "\(after)")
        let gone = try Line(verb: "delete").change(after: [first])
        #expect(gone.changes == ObjectComparison(try #require(whole(before)), .object([:])).changes, "\(before)")
    }

    @Test func comparesOutlinesLikeWholeStates() throws {
        for (before, after) in Self.pairs {
            try Self.expectSame(Self.object(before, version: 1), Self.object(after, version: 2))
            try Self.expectSame(Self.object(after, version: 1), Self.object(before, version: 2))
        }
        let metadata = [
            "", #","labels":{"a":"1"}"#, #","labels":{"a":"2","b":""}"#, #","labels":{}"#, #","labels":null"#,
            #","annotations":{"n":"1","kubectl.kubernetes.io/last-applied-configuration":"{}"}"#,
            #","annotations":{"n":"2","kubectl.kubernetes.io/last-applied-configuration":"[]"}"#,
            #","finalizers":["a/b"],"managedFields":[{"a":1}]"#, #","finalizers":["c/d"],"labels":{"a":"1"}"#,
        ]
        for before in metadata {
            for after in metadata {
                let (old, new) = (#"{"spec":{"a":1}}"#, #"{"spec":{"a":1,"b":2}}"#)
                try Self.expectSame(
                    Self.object(old, version: 1, metadata: before),
                    Self.object(new, version: 2, metadata: after)
                )
            }
        }
    }

    /// Objects of recorded lines, each with pieces of another one.
    @Test func comparesRecordedOutlinesLikeWholeStates() throws {
        var objects: [String: [String]] = [:]
        for line in try Fixture.lines("writes.log") {
            let event = try AuditEvent(in: line.span, 0..<line.count)
            guard let place = event.responseObject, let target = event.target, target.subresource.isEmpty else {
                continue
            }
            let text = String(decoding: line[place], as: UTF8.self)
            guard Self.whole(text)?["kind"]?.string != "Status", !text.contains("deletionTimestamp") else { continue }
            objects[target.resource, default: []].append(text)
        }
        #expect(objects.count > 8)
        var pairs = 0
        for group in objects.values {
            for before in group.prefix(6) {
                for after in group.prefix(6) {
                    try Self.expectSame(Self.numbered(before, 1), Self.numbered(after, 2))
                    pairs += 1
                }
            }
        }
        #expect(pairs > 100)
    }

    private static func numbered(_ object: String, _ version: Int) -> String {
        var text = object.replacing(#""uid":""#, with: #""uid":"u","former":""#, maxReplacements: 1)
        if let start = text.range(of: #""resourceVersion":""#)?.upperBound {
            let end = text[start...].firstIndex(of: "\"") ?? text.endIndex
            text.replaceSubrange(start..<end, with: "\(version)")
        }
        return text
    }

    /// In the scope of policies a reader returns exactly the changes that concern policies.
    @Test(arguments: 0..<4) func scopeOfPoliciesSelectsChangesThatConcernPolicies(_ part: Int) throws {
        let seeds = try Fixture.lines("writes.log")
        var generator = SeededGenerator(UInt64(part) + 11)
        var (all, some) = (ChangeReader(), ChangeReader(scope: .policies))
        var (read, chosen) = (0, 0)
        for round in 0..<1200 {
            let seed = round < seeds.count ? seeds[round] : seeds.randomElement(using: &generator) ?? []
            let line = round < seeds.count ? seed : AuditFuzzTests.damaged(seed, &generator)
            guard let event = try? AuditEvent(in: line.span, 0..<line.count) else { continue }
            let whole = all.change(event, in: line.span)
            let found = some.change(event, in: line.span)
            read += whole == nil ? 0 : 1
            chosen += found == nil ? 0 : 1
            let expected = whole.flatMap { $0.concernsPolicies ? $0 : nil }
            #expect(found?.summary == expected?.summary)
            #expect(found?.changes == expected?.changes && found?.basis == expected?.basis)
            #expect(found?.state == expected?.state && found?.version == expected?.version)
            #expect(found?.remaining == expected?.remaining && found?.isRemoval == expected?.isRemoval)
        }
        #expect(read > 150 && chosen > 50 && chosen < read)
    }

    /// An update of a pod without another label is not compared, and the next one still is.
    @Test func keepsStatesThatAreNotCompared() throws {
        func pod(_ label: String, _ phase: String, _ version: Int) -> String {
            #"{"kind":"Pod","metadata":{"name":"db","uid":"u","resourceVersion":"\#(version)","labels":{"app":"\#(label)"}},"#
                + #""status":{"phase":"\#(phase)"}}"#
        }
        func line(_ verb: String, _ part: String, _ answered: String) -> Line {
            Line(verb: verb, resource: "pods", group: "", subresource: part, answered: answered)
        }
        var reader = ChangeReader(scope: .policies)
        var summaries: [String?] = []
        for line in [
            line("create", "", pod("a", "Pending", 1)), line("patch", "status", pod("a", "Running", 2)),
            line("patch", "", pod("b", "Failed", 3)), line("update", "", pod("c", "Failed", 2)),
        ] {
            let bytes = line.bytes
            summaries.append(reader.change(try line.event(), in: bytes.span)?.summary)
        }
        #expect(
            summaries == [
                "alice created Pod shop/db: label app added: a", nil,
                "alice patched Pod shop/db: label app a → b; phase Running → Failed",
                // This version is older than the known one.
                "alice updated Pod shop/db",
            ]
        )
    }
}
