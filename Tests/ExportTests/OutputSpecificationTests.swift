@testable import Export
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
    func roundTripsDescription(text: String, specification: OutputSpecification) throws {
        #expect(try OutputSpecification(parsing: text) == specification)
        #expect(specification.description == text)
    }

    /// The text after `?` may be a key: requests have it, and the description of an output never does.
    @Test func redactsURLParameters() throws {
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
        ("tcp:", "port are missing"), ("tcp:host", "port is missing"), ("tcp:[::1]", "port is missing"),
        ("tcp:host:", "port \"\" is not"), ("tcp:host:0", "port \"0\" is not"), ("tcp:host:65536", "not a number"),
        ("tcp:host:-1", "not a number"), ("tcp:host:+80", "not a number"), ("tcp:host:80x", "not a number"),
        ("tcp::80", "host is empty"), ("tcp:[]:80", "brackets are for IPv6"), ("tcp:[host]:80", "brackets are for"),
        ("udp:::1:514", "needs brackets"), ("udp:a b:514", "has a space"), ("TCP:host:80", "no kind"),
    ])
    func describesErrorAndValidForms(text: String, reason: String) {
        let error = #expect(throws: OutputSpecificationError.self) { try OutputSpecification(parsing: text) }
        let said = error?.description ?? ""
        #expect(said.contains(reason))
        #expect(said.contains("\"\(text)\""))
        for form in ["stdout", "file:PATH", "unix:PATH", "tcp:HOST:PORT", "udp:HOST:PORT"] {
            #expect(said.contains(form))
        }
    }

    /// Kinds with a host and a port, and malformed addresses for each of them, with a part of the reason.
    @Test(
        arguments: ["tcp", "tls", "udp", "syslog:tcp", "syslog:udp", "syslog:tls"],
        [
            ("//host:514", "FORM, without slashes"), ("host:514/", "FORM, without slashes"), ("host", "FORM"),
            ("", "FORM"), ("host:", "from 1 to 65535"), ("host:0", "from 1 to 65535"),
            ("host:65536", "from 1 to 65535"),
            ("host:514:514", "needs brackets"), (" host:514", "has a space"), ("host :514", "has a space"),
            ("host: 514", "has a space"), ("host:514\n", "control character"), ("user@host:514", "credentials"),
            ("user:pass@host:514", "credentials"), ("ho?st:514", "no host name has"), ("höst:514", "no host name has"),
            ("a..b:514", "is no host name"), (String(repeating: "a", count: 64) + ":514", "is no host name"),
            ("300.1.1.1:514", "no IPv4 address"), ("10.0.1:514", "no IPv4 address"), ("514:514", "no IPv4 address"),
            ("[::g]:514", "no IPv6 address"), ("[fe80::1%]:514", "no IPv6 address"), ("[::1]514", "from 1 to 65535"),
        ]
    )
    func rejectsMalformedAddresses(kind: String, _ place: (text: String, reason: String)) {
        let error = #expect(throws: OutputSpecificationError.self) {
            try OutputSpecification(parsing: "\(kind):\(place.text)")
        }
        let wanted = place.reason.replacing("FORM", with: "the form is \(kind):HOST:PORT")
        #expect(error?.reason.contains(wanted) == true, "\(error?.reason ?? "accepted")")
        #expect(error?.description.contains("pass@") != true)
    }

    /// Kinds with a URL, and malformed URLs for each of them.
    @Test(
        arguments: ["elasticsearch:", "opensearch:", "clickhouse:", "loki:", "splunk:", ""],
        [
            ("http:host:9200", "a URL is needed, as in"), ("http:/host:9200", "a URL is needed, as in"),
            ("http://", "host is empty"), ("http://:9200", "host is empty"), ("https://:", "host is empty"),
            ("https://host::", "needs brackets"), ("https://::1:", "needs brackets"),
            ("https://host:8443:", "needs brackets"), ("https://host:8443:/a", "needs brackets"),
            ("http://host:0", "from 1 to 65535"), ("http://host:65536", "from 1 to 65535"),
            ("http://host:92OO", "from 1 to 65535"), ("https://http://host", "from 1 to 65535"),
            ("http://ho st:9200", "has a space"), ("http://host:9200/a b", "no spaces"),
            ("http://host:9200/ä", "is not ASCII"), ("http://user:pass@host:9200", "credentials"),
            ("http://user@host", "credentials"), ("http://user:/pass@host", "credentials"),
            ("http://::1:9200", "needs brackets"),
            ("http://[::g]:9200", "no IPv6 address"), ("http://10.0.1:9200", "no IPv4 address"),
            ("http://ho%20st", "no host name has"), ("http://host/#a", "# names no server"),
        ]
    )
    func rejectsMalformedURLs(kind: String, _ url: (text: String, reason: String)) {
        let error = #expect(throws: OutputSpecificationError.self) {
            try OutputSpecification(parsing: kind + url.text)
        }
        #expect(error?.reason.contains(url.reason) == true, "\(error?.reason ?? "accepted")")
        #expect(error?.description.contains("pass@") != true)
    }

    /// Schemes in the wrong place, and the valid form.
    @Test(arguments: [
        ("elasticsearch:host:9200", "as in elasticsearch:https://"),
        ("clickhouse://db:8123", "as in clickhouse:http://"),
        ("loki:ftp://host", "as in loki:http://"), ("http:http://host", "as in https://collector"),
        ("syslog://host:514", "syslog:tcp:HOST:PORT"), ("syslog+tcp:host:514", "no kind"),
        ("syslog:host:514", "the form is"),
        ("file:///var/log/flows.log", "without //"), ("file://host/flows.log", "without //"),
        ("unix:///run/x", "without //"),
        ("file: /var/log/flows.log", "with a space"), ("file:/var/log/", "names a folder"),
        ("unix:/run/x ", "with a space"),
        (" stdout", "no kind"), ("https:host", "a URL is needed"),
        ("splunk:https://host?key=1", "parameters are options"),
    ])
    func suggestsValidForm(text: String, reason: String) {
        let error = #expect(throws: OutputSpecificationError.self) { try OutputSpecification(parsing: text) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "accepted")")
    }

    /// A colon without a port means the usual port (RFC 3986, 3.2.3).
    @Test(arguments: ["elasticsearch:", "opensearch:", "clickhouse:", "loki:", "splunk:", ""])
    func acceptsEmptyPort(kind: String) throws {
        for (text, url) in [
            ("https://host:", "https://host"), ("http://host:/a:", "http://host/a:"),
            ("http://[::1]:/", "http://[::1]/"),
        ] {
            let destination = try HTTPDestination.parse(kind + text)
            #expect(destination?.url == url)
            #expect(try destination == HTTPDestination.parse(kind + url))
        }
        #expect(throws: AddressFlaw.self) { try HTTPDestination.parse("\(kind)https://user:secret@host:") }
    }

    @Test(arguments: [
        "http://host", "https://host:65535/path?key=a%20b", "clickhouse:http://[::1]:8123/",
        "loki:http://10.0.0.1:3100",
        "elasticsearch:https://search_1.example.org.:9200", "tcp:a-b.c_d:1", "file:a:b", "udp:[::ffff:10.0.0.1]:1",
    ])
    func acceptsValidSpecifications(text: String) throws {
        #expect(try OutputSpecification(parsing: text).description == text.replacing("key=a%20b", with: "redacted"))
    }
}
