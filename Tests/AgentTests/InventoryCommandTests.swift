import Foundation
import Testing

/// `weir inventory`, as an operator runs it.
@Suite struct InventoryCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func run(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess([WeirProgram.path, "inventory"] + arguments, keepingIn: folder)
    }

    private func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
        return folder.file(name)
    }

    /// A small cluster: pods, a node, a service, and network sets one within the other.
    private static let cluster = """
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
        - apiVersion: v1
          kind: Pod
          metadata:
            name: cart-7c9d-x1
            generateName: cart-7c9d-
            namespace: shop
            uid: "1"
            labels: {app: cart, tier: back}
          spec: {nodeName: node-1}
          status: {phase: Running, podIP: 10.0.1.5, podIPs: [{ip: 10.0.1.5}, {ip: "fd00::5"}]}
        - apiVersion: v1
          kind: Node
          metadata: {name: node-1}
          status: {addresses: [{type: InternalIP, address: 192.168.50.11}, {type: Hostname, address: node-1}]}
        - apiVersion: v1
          kind: Service
          metadata: {name: cart, namespace: shop}
          spec:
            clusterIP: 10.96.0.7
            ports:
            - {name: http, port: 80, targetPort: 8080, nodePort: 30080, protocol: TCP}
            - {name: dns, port: 53, protocol: UDP}
        - apiVersion: discovery.k8s.io/v1
          kind: EndpointSlice
          addressType: IPv4
          metadata: {name: cart-1, namespace: shop, labels: {kubernetes.io/service-name: cart}}
          endpoints: [{addresses: [10.0.1.5]}]
          ports: [{name: http, port: 8080, protocol: TCP}]
        - apiVersion: projectcalico.org/v3
          kind: GlobalNetworkSet
          metadata: {name: partners}
          spec: {nets: [203.0.113.0/24]}
        - apiVersion: projectcalico.org/v3
          kind: NetworkSet
          metadata: {name: banks, namespace: shop, labels: {role: bank}}
          spec: {nets: [203.0.0.0/16]}

        """

    // MARK: Lookup

    /// A question, and the expected parts of its answer.
    struct Question: Sendable, CustomTestStringConvertible {
        var arguments: String
        var lines: [String]

        init(_ arguments: String, _ lines: String...) {
            (self.arguments, self.lines) = (arguments, lines)
        }

        var testDescription: String { arguments }
    }

    @Test(arguments: [
        Question(
            "10.0.1.5",
            "10.0.1.5",
            "type         wep",
            "name         cart-7c9d-x1",
            "name_aggr    cart-7c9d-*",
            "namespace    shop",
            "labels       app=cart, tier=back",
            "service      -",
            "why          an address of Pod shop/cart-7c9d-x1 (PATH:5)",
            "answers at   8080/tcp for Service shop/cart"
        ),
        Question("fd00::5", "name         cart-7c9d-x1"), Question("[fd00::5]:99/sctp", "name         cart-7c9d-x1"),
        Question(
            "192.168.50.11",
            "type         hep",
            "name         node-1",
            "why          an address of Node node-1 (PATH:15)"
        ),
        Question("192.168.50.11:30080", "service      shop/cart http 30080/tcp, called by node port"),
        Question(
            "10.96.0.7:80",
            "type         net",
            "service      shop/cart http 80/tcp, called by its address",
            "             port of Service shop/cart (PATH:19)"
        ),
        Question("10.96.0.7:53/udp", "service      shop/cart dns 53/udp, called by its address"),
        Question("10.96.0.7:53/tcp", "service      -"), Question("10.96.0.7:81", "service      -"),
        Question(
            "10.96.0.7",
            "service      shop/cart dns 53/udp, called by its address",
            "service      shop/cart http 80/tcp, called by its address"
        ),
        // Without a namespace the global set takes precedence.
        Question(
            "203.0.113.9",
            "type         ns",
            "name         partners",
            "namespace    -",
            "labels       none",
            "why          in 203.0.113.0/24 of GlobalNetworkSet partners, a global set (PATH:33)"
        ),
        // The set of the other end's namespace takes precedence, though its range is wider.
        Question(
            "--from 10.0.1.5 203.0.113.9",
            "name         banks",
            "namespace    shop",
            "labels       role=bank",
            "why          in 203.0.0.0/16 of NetworkSet shop/banks, in the namespace of the other end (PATH:37)",
            "passed over  in 203.0.113.0/24 of GlobalNetworkSet partners, a global set (PATH:33)"
        ),
        Question("8.8.8.8", "type         net", "name         -", "name_aggr    pub", "labels       not known"),
        Question(
            "10.9.9.9",
            "name_aggr    pvt",
            "why          nothing that is known has this address; a pod that is not known yet may have it"
        ),
    ])
    func lookupExplainsAddress(_ question: Question) throws {
        let path = try write(Self.cluster, to: "a.yaml")
        let words = question.arguments.split(separator: " ").map(String.init)
        let process = try run(["lookup", "--host", "elsewhere", "--inventory", path] + words)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.errors == "")
        let lines = process.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        for line in question.lines {
            let expected = line.replacing("PATH", with: path).trimmingCharacters(in: .whitespaces)
            #expect(lines.contains(expected), "\(line)\n\(process.output)")
        }
    }

    /// The parts of an answer in JSON that the tests read.
    private struct Answer: Decodable {
        struct Service: Decodable, Equatable {
            var namespace: String
            var name: String
            var port_name: String
            var port_num: Int
        }

        struct Reason: Decodable {
            var object: String?
            var place: String?
        }

        var address: String
        var port: Int?
        var proto: String?
        var type: String
        var name: String
        var name_aggr: String
        var namespace: String
        var labels: [String]?
        var services: [Service]
        var why: Reason
        var passed_over: [Reason]
    }

    @Test func lookupPrintsJSON() throws {
        let path = try write(Self.cluster, to: "a.yaml")
        let process = try run(["lookup", "--inventory", path, "--json", "10.0.1.5", "10.96.0.7:80/tcp", "8.8.8.8"])
        #expect(process.wait() == 0, "\(process.errors)")
        let answers = try process.output.split(separator: "\n").map {
            try JSONDecoder().decode(Answer.self, from: Data($0.utf8))
        }
        #expect(answers.map(\.address) == ["10.0.1.5", "10.96.0.7", "8.8.8.8"])
        #expect(answers.map(\.type) == ["wep", "net", "net"])
        #expect(answers.map(\.name_aggr) == ["cart-7c9d-*", "pvt", "pub"])
        #expect(answers.map(\.labels) == [["app=cart", "tier=back"], nil, nil])
        #expect(answers.first?.why.object == "Pod shop/cart-7c9d-x1")
        #expect(answers.first?.why.place == "\(path):5")
        let service = Answer.Service(namespace: "shop", name: "cart", port_name: "http", port_num: 80)
        #expect(answers.map(\.services) == [[], [service], []])
        #expect(answers.map(\.port) == [nil, 80, nil])
        #expect(answers.map(\.proto) == [nil, "tcp", nil])
    }

    @Test func lookupReadsAllFilesOfFolder() throws {
        _ = try write(Self.cluster, to: "a.yaml")
        let other = try write(
            #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","namespace":"y"},"status":{"podIP":"10.0.9.9"}}"#,
            to: "b.json"
        )
        let process = try run(["lookup", "--inventory", folder.path, "10.0.1.5", "10.0.9.9"])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.output.contains("cart-7c9d-x1"))
        #expect(process.output.contains("an address of Pod y/x (\(other):1)"), "\(process.output)")
    }

    @Test func namesFileAndLineOfInvalidInventory() throws {
        let path = try write(Self.cluster + "- {", to: "a.yaml")
        let process = try run(["lookup", "--inventory", path, "10.0.1.5"])
        #expect(process.wait() == 1)
        #expect(process.output == "")
        #expect(process.errors.hasPrefix("error: \(path):"), "\(process.errors)")
        #expect(process.errors.split(separator: "\n").count == 1)
    }

    @Test func namesServerThatDoesNotAnswer() throws {
        let kubeconfig = """
            {apiVersion: v1, kind: Config, current-context: c,
             contexts: [{name: c, context: {cluster: k, user: u}}],
             clusters: [{name: k, cluster: {server: "http://127.0.0.1:9"}}], users: [{name: u, user: {}}]}
            """
        let path = try write(kubeconfig, to: "config")
        let process = try run(["lookup", "--kubeconfig", path, "--timeout", "1500ms", "10.0.1.5"])
        #expect(process.wait() == 1)
        #expect(process.output == "")
        let lines = process.errors.split(separator: "\n")
        #expect(lines.count == 2, "\(process.errors)")
        #expect(lines.first?.hasPrefix("waiting for http://127.0.0.1:9") == true, "\(process.errors)")
        #expect(lines.last?.hasPrefix("error: http://127.0.0.1:9 gives no answer") == true, "\(process.errors)")
    }

    // MARK: Usage

    @Test(arguments: [
        "lookup", "lookup 10.0.0.1", "lookup --inventory a", "lookup --inventory a host",
        "lookup --inventory= 10.0.0.1",
        "lookup --inventory a 10.0.0.0/8", "lookup --inventory a 10.0.0.1:", "lookup --inventory a 10.0.0.1:0",
        "lookup --inventory a 10.0.0.1:65536", "lookup --inventory a 10.0.0.1:+5", "lookup --inventory a 10.0.0.1:80/",
        "lookup --inventory a 10.0.0.1:80/icmp", "lookup --inventory a fd00::1:53/udp",
        "lookup --inventory a [fd00::1", "lookup --inventory a [fd00::1]53", "lookup --inventory a [10.0.0.1]:5",
        "lookup --inventory a --inventory a 10.0.0.1", "lookup --inventory a --from x 10.0.0.1",
        "lookup --inventory a --host= 10.0.0.1", "lookup --inventory a --context c 10.0.0.1",
        "lookup --kubernetes --kubeconfig k 10.0.0.1", "lookup --kubeconfig= 10.0.0.1", "lookup --timeout x 10.0.0.1",
        "check", "check --frobnicate", "frobnicate",
    ])
    func wrongUsagePrintsOneLineAndExitsWithTwo(_ line: String) throws {
        let process = try run(line.split(separator: " ").map(String.init))
        #expect(process.wait() == 2, "\(process.errors)")
        #expect(process.errors.split(separator: "\n").count { $0.hasPrefix("error: ") } == 1, "\(process.errors)")
        #expect(process.output == "")
    }

    @Test(arguments: ["", "lookup ", "check "])
    func commandsPrintHelpWithExamples(_ command: String) throws {
        let help = try run(command.split(separator: " ").map(String.init) + ["--help"])
        #expect(help.wait() == 0)
        #expect(help.output.contains("USAGE: weir inventory \(command)"), "\(help.output)")
        #expect(help.output.contains("Examples:"))
    }

    // MARK: Check

    @Test func checkSummarizesValidFile() throws {
        let path = try write(Self.cluster, to: "a.yaml")
        let process = try run(["check", path])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(
            process.output == """
                1 file, 7 objects (1 Namespace, 1 Pod, 1 Node, 1 Service, 1 EndpointSlice, 1 NetworkSet, \
                1 GlobalNetworkSet): 0 errors, 0 warnings

                """
        )
        #expect(process.errors == "")
    }

    @Test func checkPrintsFindingsWithFileAndLine() throws {
        let twice = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"
        let warned = try write(twice + "---\n" + twice + "---\n{kind: Secret, apiVersion: v1}\n", to: "a.yaml")
        let process = try run(["check", warned])
        #expect(process.wait() == 0)
        let finding = "\(warned):3: warning: Namespace shop: defined twice; the other one is in \(warned):1"
        let summary = "1 file, 2 objects (2 Namespace), 1 of other kinds: 0 errors, 1 warning"
        #expect(process.output == "\(finding)\n\(summary)\n")

        let broken = try write("{\n\"kind\": Pod}", to: "b.json")
        let failing = try run(["check", folder.path + "/", folder.file("none")])
        #expect(failing.wait() == 1)
        let lines = failing.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 4, "\(failing.output)")
        #expect(lines.contains(finding))
        #expect(lines.contains("\(broken):2: error: not JSON: 'P' where a value is expected"), "\(failing.output)")
        #expect(lines.contains("\(folder.file("none")): error: no such file or folder"))
        #expect(failing.errors == "")
    }

    @Test func checkPrintsJSON() throws {
        struct Line: Decodable {
            var path: String?
            var line: Int?
            var severity: String?
            var name: String?
            var reason: String?
            var errors: Int?
            var warnings: Int?
            var objects: [String: Int]?
        }
        let text = "{apiVersion: v1, kind: Namespace, metadata: {name: A}}\n---\n{apiVersion: v1, kind: Pod}\n"
        let path = try write(text, to: "a.yaml")
        let process = try run(["check", "--json", path])
        #expect(process.wait() == 1)
        let lines = try process.output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        #expect(lines.map(\.path) == [path, path, nil])
        #expect(lines.map(\.line) == [1, 3, nil])
        #expect(lines.map(\.severity) == ["warning", "error", nil])
        #expect(lines.first?.name == "A")
        #expect(lines.last?.errors == 1)
        #expect(lines.last?.warnings == 1)
        #expect(lines.last?.objects == ["Namespace": 1])
    }
}
