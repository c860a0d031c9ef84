import Foundation
import Testing

/// `weir policy`, as an operator runs it.
@Suite struct PolicyCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func run(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess([WeirProgram.path, "policy"] + arguments, keepingIn: folder)
    }

    private func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
        return folder.file(name)
    }

    /// The decision at one end.
    struct Side: Decodable, Equatable {
        var action: String
        var enforced: [String]
        var pending: [String]
    }

    /// An answer, or why there is none.
    struct Answer: Decodable, Equatable {
        var src: Side?
        var dst: Side?
        var error: String?
        var line: Int?
    }

    private func answers(_ process: ChildProcess) throws -> [Answer] {
        try process.output.split(separator: "\n").map { try JSONDecoder().decode(Answer.self, from: Data($0.utf8)) }
    }

    // MARK: The bank

    private static let customer = "yaobank/customer-856cd6d9f5-bl2sn"
    private static let database = "yaobank/database-69f6f4db5b-wd2lr"
    private static let passes = [
        "0|tigera-security|tigera-security.block-alienvault-ipthreatfeed|pass|1",
        "1|security|security.security-default-pass|pass|0", "2|platform|platform.platform-default-pass|pass|0",
    ]

    @Test func traceReportsDenialAndPendingStagedPolicy() throws {
        let path = try write(PolicyInventory.bank, to: "bank.yaml")
        let ends = ["--from", Self.customer, "--to", Self.database, "--port", "2379"]
        let process = try run(["trace", "--inventory", path, "--json"] + ends)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.errors == "")
        let answer = try #require(try answers(process).first)
        #expect(answer.src?.action == "allow")
        #expect(answer.dst?.action == "deny")
        #expect(answer.dst?.enforced == Self.passes + ["3|application|yaobank/application.allow-customer|deny|-1"])
        let staged = "3|application|yaobank/application.staged:customer-to-database|allow|0"
        #expect(answer.dst?.pending == Self.passes + [staged])

        let told = try run(["trace", "--inventory", path] + ends)
        #expect(told.wait() == 0, "\(told.errors)")
        let lines = told.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        for line in [
            "\(Self.customer) (10.65.1.4) to \(Self.database) (10.65.1.9), port 2379/tcp: denied by ingress of the second",
            "egress of \(Self.customer): allow", "ingress of \(Self.database): deny",
            "3|application|yaobank/application.allow-customer|deny|-1",
            "tier application: no rule matches, and the default action denies",
            "Calico NetworkPolicy yaobank/application.allow-customer (\(path):61)",
            "pending, if staged policies were in force: allow", "in \(path):72",
        ] {
            #expect(lines.contains(line), "\(line)\n\(told.output)")
        }
        #expect(told.output.contains("it is a pod with app=customer"), "\(told.output)")
        #expect(told.output.contains("rule 1 (spec.ingress[1]) leaves it to the next tier: it matches everything"))
        #expect(!told.output.contains("note:"), "\(told.output)")
    }

    // MARK: Domain names

    private static let domains = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: web-1, namespace: shop}
        status: {podIPs: [{ip: 10.65.1.4}]}
        ---
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: default.web, namespace: shop}
        spec:
          types: [Egress]
          egress:
          - action: Allow
            protocol: TCP
            destination: {domains: ["*.example.com"], ports: [443]}

        """

    /// Options, the exit code with `--expect allow`, and a part of the answer.
    @Test(
        arguments: [
            (["--port", "443", "--destination-domain", "WWW.example.com."], 0, "destination domain is *.example.com"),
            (["--port", "443", "--destination-domain", "example.com"], 1, "it is example.com"),
            (["--port", "443"], 1, "denied by egress of the first, unless a domain name of the second changes it"),
            (
                ["--port", "443"], 1,
                "note: a rule requires the destination's domain name; give --destination-domain NAME"
            ),
            (["--port", "80"], 1, "port 80/tcp: denied by egress of the first\n"),
            (["--port", "443", "--json"], 1, #""depends_on_domains":true"#),
        ] as [([String], Int32, String)]
    )
    func traceEvaluatesDestinationDomain(_ options: [String], _ code: Int32, _ words: String) throws {
        let path = try write(Self.domains, to: "domains.yaml")
        let ends = ["--from", "shop/web-1", "--to", "203.0.113.9", "--expect", "allow"]
        let process = try run(["trace", "--inventory", path] + ends + options)
        #expect(process.wait() == code, "\(process.errors)")
        #expect(process.output.contains(words), "\(process.output)")
    }

    @Test func traceReadsDomainsOfLinesAndRecords() throws {
        let path = try write(Self.domains, to: "domains.yaml")
        let record = #"""
            {"start_time":1,"source_type":"wep","source_namespace":"shop","source_name":"web-1","source_ip":"10.65.1.4",\#
            "dest_type":"net","dest_ip":"203.0.113.9","dest_port":443,"proto":"tcp","dest_domains":["a.example.com"]}
            """#
        let lines = [
            #"{"from":"shop/web-1","to":"203.0.113.9","port":443,"domain":"A.example.com"}"#, record,
            #"{"from":"shop/web-1","to":"203.0.113.9","port":443}"#,
        ]
        let flows = try write(lines.joined(separator: "\n") + "\n", to: "flows.jsonl")
        let process = try run(["trace", "--inventory", path, "--flows", flows])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(try answers(process).map(\.src?.action) == ["allow", "allow", "deny"], "\(process.output)")
    }

    // MARK: Forwarded traffic

    private static let gateway = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: web-1, namespace: shop}
        spec: {nodeName: node-1}
        status: {podIPs: [{ip: 10.65.1.4}]}
        ---
        apiVersion: projectcalico.org/v3
        kind: HostEndpoint
        metadata: {name: node-1-eth0, labels: {role: node}}
        spec: {node: node-1, interfaceName: eth0}
        ---
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: default.forwarded}
        spec:
          selector: role == 'node'
          applyOnForward: true
          types: [Ingress]
          ingress:
          - action: Allow
            protocol: TCP
            destination: {ports: [443]}

        """

    @Test(arguments: [("443", "allow", 0), ("80", "deny", 1)] as [(String, String, Int32)])
    func traceEvaluatesForwardingHostEndpoints(_ port: String, _ action: String, _ code: Int32) throws {
        let path = try write(Self.gateway, to: "gateway.yaml")
        let ends = ["--from", "203.0.113.9", "--to", "shop/web-1", "--port", port, "--expect", "allow"]
        let told = try run(["trace", "--inventory", path] + ends)
        #expect(told.wait() == code, "\(told.errors)")
        #expect(
            told.output.contains("forwarded into node-1, host endpoint node-1-eth0: \(action)\n"),
            "\(told.output)"
        )
        #expect(told.output.contains("\n  decides if the connection passes interface eth0\n"), "\(told.output)")
        let json = try run(["trace", "--inventory", path, "--json"] + ends)
        #expect(json.wait() == code, "\(json.errors)")
        let rule = action == "allow" ? "0" : "-1"
        let transit =
            #""transit":[{"host_endpoint":"node-1-eth0","node":"node-1","direction":"in","action":"\#(action)","#
            + #""policies":["0|default|default.forwarded|\#(action)|\#(rule)"]}]"#
        #expect(json.output.contains(transit), "\(json.output)")
    }

    /// The specification of the host endpoint, and the interface in words.
    @Test(arguments: [
        ("interfaceName: eth1", "interface eth1"),
        ("interfaceName: '*'", "an interface without another host endpoint"),
        ("expectedIPs: [192.168.1.1]", "the interface with address 192.168.1.1"),
        ("expectedIPs: [192.168.1.1, 'fd00::1']", "the interface with address 192.168.1.1 or fd00::1"),
    ])
    func traceNamesInterfacesOfHostEndpoints(_ specification: String, _ words: String) throws {
        let inventory = Self.gateway.replacingOccurrences(of: "interfaceName: eth0", with: specification)
        let path = try write(inventory, to: "gateway.yaml")
        let ends = ["--from", "203.0.113.9", "--to", "shop/web-1", "--port", "80"]
        let process = try run(["trace", "--inventory", path] + ends)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.output.contains("\n  decides if the connection passes \(words)\n"), "\(process.output)")
    }

    /// Options behind the inventory, and the expected parts of the answer.
    struct Question: Sendable, CustomTestStringConvertible {
        var arguments: String
        var status: Int32
        var texts: [String]

        init(_ arguments: String, _ status: Int32 = 0, _ texts: String...) {
            (self.arguments, self.status, self.texts) = (arguments, status, texts)
        }

        var testDescription: String { arguments }
    }

    @Test(arguments: [
        // The family that both have, IPv4 before IPv6.
        Question("--from CUSTOMER --to yaobank/legacy", 0, "(fd00:65::4) to yaobank/legacy (fd00:65::77), tcp:"),
        Question(
            "--from CUSTOMER --to fd00:65::9 --port 2379",
            0,
            "(fd00:65::4) to DATABASE (fd00:65::9), port 2379/tcp"
        ),
        Question("--from 8.8.8.8 --to yaobank/legacy", 1, "8.8.8.8 and fd00:65::77 are of different families"),
        Question("--from 8.8.8.8 --to fd00::1", 1, "error: 8.8.8.8 and fd00::1 are of different families"),
        // Ends that have no policies.
        Question("--from CUSTOMER --to 203.0.113.9", 0, "no policies; it is a network set"),
        Question("--from CUSTOMER --to 198.51.100.1", 0, "ingress of 198.51.100.1: no policies; it is no endpoint"),
        Question(
            "--from CUSTOMER --to yaobank/agent",
            0,
            "node-1 (192.168.50.11)",
            "no policies; it is a host without a HostEndpoint",
            "note: pod yaobank/agent uses its node's network"
        ),
        // Services, by address and by name, are evaluated at their backends.
        Question(
            "--from CUSTOMER --to 10.96.0.7 --port 2379",
            0,
            "service yaobank/database (10.96.0.7), port 2379/tcp: denied at its only backend",
            "CUSTOMER (10.65.1.4) to DATABASE (10.65.1.9), port 2379/tcp: denied by ingress of the second"
        ),
        Question("--from CUSTOMER --to yaobank/database", 0, "service yaobank/database, port 2379/tcp: denied"),
        Question("--from CUSTOMER --to svc/database", 0, "service yaobank/database, port 2379/tcp: denied"),
        Question("--from yaobank/summary --to svc/yaobank/database", 0, "port 2379/tcp: allowed at its only backend"),
        Question("--from 10.65.1.5 --to svc/database", 0, "port 2379/tcp: allowed at its only backend"),
        Question("--from CUSTOMER --to svc/database --port 80", 1, "no port 80/tcp; it has 2379/tcp"),
        Question("--from CUSTOMER --to svc/base", 1, "there is no service yaobank/base in the inventory"),
        Question("--from svc/yaobank/database --to CUSTOMER", 1, "services do not begin connections"),
        Question("--from yaobank/database --to CUSTOMER", 1, "services do not begin connections"),
        // A node reaches its own pods, and a pod itself, whatever the policies are.
        Question("--from 192.168.50.11 --to DATABASE --port 1", 0, "allowed; a node always reaches its own pods"),
        Question("--from yaobank/agent --to DATABASE --port 1", 0, "no policies; a node always reaches its own pods"),
        Question("--from DATABASE --to DATABASE --port 1", 0, "allowed; a pod always reaches itself"),
        Question("--from 10.65.1.9 --to 10.65.1.9 --port 1", 0, "allowed; a pod always reaches itself"),
        // The expected verdict determines the exit code.
        Question("--from yaobank/summary --to DATABASE --port 2379 --expect allow", 0, "port 2379/tcp: allowed"),
        Question("--from CUSTOMER --to svc/database --expect deny", 0, "denied at its only backend"),
        Question("--from 203.0.113.9 --to DATABASE", 0, "denied by ingress of the second", "note: no --port is given"),
        Question("--from CUSTOMER --to DATABASE --protocol icmp", 0, "note: no --icmp-type is given"),
        Question(
            "--from CUSTOMER --to DATABASE --protocol ICMP --icmp-type 8",
            0,
            "icmp type 8 code 0: denied",
            "does not hold: protocol is tcp; it is icmp"
        ),
        // Names.
        Question("--from CUSTOMER --to yaobank/done", 1, "error: pod yaobank/done has ended"),
        Question("--from CUSTOMER --to yaobank/waiting", 1, "error: pod yaobank/waiting has no address"),
        Question(
            "--from yaobank/customer-* --to DATABASE",
            1,
            "no pod yaobank/customer-* in the inventory; near it: CUSTOMER"
        ),
        Question("--from CUSTOMER --to yaobank/legasy", 1, "in the inventory; near it: yaobank/legacy"),
        Question("--from CUSTOMER --to yaobnak/legacy", 1, "in the inventory; near it: yaobank/legacy"),
        Question("--from CUSTOMER --to yaobank/datum", 1, "in the inventory; near it: DATABASE"),
        Question("--from shop/x --to CUSTOMER", 1, "error: there is no pod shop/x in the inventory\n"),
    ])
    func traceResolvesAndExplainsEnds(_ question: Question) throws {
        func full(_ text: String) -> String {
            text.replacing("CUSTOMER", with: Self.customer).replacing("DATABASE", with: Self.database)
        }
        let path = try write(PolicyInventory.bank, to: "bank.yaml")
        let words = question.arguments.split(separator: " ").map { full(String($0)) }
        let process = try run(["trace", "--inventory", path] + words)
        #expect(process.wait() == question.status, "\(process.errors)")
        let told = question.status == 0 ? process.output : process.errors
        for text in question.texts { #expect(told.contains(full(text)), "\(text)\n\(told)") }
        if question.status != 0 { #expect(process.output == "") }
    }

    @Test(arguments: [
        ("--to DATABASE --port 2379 --expect allow", "expected allow, found deny"),
        ("--to svc/database --expect allow", "expected allow, found deny"),
        ("--to 203.0.113.9 --port 1 --expect deny", "expected deny, found allow"),
    ])
    func unexpectedVerdictExitsWithOne(_ arguments: String, _ error: String) throws {
        let path = try write(PolicyInventory.bank, to: "bank.yaml")
        let words = arguments.split(separator: " ").map { $0.replacing("DATABASE", with: Self.database) }
        for json in [[], ["--json"]] {
            let ends = ["--inventory", path, "--from", Self.customer] + words.map(String.init) + json
            let process = try run(["trace"] + ends)
            #expect(process.wait() == 1)
            #expect(process.output != "")
            #expect(process.errors.contains("error: \(error)"), "\(process.errors)")
        }
    }

    /// A service with two ports and three backends, of which one has another target port and one is protected.
    @Test func traceEvaluatesEachBackendOfService() throws {
        let path = try write(PolicyInventory.shop, to: "shop.yaml")
        func ask(_ arguments: String) throws -> ChildProcess {
            try run(["trace", "--inventory", path] + arguments.split(separator: " ").map(String.init))
        }
        let text = try ask("--from shop/cart --to svc/web --port 80")
        #expect(text.wait() == 0, "\(text.errors)")
        #expect(
            text.output.hasPrefix("service shop/web, port 80/tcp: allowed at 2 of 3 backends, denied at 1\n"),
            "\(text.output)"
        )
        for line in [
            "shop/cart (10.1.0.9) to shop/web-1 (10.1.0.1), port 8080/tcp: allowed",
            "shop/cart (10.1.0.9) to shop/web-2 (10.1.0.2), port 8081/tcp: allowed",
            "shop/cart (10.1.0.9) to shop/web-3 (10.1.0.3), port 8080/tcp: denied by ingress of the second",
        ] { #expect(text.output.contains("\n\(line)\n"), "\(text.output)") }

        struct Service: Decodable {
            struct Backend: Decodable {
                var to: String
                var address: String
                var port: Int
                var src: Side?
                var dst: Side?
            }
            var service: String
            var port: Int
            var action: String
            var backends: [Backend]
        }
        let json = try ask("--from shop/cart --to 10.96.0.1 --port 80 --json")
        #expect(json.wait() == 0, "\(json.errors)")
        let answer = try JSONDecoder().decode(Service.self, from: Data(json.output.utf8))
        #expect(answer.service == "shop/web" && answer.port == 80 && answer.action == "mixed")
        #expect(answer.backends.map(\.to) == ["shop/web-1", "shop/web-2", "shop/web-3"])
        #expect(answer.backends.map(\.port) == [8080, 8081, 8080])
        #expect(answer.backends.map(\.dst?.action) == ["allow", "allow", "deny"])

        let several = try ask("--from shop/cart --to svc/web")
        #expect(several.wait() == 1)
        #expect(
            several.errors
                == "error: service shop/web has several ports; give one of them: 80/tcp (http), 443/tcp (https)\n"
        )
        for expected in ["allow", "deny"] {
            let process = try ask("--from shop/cart --to svc/web --port 80 --expect \(expected)")
            #expect(process.wait() == 1)
            #expect(process.errors == "error: expected \(expected), found mixed\n")
        }
        // A headless service is called at the ports of its pods.
        let headless = try ask("--from shop/cart --to svc/direct --port 8080 --expect deny")
        #expect(headless.wait() == 0, "\(headless.output)")
        let none = try ask("--from shop/cart --to svc/empty --port 1")
        #expect(none.wait() == 1)
        #expect(none.errors.hasPrefix("error: nothing answers for service shop/empty"), "\(none.errors)")
    }

    /// Records as Weir writes them, of several aggregation levels, and questions among them.
    @Test func traceReadsRecordsAndQuestions() throws {
        let path = try write(PolicyInventory.shop, to: "shop.yaml")
        func record(_ source: String, _ destination: String, _ rest: String) -> String {
            #"{"start_time":1,"end_time":2,\#(source),"source_labels":{"labels":["a=b","]}\""]},\#(destination),\#(rest)}"#
        }
        let cart = #""source_ip":"10.1.0.9","source_name":"cart","source_namespace":"shop","source_type":"wep""#
        let web =
            #""dest_ip":"10.1.0.3","dest_name":"web-3","dest_namespace":"shop","dest_port":8080,"dest_type":"wep""#
        let gone =
            #""dest_ip":"10.1.0.3","dest_name":"web-0","dest_namespace":"shop","dest_port":8080,"dest_type":"wep""#
        let folded =
            #""dest_ip":null,"dest_name":"-","dest_name_aggr":"web-*","dest_namespace":"shop","dest_type":"wep""#
        let tail = #""proto":"tcp","action":"allow","reporter":"src","policies":{"enforced_policies":[]},"bytes_in":1"#
        let lines = [
            record(cart, web, tail), record(cart, gone, tail), record(cart, folded, tail),
            record(cart, web.replacing("8080", with: "null"), tail),
            #"{"action":"allow","bytes_in":1,\#(web),"proto":"udp",\#(cart)}"#,
            #"{"from":"shop/cart","to":"shop/web-3","port":8080}"#,
        ]
        let flows = try write(lines.joined(separator: "\n"), to: "flows.log")
        let process = try run(["trace", "--inventory", path, "--flows", flows])
        #expect(process.wait() == 0, "\(process.errors)")
        let found = process.output.split(separator: "\n").map(String.init)
        try #require(found.count == lines.count)
        for index in [0, 1, 5] { #expect(found[index] == found[0] && found[0].contains("deny"), "\(found[index])") }
        #expect(found[2] == #"{"untraceable":"the destination is aggregated: shop/web-*","line":3}"#)
        #expect(found[3] == #"{"untraceable":"the port of the destination is aggregated","line":4}"#)
        #expect(found[4].contains("deny"))
        #expect(process.errors.hasPrefix("note: 2 of 6 records cannot be traced: their names or ports are aggregated"))
        let expected = try run(["trace", "--inventory", path, "--flows", flows, "--expect", "deny"])
        #expect(expected.wait() == 1)
        let first = try write(lines[0] + "\n" + lines[5] + "\n", to: "first.log")
        let good = try run(["trace", "--inventory", path, "--flows", first, "--expect", "deny"])
        #expect(good.wait() == 0, "\(good.errors)")
        let bad = try run(["trace", "--inventory", path, "--flows", first, "--expect", "allow"])
        #expect(bad.wait() == 1)
        #expect(bad.errors == "error: 2 of 2 answers are not allow; the first one is in line 1\n")
    }

    /// A host's record of a connection that it forwards asks nothing about the ends; that of an end and a host does.
    @Test func traceRefusesRecordsOfForwardingHosts() throws {
        let path = try write(PolicyInventory.shop, to: "shop.yaml")
        func record(_ source: String, _ destination: String, _ reporter: String) -> String {
            #"{"end_time":2,\#(source),\#(destination),"proto":"tcp","action":"deny","reporter":"\#(reporter)"}"#
        }
        let outside = #""source_ip":"198.51.100.7","source_type":"net""#
        let other = #""dest_ip":"203.0.113.9","dest_type":"net","dest_port":443"#
        let cart = #""source_ip":"10.1.0.9","source_name":"cart","source_namespace":"shop","source_type":"wep""#
        let web =
            #""dest_ip":"10.1.0.3","dest_name":"web-3","dest_namespace":"shop","dest_port":8080,"dest_type":"wep""#
        let reason = "a host forwards the connection"
        let flows = try write(
            record(outside, other, "fwd") + "\n" + record(cart, web, "dst,fwd") + "\n",
            to: "forwarded.log"
        )
        let process = try run(["trace", "--inventory", path, "--flows", flows])
        #expect(process.wait() == 0, "\(process.errors)")
        let found = process.output.split(separator: "\n").map(String.init)
        try #require(found.count == 2)
        #expect(found[0] == "{\"untraceable\":\"\(reason)\",\"line\":1}")
        #expect(found[1].contains("deny"), "\(found[1])")
        let expected = try run(["trace", "--inventory", path, "--flows", flows, "--expect", "deny"])
        #expect(expected.wait() == 1)
        #expect(expected.errors.hasPrefix("error: 1 of 2 records cannot be traced: "), "\(expected.errors)")
    }

    @Test func rejectsFolderAsFlows() throws {
        let path = try write(PolicyInventory.bank, to: "bank.yaml")
        let folder = FileManager.default.temporaryDirectory.path
        let process = try run(["trace", "--inventory", path, "--flows", folder])
        #expect(process.wait() == 1)
        #expect(process.errors == "error: \(folder): cannot read: Is a directory\n")
    }

    @Test func traceMergesSeveralInventories() throws {
        let pods = try write(PolicyInventory.golden, to: "pods.yaml")
        let denial = """
            {"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": "tier1.no"},
             "spec": {"tier": "tier1", "order": 0, "types": ["Ingress"], "ingress": [{"action": "Deny"}]}}
            """
        let more = try write(denial, to: "more.json")
        let ends = ["--from", "default/ep1-1", "--to", "default/ep2-1", "--json"]
        let process = try run(["trace", "--inventory", pods, "--inventory", more] + ends)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(try answers(process).first?.dst?.enforced == ["0|tier1|tier1.no|deny|0"])
        // Standard error has the note about the missing port, apart from the answer.
        #expect(process.errors.hasPrefix("note: no --port is given"), "\(process.errors)")
    }

    // MARK: Many at once

    /// Calico's cases for enforced and staged policies: ends, and the verdict of each.
    private static let goldenCases: [(from: String, to: String, src: Side?, dst: Side?)] = [
        ("ep1-1", "ep2-1", both("allow", allowAll), both("allow", "0|tier1|np:default/tier1.np1-1|allow|0")),
        (
            "ep1-1", "ep2-2", both("allow", allowAll),
            Side(
                action: "allow",
                enforced: ["0|tier1|np:default/tier1.np1-1|pass|1", "1|default|np:default/default.np3-3|allow|0"],
                pending: ["0|tier1|np:default/tier1.np1-1|pass|1", "1|tier2|snp:default/tier2.np2-3|allow|0"]
            )
        ),
        (
            "ep1-1", "ep2-3", both("allow", allowAll),
            Side(
                action: "deny",
                enforced: ["0|tier2|np:default/tier2.np2-4|deny|0"],
                pending: ["0|tier2|snp:default/tier2.np2-3|deny|1"]
            )
        ),
        (
            "ep2-1", "ep1-1",
            Side(
                action: "allow",
                enforced: ["0|tier1|np:default/tier1.np1-1|pass|0", "1|__PROFILE__|pro:kns.default|allow|0"],
                pending: ["0|tier1|np:default/tier1.np1-1|pass|0", "1|tier2|snp:default/tier2.np2-1|allow|0"]
            ), both("allow", allowAll)
        ),
        ("ep2-2", "ep1-1", both("deny", "0|tier1|np:default/tier1.np1-1|deny|1"), both("allow", allowAll)),
        ("ep2-3", "ep1-1", both("deny", "0|tier2|gnp:tier2.gnp2-2|deny|0"), both("allow", allowAll)),
    ]

    private static let allowAll = "0|default|gnp:default.ep1-1-allow-all|allow|0"

    private static func both(_ action: String, _ hits: String...) -> Side {
        Side(action: action, enforced: hits, pending: hits)
    }

    /// The same hits in the older format.
    private static func older(_ side: Side?) -> Side? {
        func older(_ hit: String) -> String {
            hit.replacing("gnp:", with: "").replacing("|snp:default/tier2.", with: "|default/tier2.staged:")
                .replacing("|np:", with: "|").replacing("pro:", with: "__PROFILE__.")
        }
        return side.map {
            Side(action: $0.action, enforced: $0.enforced.map(older), pending: $0.pending.map(older))
        }
    }

    @Test(arguments: ["calico-3.32", "enterprise"])
    func answersCalicoCasesInOrder(_ format: String) throws {
        let path = try write(PolicyInventory.golden, to: "golden.yaml")
        // Many times over, with more than one buffer of input and output.
        let rounds = 200
        let questions = Self.goldenCases.map { one in
            #"{"from":"default/\#(one.from)","to":"default/\#(one.to)","protocol":"tcp","port":8055,"source_port":9}"#
        }
        let text = (0..<rounds).map { _ in questions.joined(separator: "\n") }.joined(separator: "\n")
        let flows = try write(text, to: "flows.jsonl")
        let process = try run(["trace", "--inventory", path, "--policy-format", format, "--flows", flows])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.errors == "")
        let expected = Self.goldenCases.map { one in
            format == "enterprise"
                ? Answer(src: Self.older(one.src), dst: Self.older(one.dst)) : Answer(src: one.src, dst: one.dst)
        }
        let found = try answers(process)
        #expect(found.count == rounds * expected.count)
        for (index, answer) in found.enumerated() where answer != expected[index % expected.count] {
            Issue.record("line \(index + 1): \(answer) is not \(expected[index % expected.count])")
            break
        }
    }

    /// A line, and the expected answer: text of the error, or the last hit of the destination.
    private static let lines: [(line: String, error: String?, hit: String?)] = [
        (
            #"{"from":"10.65.1.4","to":"10.65.1.9","protocol":"tcp","port":2379}"#, nil,
            "3|application|yaobank/application.allow-customer|deny|-1"
        ),
        (
            #" { "to" : "fd00:65::9", "from":"fd00:65::5", "protocol":"6","port":2379 , "source_port" : null }"#, nil,
            "3|application|yaobank/application.allow-customer|allow|0"
        ),
        (
            #"{"from":"yaobank\u002fsummary","to":"10.65.1.9","port":2379}"#, nil,
            "3|application|yaobank/application.allow-customer|allow|0"
        ),
        (
            #"{"from":"203.0.113.1","to":"10.65.1.9","protocol":17,"port":0}"#, nil,
            "0|tigera-security|tigera-security.block-alienvault-ipthreatfeed|deny|0"
        ),
        (
            #"{"from":"10.65.1.5","to":"10.65.1.9","protocol":"icmp","icmp_type":8,"icmp_code":0,"port":0}"#, nil,
            "3|application|yaobank/application.allow-customer|allow|1"
        ),
        (
            #"{"from":"10.65.1.5","to":"10.65.1.9","protocol":"icmp","icmp_type":0}"#, nil,
            "3|application|yaobank/application.allow-customer|deny|-1"
        ),
        (
            #"{"from":"10.65.1.5","to":"10.65.1.9","protocol":"icmp"}"#, nil,
            "3|application|yaobank/application.allow-customer|deny|-1"
        ),
        (#"{"from":"192.0.2.1","to":"192.0.2.2"}"#, nil, nil),
        ("", "the line is blank", nil),
        ("{", "column 2: expected a key", nil), ("[1]", "column 1: expected an object", nil),
        (#"{"from":"10.65.1.4"}"#, "'to' is missing", nil),
        (#"{"to":"10.65.1.4","from":null}"#, "'from' is missing", nil),
        (#"{"from":"10.65.1.4","to":"x"}"#, "'x' is neither NAMESPACE/POD, NAMESPACE/SERVICE nor an address", nil),
        (#"{"from":"10.65.1.4","to":"yaobank/x"}"#, "there is no pod yaobank/x in the inventory", nil),
        (#"{"from":"10.65.1.4","to":"10.65.1.9","dport":1}"#, "'dport' is not one of", nil),
        (#"{"from":"10.65.1.4","to":"10.65.1.9","port":65536}"#, "'port' must be a number from 0 to 65535", nil),
        (#"{"from":"10.65.1.4","to":"10.65.1.9","port":"80"}"#, "'port' must be a number", nil),
        (#"{"from":"10.65.1.4","to":"10.65.1.9","icmp_type":1.5}"#, "'icmp_type' must be a number from 0 to 255", nil),
        (#"{"from":"10.65.1.4","to":"10.65.1.9","protocol":"tpc"}"#, "'protocol' must be tcp", nil),
        (#"{"from":"10.65.1.4","to":"10.65.1.9"} x"#, "column 39: more text after the value", nil),
        (#"{"from":"10.65.1.4","to":{}}"#, "'to' must be a text", nil),
        (#"{"from":"10.65.1.4","to":"\ud800x\q"}"#, "an unknown escape sequence", nil),
        ("{\"from\":\"" + String(repeating: "x", count: 1_500_000), "the line is longer than", nil),
    ]

    @Test func answersInvalidAndValidLinesInOrder() throws {
        let path = try write(PolicyInventory.bank, to: "bank.yaml")
        // Blank lines at the end do not count.
        let input = try write(Self.lines.map(\.line).joined(separator: "\r\n") + "\n\n \n", to: "flows.jsonl")
        let command = #""$0" policy trace --inventory "$1" --flows - < "$2""#
        let process = try ChildProcess(["sh", "-c", command, WeirProgram.path, path, input], keepingIn: folder)
        #expect(process.wait() == 1)
        #expect(process.errors == "error: 16 of 24 questions have no answer; the first one is in line 9\n")
        let found = try answers(process)
        try #require(found.count == Self.lines.count, "\(process.output)")
        for (index, (answer, expected)) in zip(found, Self.lines).enumerated() {
            #expect(answer.line == (expected.error == nil ? nil : index + 1))
            #expect(answer.dst?.enforced.last == expected.hit, "\(expected.line.prefix(200))")
            guard let error = expected.error else { continue }
            #expect(answer.error?.contains(error) == true, "\(expected.line.prefix(200)): \(answer)")
        }
    }

    @Test func answersEachLineImmediately() throws {
        let path = try write(PolicyInventory.bank, to: "bank.yaml")
        let pipe = folder.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let command = #""$0" policy trace --inventory "$1" --flows - < "$2""#
        let process = try ChildProcess(["sh", "-c", command, WeirProgram.path, path, pipe], keepingIn: folder)
        let descriptor = open(pipe, O_WRONLY)
        try #require(descriptor >= 0)
        for count in 1...3 {
            let line = #"{"from":"10.65.1.4","to":"10.65.1.9","port":2379}"# + "\n"
            #expect(Glibc.write(descriptor, line, line.utf8.count) == line.utf8.count)
            #expect(eventually { process.output.split(separator: "\n").count == count }, "\(process.errors)")
        }
        close(descriptor)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    // MARK: Check

    @Test func checkSummarizesValidPolicies() throws {
        let path = try write(PolicyInventory.bank, to: "bank.yaml")
        let process = try run(["check", "--inventory", path])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(
            process.output == """
                1 file, 5 policies (1 Calico NetworkPolicy, 3 GlobalNetworkPolicy, 1 StagedNetworkPolicy), 4 Tier, \
                1 GlobalNetworkSet: 0 errors, 0 warnings

                """
        )
    }

    private static let bad = """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: default.bad, namespace: shop}
        spec:
          selector: app == 'web' &&
          ingress: [{action: Allow}]
        ---
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: nowhere.p}
        spec:
          tier: nowhere
          ingress:
          - {action: Allow, protocol: TCP, notProtocol: TCP}
          - {action: Deny}
          - {action: Allow}
        ---
        {apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: x}, spec: {ingress: [{}]}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: pod, namespace: shop}, status: {podIP: nonsense}}

        """

    @Test func checkReportsObjectAndPlaceOfErrors() throws {
        let path = try write(Self.bad, to: "bad.yaml")
        let broken = try write("{", to: "broken.json")
        let process = try run(["check", "--inventory", path, "--inventory", broken])
        #expect(process.wait() == 1)
        #expect(process.errors == "")
        let bad = "\(path):8: warning: GlobalNetworkPolicy nowhere.p"
        let expected = [
            "\(path):5: error: Calico NetworkPolicy shop/default.bad: spec.selector: position 15: expected the key of a label",
            "\(bad): spec.ingress[0]: can never match: it requires tcp and excludes tcp",
            "\(bad): spec.ingress[2]: never reached: spec.ingress[1] matches everything",
            "\(path):8: error: GlobalNetworkPolicy nowhere.p: spec.tier: there is no tier 'nowhere'; the policy is not in force",
            "\(path):18: error: GlobalNetworkPolicy x: spec.ingress[0]: the rule has no action; it needs Allow, Deny, Log or Pass",
            "\(broken):1: error: not JSON: the file ends where a key is expected",
            "2 files, 2 policies (1 Calico NetworkPolicy, 1 GlobalNetworkPolicy): 4 errors, 2 warnings",
        ]
        #expect(process.output == expected.joined(separator: "\n") + "\n")
    }

    @Test func checkPrintsJSON() throws {
        struct Line: Decodable {
            var path: String?
            var line: Int?
            var severity: String?
            var kind: String?
            var name: String?
            var field: String?
            var position: Int?
            var errors: Int?
            var warnings: Int?
        }
        let path = try write(Self.bad, to: "bad.yaml")
        let process = try run(["check", "--json", "--inventory", path])
        #expect(process.wait() == 1)
        let lines = try process.output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        #expect(lines.map(\.line) == [5, 8, 8, 8, 18, nil])
        #expect(lines.map(\.severity) == ["error", "warning", "warning", "error", "error", nil])
        #expect(lines.first?.path == path)
        #expect(lines.first?.field == "spec.selector")
        #expect(lines.first?.position == 15)
        #expect(lines.first?.kind == "Calico NetworkPolicy")
        #expect(lines.first?.name == "default.bad")
        #expect(lines.last?.errors == 3)
        #expect(lines.last?.warnings == 2)
    }

    // MARK: Explain

    @Test func explainDescribesHits() throws {
        let hit = "3|application|yaobank/application.allow-customer|deny|-1"
        let process = try run(["explain", hit, "0|default|knp:a/b|allow|3"])
        #expect(process.wait() == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n").map(String.init)
        #expect(lines.first == hit)
        for line in [
            "  policy      NetworkPolicy yaobank/application.allow-customer",
            "  calico-3.32 3|application|np:yaobank/application.allow-customer|deny|-1",
            "  enterprise  0|default|a/knp.default.b|allow|3",
        ] {
            #expect(lines.contains(line), "\(process.output)")
        }
        #expect(process.output.contains("no rule matched, and the tier's default action denied"))
    }

    /// An invalid hit, a part of its error, and the mark below the invalid part.
    @Test(arguments: [
        ("x|tier|gnp:name|allow|0", "the index 'x'", "^"),
        ("0|@tier|gnp:name|allow|0", "'@tier'", "  ^^^^^"),
        ("0|a|b.c|allow|0", "does not name a policy of tier 'a'", "    ^^^"),
        ("0|kube-admin|kcnp:name|badaction|1", "the action 'badaction'", "                       ^^^^^^^^^"),
        ("0|tier|gnp:name|allow|-3", "the rule index '-3'", "                      ^^"),
        ("0|tier|gnp:x", "here are 3", "             ^"),
        ("0|tier|gnp:x|allow|0|extra", "here are 6", "                     ^^^^^"),
    ])
    func explainMarksInvalidPartOfHit(_ hit: String, _ reason: String, _ mark: String) throws {
        let process = try run(["explain", hit, "0|tier|gnp:name|allow|0"])
        #expect(process.wait() == 1)
        let lines = process.errors.split(separator: "\n").map(String.init)
        #expect(lines.first?.hasPrefix("error: ") == true && lines.first?.contains(reason) == true, "\(lines)")
        #expect(lines.dropFirst() == ["  \(hit)", "  \(mark)"], "\(process.errors)")
        #expect(process.output.hasPrefix("0|tier|gnp:name|allow|0\n"), "the others are told")
    }

    @Test func explainPrintsJSONForStandardInput() throws {
        let input = try write("0|default|sknp:a/b|deny|2\n\nbad\n 1|t|a/t.b|allow\n", to: "hits")
        let command = #""$0" policy explain --json - < "$1""#
        let process = try ChildProcess(["sh", "-c", command, WeirProgram.path, input], keepingIn: folder)
        #expect(process.wait() == 1)
        struct Line: Decodable {
            var hit: String
            var kind: String?
            var staged: Bool?
            var rule: Int?
            var enterprise: String?
            var error: String?
        }
        let lines = try process.output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        #expect(lines.map(\.hit) == ["0|default|sknp:a/b|deny|2", "bad", "1|t|a/t.b|allow"])
        #expect(lines.map(\.staged) == [true, nil, false])
        #expect(lines.map(\.rule) == [2, nil, nil])
        #expect(lines.map(\.error).map { $0 == nil } == [true, false, true])
        #expect(lines.first?.enterprise == "0|default|a/staged:knp.default.b|deny|2")
    }

    // MARK: Usage

    @Test(arguments: [
        "frobnicate", "trace", "trace --inventory a", "trace --from 10.0.0.1 --to 10.0.0.2",
        "trace --inventory a --from 10.0.0.1", "trace --inventory a --to 10.0.0.1",
        "trace --inventory a --from x --to 10.0.0.1", "trace --inventory a --from a/b/c --to 10.0.0.1",
        "trace --inventory a --from /b --to 10.0.0.1", "trace --inventory a --from 10.0.0.0/8 --to 10.0.0.1",
        "trace --inventory a --from 10.0.0.1:80 --to 10.0.0.1",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --port 0",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --port 65536",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --port x!",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --source-port http",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --protocol tpc",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --protocol 0",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --protocol icmp --port 8",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --icmp-type 8",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --protocol icmp --icmp-code 0",
        "trace --inventory a --from 10.0.0.1 --to 10.0.0.2 --policy-format old",
        "trace --inventory a --flows f --from 10.0.0.1", "trace --inventory a --flows f --port 8",
        "trace --inventory a --flows=", "check", "check --inventory=", "explain",
    ])
    func wrongUsagePrintsOneLineAndExitsWithTwo(_ line: String) throws {
        let process = try run(line.split(separator: " ").map(String.init))
        #expect(process.wait() == 2, "\(process.errors)")
        #expect(process.errors.split(separator: "\n").count { $0.hasPrefix("error: ") } == 1, "\(process.errors)")
        #expect(process.output == "")
    }

    @Test(arguments: ["trace --from 10.0.0.1 --to 10.0.0.2", "trace --flows f", "check"])
    func namesMissingInventory(_ line: String) throws {
        let path = folder.file("none")
        let process = try run(line.split(separator: " ").map(String.init) + ["--inventory", path])
        #expect(process.wait() == 1)
        #expect((process.output + process.errors).contains("\(path): "), "\(process.output)\(process.errors)")
    }

    @Test func namesMissingFlowsFile() throws {
        let path = try write(PolicyInventory.bank, to: "bank.yaml")
        let process = try run(["trace", "--inventory", path, "--flows", folder.file("none")])
        #expect(process.wait() == 1)
        #expect(process.errors == "error: \(folder.file("none")): No such file or directory\n")
    }

    @Test(arguments: ["", "trace ", "check ", "explain "])
    func commandsPrintHelpWithExamples(_ command: String) throws {
        let help = try run(command.split(separator: " ").map(String.init) + ["--help"])
        #expect(help.wait() == 0)
        #expect(help.output.contains("USAGE: weir policy \(command)"), "\(help.output)")
        #expect(help.output.contains("Examples:"))
    }
}
