import FlowModel
import Policy
import Testing

/// The language of selectors: every operator, absent labels, canonical text, and invalid selectors.
struct SelectorTests {
    private static let labels = [
        Label(key: "app", value: "frontend"), Label(key: "empty", value: ""), Label(key: "in", value: "x"),
        Label(key: "k8s.io/a_b-c", value: "1"),
    ]

    @Test(arguments: [
        ("", true), ("  \t", true), ("all()", true), ("all( )", true), ("!all()", false), ("global()", true),
        ("has(app)", true), ("has( app )", true), ("has(nope)", false), ("!has(nope)", true), ("!!has(nope)", false),
        ("app == 'frontend'", true), ("app==\"frontend\"", true), ("app == 'front'", false), ("nope == ''", false),
        ("empty == ''", true), ("app != 'x'", true), ("app != 'frontend'", false), ("nope != 'x'", true),
        ("app in {'x', 'frontend'}", true), ("app in{'x',}", false), ("nope in {'x'}", false), ("app in {}", false),
        ("app not in {'x'}", true), ("app notin {'frontend'}", false), ("nope not in {'x'}", true),
        ("app contains 'ont'", true), ("app contains ''", true), ("app contains 'tno'", false),
        ("nope contains ''", false), ("app starts with 'front'", true), ("app startswith 'end'", false),
        ("app ends with 'end'", true), ("app endswith'front'", false), ("nope starts with ''", false),
        ("!app == 'frontend'", false), ("! app == 'x' && has(empty)", true), ("in == 'x'", true), ("in in {'x'}", true),
        ("k8s.io/a_b-c == '1'", true), ("has(a) && has(app) || has(app)", true),
        ("has(a) && (has(app) || has(app))", false),
        ("((has(app)))", true), ("!(has(app) && has(a))", true), ("app == \"it's\" || app == '\"'", false),
    ])
    func matchesLabels(_ text: String, _ expected: Bool) throws {
        let selector = try Selector(text)
        #expect(selector.matches(Self.labels) == expected)
        let again = try Selector(selector.description)
        #expect(again == selector, "\(selector)")
        #expect(again.matches(Self.labels) == expected)
    }

    @Test(arguments: [
        ("a=='b'&&c!=\"d\"", #"a == "b" && c != "d""#), ("a in {'c','b','c'}", #"a in {"b", "c"}"#),
        ("!(a not in {'x'})", #"a in {"x"}"#),
        ("(a == 'b' && c == 'd') && e == 'f'", #"a == "b" && c == "d" && e == "f""#),
        ("!(has(a) || has(b))", "!(has(a) || has(b))"),
        ("has(a) && (has(b) || has(c))", "has(a) && (has(b) || has(c))"),
        ("has(a) || has(b) && has(c)", "has(a) || (has(b) && has(c))"), ("a == '\"'", "a == '\"'"), ("", "all()"),
        ("a startswith 'b'", #"a starts with "b""#), ("!a contains 'b'", #"!(a contains "b")"#),
    ])
    func printsCanonicalText(_ text: String, _ canonical: String) throws {
        #expect(try Selector(text).description == canonical)
    }

    @Test(arguments: [
        ("a", 1), ("a =", 2), ("a = 'b'", 2), ("a == b", 5), ("a == 'b", 5), ("a == 'b' &&", 11), ("a == 'b' & c", 9),
        ("(has(a)", 7), ("has(a))", 6), ("has()", 4), ("has(a", 5), ("any()", 0), ("a in 'b'", 5), ("a in {b}", 6),
        ("a in {'b' 'c'}", 10), ("a not 'b'", 2), ("a starts 'b'", 2), ("== 'b'", 0), ("!", 1), ("a == 'b' c", 9),
        ("all() &&& all()", 8), ("a ==\n'b'", 4), ("ä == 'b'", 0),
    ])
    func reportsPositionOfError(_ text: String, _ position: Int) {
        #expect(performing: { try Selector(text) }, throws: { ($0 as? SelectorError)?.position == position })
    }

    @Test
    func limitsLengthOfKeys() throws {
        let long = String(repeating: "k", count: Selector.maximumKeyLength)
        #expect(try Selector("has(\(long))").matches([Label(key: long, value: "")]))
        #expect(throws: SelectorError.self) { try Selector("has(\(long)k)") }
    }

    @Test
    func limitsDepthOfNesting() throws {
        func nested(_ depth: Int, _ before: String = "(") -> String {
            String(repeating: before, count: depth) + "has(a)" + String(repeating: ")", count: depth)
        }
        #expect(try Selector(nested(Selector.maximumDepth)).matches([Label(key: "a", value: "")]))
        #expect(try !Selector(nested(Selector.maximumDepth - 1, "!(")).matches([Label(key: "a", value: "")]))
        #expect(throws: SelectorError.self) { try Selector(nested(Selector.maximumDepth + 1)) }
        #expect(throws: SelectorError.self) { try Selector(nested(400_000)) }
        #expect(try Selector(String(repeating: "!", count: 1_000_000) + "has(a)") == Selector("has(a)"))
    }

    @Test
    func parsesLongTextInLinearTime() throws {
        let time = try processorTime(of: parseLongTexts)
        #expect(time < .seconds(60))
    }

    private func parseLongTexts() throws {
        let wide = try Selector(Array(repeating: "a == 'b'", count: 40_000).joined(separator: " || "))
        #expect(wide.matches([Label(key: "a", value: "b")]))
        let values = (0..<60_000).map { "'v\($0)'" }.joined(separator: ",")
        #expect(try Selector("a in {\(values)}").matches([Label(key: "a", value: "v59999")]))
        let huge = String(repeating: "a == 'b' && ", count: 1_000_000)
        #expect(throws: SelectorError.self) { try Selector(huge) }
    }
}
