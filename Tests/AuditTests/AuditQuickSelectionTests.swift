import Audit
import Foundation
import Testing

/// Lines that are rejected before decoding would also be rejected after it.
@Suite struct AuditQuickSelectionTests {
    private static func selection(_ choose: (inout AuditSelection) -> Void) -> AuditSelection {
        var selection = AuditSelection()
        choose(&selection)
        return selection
    }

    private static let selections = [
        selection { $0.choose(kinds: ["NetworkPolicy"]) },
        selection { $0.resources = ["pods", "networkpolicies.crd.projectcalico.org"] },
        selection { $0.resources = ["networkpolicies.networking.k8s.io", "namespaces."] },
        selection { $0.namespaces = ["shop", "payments"] }, selection { $0.namespaces = [""] },
        selection { $0.verbs = ["patch", "delete"] }, selection { $0.writesOnly = true },
        selection { $0.users = ["kubernetes-*"] }, selection { $0.users = ["alice", "system:serviceaccount:*"] },
        selection { $0.users = ["*"] }, selection { $0.users = ["b\u{e9}a"] }, selection { $0.users = [""] },
        selection { $0.stages = [.responseComplete] }, selection { $0.stages = [.panic, .requestReceived] },
        selection {
            $0.choose(kinds: ["NetworkPolicy"])
            ($0.writesOnly, $0.namespaces) = (true, ["shop"])
        },
    ]

    /// Whether a line may be selected; it is when its event is.
    private func mayMatch(_ line: [UInt8], _ selection: AuditSelection) throws -> Bool {
        let places = try AuditPlaces(in: line.span, 0..<line.count)
        let mayMatch = selection.mayMatch(places, in: line.span)
        let isSelected = selection.matches(AuditEvent(at: places, in: line.span))
        #expect(mayMatch || !isSelected, "\(selection) of \(String(decoding: line.prefix(2000), as: UTF8.self))")
        return mayMatch
    }

    /// The members of a line in another order, names and texts with escapes here and there, members twice.
    private static func rewritten(_ line: [UInt8], _ generator: inout SeededGenerator) throws -> [UInt8] {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        return Array(try text(object, depth: 0, &generator).utf8)
    }

    private static func text(_ value: Any, depth: Int, _ generator: inout SeededGenerator) throws -> String {
        if depth < 2, let object = value as? [String: Any] {
            var members: [String] = []
            for (name, value) in object.sorted(by: { $0.key < $1.key }) {
                let isTwice = Int.random(in: 0..<8, using: &generator) == 0
                for _ in 0..<(isTwice ? 2 : 1) {
                    let value = try text(value, depth: depth + 1, &generator)
                    members.append(
                        "\(quoted(name, &generator)):\(Bool.random(using: &generator) && isTwice ? "null" : value)"
                    )
                }
            }
            return "{\(members.shuffled(using: &generator).joined(separator: " ,\t"))}"
        }
        if let word = value as? String { return quoted(word, &generator) }
        return String(
            decoding: try JSONSerialization.data(withJSONObject: value, options: .fragmentsAllowed),
            as: UTF8.self
        )
    }

    private static func quoted(_ word: String, _ generator: inout SeededGenerator) -> String {
        let escapes = Int.random(in: 0..<4, using: &generator) == 0
        let units = word.utf16.map { unit -> String in
            let isPlain = 0x20...0x7e ~= unit && unit != 0x22 && unit != 0x5c
            guard !isPlain || (escapes && Int.random(in: 0..<4, using: &generator) == 0) else {
                return String(UnicodeScalar(UInt8(unit)))
            }
            return "\\u" + String(repeating: "0", count: 4 - String(unit, radix: 16).count) + String(unit, radix: 16)
        }
        return "\"\(units.joined())\""
    }

    @Test(arguments: 0..<4) func neverRejectsMatchingLine(_ part: Int) throws {
        let seeds = try Fixture.lines("writes.log") + Fixture.lines("reads.log")
        var generator = SeededGenerator(UInt64(part) + 70)
        var (rejected, selected) = (0, 0)
        for _ in 0..<600 {
            var line = try Self.rewritten(seeds.randomElement(using: &generator) ?? [], &generator)
            if Bool.random(using: &generator) { line = AuditFuzzTests.damaged(line, &generator) }
            for selection in Self.selections {
                guard let mayMatch = try? mayMatch(line, selection) else { break }
                if mayMatch { selected += 1 } else { rejected += 1 }
            }
        }
        #expect(rejected > 200)
        #expect(selected > 200)
    }

    @Test func decidesRecordedLinesExactly() throws {
        for line in try Fixture.lines("writes.log") + Fixture.lines("reads.log") {
            let event = try AuditEvent(in: line.span, 0..<line.count)
            for selection in Self.selections where selection.users.allSatisfy({ $0.utf8.allSatisfy { $0 < 0x80 } }) {
                #expect(try mayMatch(line, selection) == selection.matches(event))
            }
        }
    }

    private static let reference = #""objectRef":{"resource":"networkpolicies","namespace":"shop","name":"db","#
    private static func line(_ change: (String) -> String) -> String {
        change(Line(sent: #"{"objectRef":{"resource":"pods"}}"#).text)
    }

    @Test(
        arguments: [
            (Line().text, true),
            // The last of duplicate members counts, whatever its value.
            (Line(more: #""objectRef":{"resource":"pods","namespace":"shop"},"#).text, false),
            (
                Line(resource: "pods", more: #""objectRef":{"resource":"networkpolicies","namespace":"shop"},"#).text,
                true
            ),
            (Line(more: #""objectRef":null,"#).text, false),
            (Line(more: #""objectRef":"networkpolicies","#).text, false),
            (Line(more: #""verb":"get","#).text, false),
            (
                line {
                    $0.replacing(#""resource":"networkpolicies""#, with: #""resource":"networkpolicies","resource":7"#)
                }, false
            ),
            (
                line {
                    $0.replacing(
                        #""resource":"networkpolicies""#,
                        with: #""resource":"pods","resource":"networkpolicies""#
                    )
                }, true
            ),
            // Another objectRef is within an object, and the keys may be in a string.
            (line { $0 }, true),
            (
                Line(resource: "pods", sent: #"{"objectRef":{"resource":"networkpolicies","namespace":"shop"}}"#).text,
                false
            ),
            (Line(resource: "pods", name: #"\",\"objectRef\":{\"resource\":\"networkpolicies\"}"#).text, false),
            // Escapes, in names and in values.
            (line { $0.replacing("objectRef", with: #"\u006fbjectRef"#) }, true),
            (line { $0.replacing(#""resource":"net"#, with: #""r\u0065source":"net"#) }, true),
            (Line(resource: #"networkpolicie\u0073"#).text, true),
            (Line(verb: #"p\u0061tch"#).text, true),
            (Line(namespace: #"sho\u0070"#).text, true),
            // Hostile nesting, up to the limit of the reader.
            (Line(sent: String(repeating: "[", count: 500) + String(repeating: "]", count: 500)).text, true),
            (
                Line(
                    resource: "pods",
                    sent: String(repeating: #"{"objectRef":"#, count: 500) + "1" + String(repeating: "}", count: 500)
                ).text, false
            ),
            (Line(resource: String(repeating: "n", count: 10_000)).text, nil),
        ] as [(String, Bool?)]
    )
    func decidesHostileLines(_ text: String, _ isSelected: Bool?) throws {
        let selection = Self.selections[Self.selections.count - 1]
        let line = Array(text.utf8)
        let event = try AuditEvent(in: line.span, 0..<line.count)
        #expect(selection.matches(event) == (isSelected ?? false))
        let mayMatch = try mayMatch(line, selection)
        if let isSelected { #expect(mayMatch == isSelected) }
    }

    @Test func matchesCanonicallyEquivalentNames() throws {
        // é as one scalar and as two: String compares them as equal.
        for name in ["b\u{e9}a", "be\u{301}a", #"b\u00e9a"#] {
            let line = Array(Line(user: name).text.utf8)
            #expect(try mayMatch(line, Self.selection { $0.users = ["b\u{e9}a"] }))
            #expect(try mayMatch(line, Self.selection { $0.users = ["be\u{301}*"] }))
        }
        let kelvin = Array(Line(user: "K").text.utf8)
        #expect(try mayMatch(kelvin, Self.selection { $0.users = ["\u{212a}"] }))
    }

    @Test func countsEventsThatAreNotSelected() throws {
        var counts = AuditCounts()
        let selection = Self.selection { $0.choose(kinds: ["Pod"]) }
        for text in [Line().text, Line(resource: "pods").text, Line().text + "}"] {
            let line = Array(text.utf8)
            let event = counts.event(of: .bytes(0..<line.count), in: line, where: selection)
            #expect((event != nil) == text.contains("\"pods\""))
        }
        #expect((counts.events, counts.malformed) == (2, 1))
    }
}
