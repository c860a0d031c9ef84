import Testing

@testable import Filter

@Suite("invalid filters are rejected with a position and a reason")
struct FilterErrorTests {
    @Test(arguments: [
        ("dest_namespce == \"a\"", 0, "there is no field \"dest_namespce\"; did you mean dest_namespace?"),
        ("src_port == 1", 0, "there is no field \"src_port\""),
        ("has(foo)", 4, "there is no field \"foo\"; docs/fields.md lists all"),
        ("exists(action)", 0, "there is no exists(…), only has(…) and all()"),
        ("action = \"allow\"", 7, "= is no operator; == compares"),
        ("action == allow", 10, "expected a text in quotes, as in \"allow\""),
        ("action == \"denied\"", 10, "action is never \"denied\": it is one of allow, deny"),
        ("proto == \"TCP\"", 9, "proto is never \"TCP\": it is one of icmp, ipip, tcp, udp"),
        ("proto == 256", 9, "proto is never \"256\""),
        ("action == \"allow", 10, "expected a text in quotes"),
        ("action", 6, "expected an operator behind action: ==, !=, in"),
        ("dest_port contains \"4\"", 10, "contains compares texts, and dest_port is a number"),
        ("source_name < 4", 12, "< compares numbers, and source_name is a text"),
        ("source_ip > \"10.0.0.0\"", 10, "> compares numbers, and source_ip is an address"),
        ("source_ip == \"10.0.0\"", 13, "\"10.0.0\" is no address and no range as in \"10.0.0.0/8\""),
        ("source_ip == 10", 13, "expected an address or a range in quotes"),
        ("dest_port == \"http\"", 13, "\"http\" is no number from 0 to"),
        ("dest_port == 99999999999999999999", 13, "\"99999999999999999999\" is no number"),
        ("dest_port == -1", 13, "dest_port is a number: expected one"),
        ("dest_port in 80", 13, "expected { and values, as in {443}"),
        ("dest_port in {}", 14, "dest_port is a number: expected one"),
        ("dest_port in {80 443}", 17, "expected , or }"),
        ("source_name[\"a\"] == \"x\"", 11, "only labels have keys, and source_name has no labels"),
        ("source_labels[app] == \"x\"", 14, "expected the key of a label in quotes"),
        ("source_labels[\"\"] == \"x\"", 16, "expected the key of a label in quotes"),
        ("action == \"allow\" and proto == \"tcp\"", 18, "expected && or || or the end"),
        ("(action == \"allow\"", 18, "expected )"),
        ("action == \"allow\")", 17, "expected && or || or the end"),
        ("action == \"allow\" &&", 20, "expected the name of a field, has(…), ! or ("),
        ("source_name starts \"a\"", 12, "expected an operator behind source_name"),
        ("=", 0, "expected the name of a field"),
    ])
    func rejectsInvalidFilter(text: String, position: Int, reason: String) {
        let error = #expect(throws: FilterError.self) { try Filter(text) }
        #expect(error?.position == position)
        #expect(error?.reason.hasPrefix(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func marksPositionOfError() {
        let error = #expect(throws: FilterError.self) { try Filter("proto\t= \"tcp\"") }
        #expect(
            error?.description == """
                position 7: = is no operator; == compares
                  proto = "tcp"
                        ^
                """
        )
    }

    @Test func shortensLongTextAroundError() throws {
        let text = String(repeating: "all() && ", count: 500) + "bogus && " + String(repeating: "all() && ", count: 500)
        let error = try #require(throws: FilterError.self) { try Filter(text + "all()") }
        let lines = error.description.split(separator: "\n")
        #expect(lines[1].utf8.count < 140)
        let column = lines[2].count - 1
        #expect(String(Array(lines[1])[column...].prefix(5)) == "bogus")
    }

    @Test func limitsLengthAndDepth() {
        #expect(throws: FilterError.self) { try Filter(String(repeating: " ", count: Filter.maximumLength + 1)) }
        let deep = Filter.maximumDepth
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "all()" + String(repeating: ")", count: depth)
        }
        #expect(throws: Never.self) { try Filter(nested(deep)) }
        #expect(throws: FilterError.self) { try Filter(nested(deep + 1)) }
        #expect(throws: FilterError.self) { try Filter(String(repeating: "(", count: Filter.maximumLength)) }
        #expect(throws: Never.self) { try Filter(String(repeating: "!", count: 60_000) + "all()") }
    }

    /// The parser accepts random sequences of the language's tokens, or rejects them with a valid position.
    @Test func parsesOrRejectsRandomText() {
        let pieces = [
            "source_labels", "[", "]", "\"app\"", "==", "!=", "!", "(", ")", "{", "}", ",", "in", "not", "has", "has(",
            "all()", "&&", "||", "&", "<", "<=", "5", "99999999999999999999999", "'", "\"", "é", "\u{0}", " ",
            "policies",
            "starts with", "contains", "dest_ip", "\"10.0.0.0/8\"", "port", "proto",
        ]
        var state: UInt64 = 7
        var read = 0
        for _ in 0..<5_000 {
            var text = ""
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            for shift in 0..<Int(state >> 60) + 1 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += pieces[Int(state >> 33) % pieces.count] + (shift % 2 == 0 ? " " : "")
            }
            do throws(FilterError) {
                _ = try Filter(text)
                read += 1
            } catch {
                #expect(error.position >= 0 && error.position <= text.utf8.count && !error.description.isEmpty)
            }
        }
        #expect(read > 0)
    }
}
