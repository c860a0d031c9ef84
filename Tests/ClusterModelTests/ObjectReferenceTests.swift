import ClusterModel
import Testing

/// Names come from outside and are shown on terminals and in logs.
struct ObjectReferenceTests {
    @Test(arguments: [
        ("web-1", "web-1"), ("n\nfake line", #"n\u{a}fake line"#), ("\u{1b}[31mred", #"\u{1b}[31mred"#),
        ("tab\tbell\u{7}", #"tab\u{9}bell\u{7}"#), ("\u{9b}2J", #"\u{9b}2J"#), ("größe ☃", "größe ☃"), ("", ""),
    ])
    func escapesControlCharacters(text: String, expected: String) {
        #expect(text.printable == expected)
        let reference = ObjectReference(kind: .pod, namespace: text, name: text)
        #expect(reference.description == "Pod \(expected)/\(expected)")
    }
}
