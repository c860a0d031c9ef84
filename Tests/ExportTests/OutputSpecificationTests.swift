import Export
import Testing

/// The texts that name outputs.
struct OutputSpecificationTests {
    @Test(arguments: [
        ("stdout", OutputSpecification.standardOutput),
        ("file:/var/log/flows.log", .file(path: "/var/log/flows.log")),
        ("file:relative:with:colons", .file(path: "relative:with:colons")),
        ("unix:/run/weir.sock", .unix(path: "/run/weir.sock")),
        ("unix:" + String(repeating: "p", count: 107), .unix(path: String(repeating: "p", count: 107))),
        ("tcp:localhost:5170", .tcp(host: "localhost", port: 5170)),
        ("tcp:10.0.0.1:1", .tcp(host: "10.0.0.1", port: 1)),
        ("tcp:[::1]:65535", .tcp(host: "::1", port: 65535)),
        ("udp:[fe80::1%eth0]:514", .udp(host: "fe80::1%eth0", port: 514)),
        ("udp:collector.example.org:9999", .udp(host: "collector.example.org", port: 9999)),
    ])
    func readsAndWritesTheSame(text: String, specification: OutputSpecification) throws {
        #expect(try OutputSpecification(parsing: text) == specification)
        #expect(specification.description == text)
    }

    /// What follows `?` may be a key: it is in requests, and nowhere where an output is named.
    @Test func parametersOfURLsAreNotShown() throws {
        let specification = try OutputSpecification(parsing: "https://intake.example.org/v1?key=s3cret")
        #expect(specification.description == "https://intake.example.org/v1?redacted")
        if case .http(let destination) = specification {
            #expect(destination.url.hasSuffix("?key=s3cret"))
        } else {
            Issue.record("no URL")
        }
    }

    @Test(arguments: [
        ("", "empty"), ("stdou", "no kind"), ("stdout:", "nothing behind"), ("pipe:/x", "\"pipe\" is no kind"),
        (":x", "\"\" is no kind"), ("file:", "path is empty"), ("unix:", "path is empty"),
        ("file:a\u{0}b", "zero byte"), ("unix:" + String(repeating: "p", count: 108), "at most 107 bytes"),
        ("tcp:", "port is missing"), ("tcp:host", "port is missing"), ("tcp:[::1]", "port is missing"),
        ("tcp:host:", "port \"\" is not"), ("tcp:host:0", "port \"0\" is not"), ("tcp:host:65536", "not a number"),
        ("tcp:host:-1", "not a number"), ("tcp:host:+80", "not a number"), ("tcp:host:80x", "not a number"),
        ("tcp::80", "host is empty"), ("tcp:[]:80", "brackets are for IPv6"), ("tcp:[host]:80", "brackets are for"),
        ("udp:::1:514", "needs brackets"), ("udp:a b:514", "no host name"), ("TCP:host:80", "no kind"),
    ])
    func saysWhatIsWrongAndWhatIsRight(text: String, reason: String) {
        let error = #expect(throws: OutputSpecificationError.self) { try OutputSpecification(parsing: text) }
        let said = error?.description ?? ""
        #expect(said.contains(reason))
        #expect(said.contains("\"\(text)\""))
        for form in ["stdout", "file:PATH", "unix:PATH", "tcp:HOST:PORT", "udp:HOST:PORT"] {
            #expect(said.contains(form))
        }
    }
}
