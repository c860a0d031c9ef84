import Foundation
import Testing

/// `weir policy trace` to services of every kind, as an operator runs it.
@Suite struct PolicyServiceTraceTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// The exit code, the output and the errors of a trace.
    private func trace(
        _ arguments: String,
        from source: String = "shop/cart-1",
        in inventory: String = Self.inventory
    ) throws -> (status: Int32?, output: String, errors: String) {
        let path = folder.file("cluster.yaml")
        try Data(inventory.utf8).write(to: URL(fileURLWithPath: path))
        let words = arguments.split(separator: " ").map(String.init)
        let process = try ChildProcess(
            [WeirProgram.path, "policy", "trace", "--inventory", path, "--from", source, "--to"] + words,
            keepingIn: folder
        )
        let status = process.wait()
        return (status, process.output, process.errors)
    }

    /// The value of `--to`, the first line of the answer, and the notes.
    struct Case: Sendable, CustomTestStringConvertible {
        var arguments: String
        var answer: String
        var notes: [String]

        init(_ arguments: String, _ answer: String, notes: String...) {
            (self.arguments, self.answer, self.notes) = (arguments, answer, notes)
        }

        var testDescription: String { arguments }
    }

    private static let notReady = "shop/db-1 is not ready and gets no new connections of service shop/db"

    /// Backends are those to which a service sends a connection; the policy allows `cart` to `db` at the port `pg`.
    @Test(arguments: [
        // One endpoint is ready, one is not, and one is terminating.
        Case("svc/db", "service shop/db, port 5432/tcp: allowed at its only backend", notes: notReady),
        Case("svc/db --port 5432", "service shop/db, port 5432/tcp: allowed at its only backend", notes: notReady),
        Case("svc/db --port pg", "service shop/db, port 5432/tcp: allowed at its only backend", notes: notReady),
        Case("svc/db --port 30432", "service shop/db, port 30432/tcp: allowed at its only backend", notes: notReady),
        Case("10.96.0.5 --port pg", "service shop/db (10.96.0.5), port 5432/tcp: allowed", notes: notReady),
        Case("192.168.0.1 --port 30432", "service shop/db (192.168.0.1), port 30432/tcp: allowed", notes: notReady),
        // None is ready: those that are terminating and still serve.
        Case(
            "svc/going",
            "service shop/going, port 80/tcp: denied at its only backend",
            notes: "no endpoint of service shop/going is ready: those that are terminating and still serve answer",
            "shop/db-1 is not ready and gets no new connections of service shop/going"
        ),
        // Without conditions, and terminating but published as ready (publishNotReadyAddresses).
        Case("svc/plain", "service shop/plain, port 80/tcp: denied at all 2 backends"),
        // A headless service resolves to its ready endpoints only, at any port.
        Case(
            "svc/headless --port 5432",
            "service shop/headless, port 5432/tcp: allowed at its only backend",
            notes: "shop/db-1 is not ready and gets no new connections of service shop/headless"
        ),
        Case(
            "svc/headless --port pg",
            "service shop/headless, port 5432/tcp: allowed at its only backend",
            notes: "shop/db-1 is not ready and gets no new connections of service shop/headless"
        ),
        // Endpoints, with addresses that are not ready.
        Case(
            "svc/old",
            "service shop/old, port 5432/tcp: allowed at its only backend",
            notes: "shop/db-1 is not ready and gets no new connections of service shop/old"
        ),
        // Pods have names of ports, too.
        Case("shop/db-0 --port pg", "shop/cart-1 (10.0.0.1) to shop/db-0 (10.0.0.2), port 5432/tcp: allowed"),
        // A port of a node that belongs to no service.
        Case("192.168.0.1 --port 30433", "shop/cart-1 (10.0.0.1) to n1 (192.168.0.1), port 30433/tcp: allowed"),
    ])
    func tracesBackendsThatReceiveConnections(_ test: Case) throws {
        let (status, output, errors) = try trace(test.arguments)
        #expect(status == 0, "\(errors)")
        #expect(output.hasPrefix(test.answer), "\(output)")
        let notes = output.split(separator: "\n").filter { $0.hasPrefix("note: ") }.map { String($0.dropFirst(6)) }
        #expect(notes.filter { $0.contains("ready") } == test.notes)
    }

    @Test(arguments: [
        Case(
            "svc/ext",
            "service shop/ext is of type ExternalName, for which DNS answers with db.example.com: connections go to that "
                + "host, and not to endpoints of the cluster; give one of its addresses"
        ),
        Case(
            "shop/ext --port 5432",
            "service shop/ext is of type ExternalName, for which DNS answers with db.example.com"
        ),
        Case(
            "svc/nosel",
            "nothing answers for service shop/nosel: it has no endpoints in the inventory, and "
                + "no selector, so that somebody must write them: with the label kubernetes.io/service-name: nosel"
        ),
        Case(
            "svc/empty",
            "nothing answers for service shop/empty: it has no endpoints in the inventory\n"
        ),
        Case(
            "svc/unready",
            "nothing answers for service shop/unready: its only endpoint is not ready (conditions of the EndpointSlice)"
        ),
        Case(
            "svc/renamed",
            "nothing answers for service shop/renamed: its endpoints have no port 'web' of tcp; they have http (80/tcp)"
        ),
        Case("svc/db --port 81", "service shop/db has no port 81/tcp; it has 5432/tcp (pg)"),
        Case("10.96.0.5 --port 81", "service shop/db has no port 81/tcp; it has 5432/tcp (pg)"),
        Case("svc/db --port web", "service shop/db has no port 'web' of tcp; it has 5432/tcp (pg)"),
        Case("svc/db --protocol udp", "service shop/db has no port of udp; it has 5432/tcp (pg)"),
        Case("svc/db --protocol icmp", "service shop/db passes on its ports only (5432/tcp (pg)), and no icmp"),
        Case("svc/six", "nothing answers for service shop/six: its endpoints are of the other IP version"),
        Case("shop/db-0 --port web", "pod shop/db-0 has no port 'web' of tcp; it has pg (5432/tcp)"),
        Case("203.0.113.9 --port web", "port 'web': pods and services have names of ports; give its number"),
    ])
    func explainsMissingBackends(_ test: Case) throws {
        let (status, output, errors) = try trace(test.arguments)
        #expect(status == 1)
        #expect(output == "")
        #expect(errors.hasPrefix("error: \(test.answer)"), "\(errors)")
    }

    /// Source, destination, the result in the first line of the answer, and the first lines about host endpoints.
    struct NodePortCase: Sendable, CustomTestStringConvertible {
        var source: String
        var arguments: String
        var result: String
        var forwarded: [String]

        init(_ source: String, _ arguments: String, _ result: String, _ forwarded: String...) {
            (self.source, self.arguments, self.result, self.forwarded) = (source, arguments, result, forwarded)
        }

        var testDescription: String { "\(source) to \(arguments)" }
    }

    /// The `preDNAT` policy denies the node port where it is translated, and nothing behind it.
    @Test(arguments: [
        NodePortCase("203.0.113.9", "192.168.0.1 --port 30080", "denied", "into n1, host endpoint n1-eth0: deny"),
        NodePortCase("203.0.113.9", "shop/web --port 30080", "denied", "into n1, host endpoint n1-eth0: deny"),
        NodePortCase(
            "203.0.113.9",
            "192.168.0.2 --port 30080",
            "denied",
            "into n2, host endpoint n2-eth0: deny",
            "into n1, host endpoint n1-eth0: allow"
        ),
        NodePortCase(
            "shop/cart-1",
            "192.168.0.2 --port 30080",
            "denied",
            "into n2, host endpoint n2-eth0: deny",
            "into n1, host endpoint n1-eth0: allow"
        ),
        NodePortCase("192.168.0.2", "192.168.0.1 --port 30080", "denied", "into n1, host endpoint n1-eth0: deny"),
        NodePortCase("192.168.0.2", "192.168.0.2 --port 30080", "allowed", "into n1, host endpoint n1-eth0: allow"),
        NodePortCase("shop/cart-1", "192.168.0.1 --port 30080", "allowed"),
        NodePortCase("203.0.113.9", "10.96.0.20 --port 80", "allowed", "into n1, host endpoint n1-eth0: allow"),
        NodePortCase("203.0.113.9", "10.96.0.20 --port 81", "denied", "into n1, host endpoint n1-eth0: deny"),
        NodePortCase("192.168.0.2", "10.96.0.20 --port 81", "allowed", "into n1, host endpoint n1-eth0: allow"),
    ])
    func evaluatesCalledPortAtHostEndpoints(_ test: NodePortCase) throws {
        let (status, output, errors) = try trace(
            test.arguments,
            from: test.source,
            in: Self.inventory + Self.hostEndpoints
        )
        #expect(status == 0, "\(errors)")
        let lines = output.split(separator: "\n").map(String.init)
        #expect(lines.first?.hasSuffix(": \(test.result) at its only backend") == true, "\(output)")
        #expect(lines.filter { $0.hasPrefix("forwarded ") } == test.forwarded.map { "forwarded \($0)" }, "\(output)")
    }

    // MARK: - The cluster

    private static func service(_ name: String, _ spec: String) -> String {
        """
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: shop}
        spec: {\(spec)}

        """
    }

    private static func slice(_ service: String, _ ports: String, _ endpoints: String, type: String = "IPv4") -> String
    {
        """
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: \(service)-1, namespace: shop, labels: {kubernetes.io/service-name: \(service)}}
        addressType: \(type)
        ports: [\(ports)]
        endpoints: [\(endpoints)]

        """
    }

    private static func pod(_ name: String, _ app: String, _ address: String, _ spec: String = "") -> String {
        """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), namespace: shop, labels: {app: \(app)}}
        spec: {nodeName: n1\(spec)}
        status: {phase: Running, podIPs: [{ip: \(address)}]}

        """
    }

    private static func hostEndpoint(of node: String) -> String {
        """
        ---
        apiVersion: projectcalico.org/v3
        kind: HostEndpoint
        metadata: {name: \(node)-eth0, labels: {role: node}}
        spec: {node: \(node), interfaceName: eth0}

        """
    }

    private static let hostEndpoints = [
        """
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: n2}
        status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}
        ---
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: default.called}
        spec:
          selector: role == 'node'
          preDNAT: true
          applyOnForward: true
          types: [Ingress]
          ingress: [{action: Deny, protocol: TCP, destination: {ports: [81, 30080]}}]

        """,
        pod("web-1", "web", "10.0.0.4"),
        service(
            "web",
            "clusterIP: 10.96.0.20, selector: {app: web}, ports: ["
                + "{name: http, port: 80, nodePort: 30080}, {name: alt, port: 81}]"
        ),
        slice("web", "{name: http, port: 8080}, {name: alt, port: 8080}", "{addresses: [10.0.0.4]}"),
        hostEndpoint(of: "n1"),
        hostEndpoint(of: "n2"),
    ].joined()

    private static let pg = "{name: pg, port: 5432, protocol: TCP}"
    private static let ready = "{addresses: [10.0.0.2], conditions: {ready: true, serving: true, terminating: false}}"
    private static let unready = "{addresses: [10.0.0.3], conditions: {ready: false, serving: false}}"
    private static let terminating =
        "{addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}"

    private static let inventory = [
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: n1}
        status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: db, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: db}}
          ingress: [{from: [{podSelector: {matchLabels: {app: cart}}}], ports: [{port: 5432}]}]
        ---
        apiVersion: v1
        kind: Endpoints
        metadata: {name: old, namespace: shop}
        subsets: [{addresses: [{ip: 10.0.0.2}], notReadyAddresses: [{ip: 10.0.0.3}], ports: [\(pg)]}]

        """,
        pod("cart-1", "cart", "10.0.0.1"),
        pod("db-0", "db", "10.0.0.2", ", containers: [{name: c, ports: [{name: pg, containerPort: 5432}]}]"),
        pod("db-1", "db", "10.0.0.3"),
        service("db", "clusterIP: 10.96.0.5, selector: {app: db}, ports: [{name: pg, port: 5432, nodePort: 30432}]"),
        slice("db", pg, "\(ready), \(unready)"),
        service("going", "clusterIP: 10.96.0.6, selector: {app: db}, ports: [{port: 80}]"),
        slice("going", "{port: 80}", "\(terminating), \(unready)"),
        service("plain", "clusterIP: 10.96.0.7, publishNotReadyAddresses: true, ports: [{port: 80}]"),
        slice(
            "plain",
            "{port: 80}",
            "{addresses: [10.0.0.2]}, {addresses: [10.0.0.3], conditions: {ready: true, serving: false, terminating: true}}"
        ),
        service("headless", "clusterIP: None, selector: {app: db}, ports: [{name: pg, port: 5432}]"),
        slice(
            "headless",
            pg,
            "\(ready), {addresses: [10.0.0.3], conditions: {ready: false, serving: true, terminating: true}}"
        ),
        service("old", "clusterIP: 10.96.0.8, selector: {app: db}, ports: [{name: pg, port: 5432}]"),
        service("ext", "type: ExternalName, externalName: db.example.com"),
        service("nosel", "clusterIP: 10.96.0.9, ports: [{port: 80}]"),
        service("empty", "clusterIP: 10.96.0.10, selector: {app: none}, ports: [{port: 80}]"),
        service("unready", "clusterIP: 10.96.0.11, selector: {app: db}, ports: [{port: 80}]"),
        slice("unready", "{port: 80}", unready),
        service("renamed", "clusterIP: 10.96.0.12, selector: {app: db}, ports: [{name: web, port: 80}]"),
        slice("renamed", "{name: http, port: 80}", ready),
        service("six", "clusterIP: 'fd00::5', selector: {app: db}, ports: [{port: 80}]"),
        slice("six", "{port: 80}", "{addresses: ['fd00::2']}", type: "IPv6"),
    ].joined()
}
