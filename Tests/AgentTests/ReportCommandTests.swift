import FlowModel
import Foundation
import Testing

/// `weir report network-access` and `inventory`, as an auditor runs them.
@Suite struct ReportCommandTests {
    private let folder: TemporaryFolder
    private static let bank =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/docs/examples/bank.yaml"

    init() throws {
        folder = try TemporaryFolder()
    }

    private func report(_ arguments: [String]) throws -> String {
        let process = try ChildProcess(
            [WeirProgram.path, "report"] + arguments + ["--inventory", Self.bank],
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        return process.output
    }

    private static let pods = [
        "summary-68597c9ddd-*": "summary-68597c9ddd-9c7xk", "customer-856cd6d9f5-*": "customer-856cd6d9f5-bl2sn",
    ]

    /// A record of connections from a pod of the bank to the database.
    private static func line(_ source: String, _ action: String, _ reporter: String, _ connections: Int) -> String {
        let fields: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .proto: "\"tcp\"", .destPort: "2379",
            .sourceType: "\"wep\"", .sourceNamespace: "\"yaobank\"", .sourceNameAggr: "\"\(source)\"",
            .destType: "\"wep\"", .destNamespace: "\"yaobank\"", .destNameAggr: "\"database-69f6f4db5b-*\"",
            .destName: "\"database-69f6f4db5b-wd2lr\"", .sourceName: "\"\(pods[source] ?? "-")\"",
            .action: "\"\(action)\"", .reporter: "\"\(reporter)\"", .numFlowsStarted: "\(connections)",
            .policies:
                #"{"enforced_policies":["0|application|yaobank/application.then|\#(action)|0"],"pending_policies":[]}"#,
        ]
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        return "{\(members.joined(separator: ","))}\n"
    }

    private func flows(_ lines: [String]) throws -> String {
        let path = folder.file("flows.log")
        try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private func rows(_ text: String) throws -> [[String: Any]] {
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return try #require(object?["rows"] as? [[String: Any]], "\(text)")
    }

    @Test func accessReportCombinesVerdictsWithRecords() throws {
        let path = try flows([
            Self.line("summary-68597c9ddd-*", "allow", "src", 5), Self.line("summary-68597c9ddd-*", "allow", "dst", 4),
            Self.line("customer-856cd6d9f5-*", "allow", "src", 3), Self.line("customer-856cd6d9f5-*", "deny", "dst", 2),
            Self.line("<script>,\"gone-*", "deny", "dst", 1).replacing("<script>,\"", with: "<script>,\\\""),
        ])
        let text = try report(["network-access", "--from", path, "--format", "json"])
        let found = try rows(text)
        func row(_ source: String) throws -> [String: Any] {
            let rows = found.filter {
                ($0["source"] as? String)?.hasPrefix("yaobank/\(source)") == true && $0["port"] as? String == "2379/tcp"
                    && ($0["lastSeen"] as? String)?.isEmpty == false
            }
            return try #require(rows.first, "\(text)")
        }
        let summary = try row("summary")
        #expect(summary["couldReach"] as? String == "allow")
        #expect((summary["rule"] as? String)?.hasSuffix("yaobank/application.allow-customer|allow|0") == true)
        #expect(summary["allowedConnections"] as? Int == 5)
        #expect(summary["rulesInForce"] as? [String] == ["0|application|yaobank/application.then|allow|0"])
        #expect(summary["lastSeen"] as? String == "2025-11-28T14:00:00Z")
        // The destination may deny connections that the source allows.
        let customer = try row("customer")
        #expect(customer["couldReach"] as? String == "deny")
        #expect(customer["allowedConnections"] as? Int == 1)
        #expect(customer["deniedConnections"] as? Int == 2)
        let gone = try row("<script>")
        #expect(gone["couldReach"] as? String == "")
        #expect(found.contains { $0["destination"] as? String == "(internet)" && $0["port"] as? String == "443/tcp" })
        #expect(!found.contains { $0["source"] as? String == "(internet)" })
    }

    private static let domains = """
        {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, status: {podIP: 10.65.1.4}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: job, namespace: shop, labels: {app: job}}, status: {podIP: 10.65.1.5}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, status: {podIP: 10.65.1.6}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {clusterIP: 10.96.0.1, ports: [{port: 443}]}}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        addressType: IPv4
        metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
        endpoints: [{addresses: [10.65.1.6]}]
        ports: [{port: 443}]
        ---
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: default.egress, namespace: shop}
        spec:
          types: [Egress]
          egress:
          - {action: Deny, source: {selector: app == 'job'}}
          - {action: Allow, destination: {domains: ["*.example.com"]}}
        ---
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: default.db, namespace: shop}
        spec: {selector: app == 'db', types: [Ingress], ingress: [{action: Deny}]}

        """

    /// The report marks access that depends on an unknown domain name, and omits access that is denied for every name.
    @Test func marksAccessThatDependsOnDomain() throws {
        let path = folder.file("domains.yaml")
        try Self.domains.write(toFile: path, atomically: true, encoding: .utf8)
        let process = try ChildProcess(
            [
                WeirProgram.path, "report", "network-access", "--format", "json", "--inventory", path, "--from",
                try flows([]),
            ],
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        let found = try rows(process.output)
        func row(_ source: String, _ destination: String) -> [String: Any]? {
            found.first { $0["source"] as? String == source && $0["destination"] as? String == destination }
        }
        #expect(row("shop/web", "(internet)")?["couldReach"] as? String == "domain", "\(process.output)")
        #expect(row("shop/web", "(internet)")?["rule"] as? String == "")
        #expect(row("shop/job", "(internet)") == nil)
        #expect(row("shop/web", "shop/db") == nil)
        #expect(row("(internet)", "shop/db") == nil)
    }

    private static let gate = """
        {apiVersion: v1, kind: Node, metadata: {name: n1}}
        ---
        {apiVersion: v1, kind: Node, metadata: {name: n2}}
        ---
        {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {nodeName: n1}, status: {podIP: 10.65.1.5}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: job, namespace: shop}, spec: {nodeName: n2}, status: {podIP: 10.65.2.7}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop}, spec: {nodeName: n2}, status: {podIP: 10.65.2.6}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {clusterIP: 10.96.0.1, ports: [{port: 443}]}}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        addressType: IPv4
        metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
        endpoints: [{addresses: [10.65.2.6]}]
        ports: [{port: 443}]
        ---
        apiVersion: projectcalico.org/v3
        kind: HostEndpoint
        metadata: {name: n2-eth0, labels: {role: gate}}
        spec: {node: n2, interfaceName: eth0, expectedIPs: [192.0.2.2]}
        ---
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: default.gate}
        spec: {selector: role == 'gate', types: [Ingress], applyOnForward: true, PREDNATingress: [{action: Deny}]}

        """

    /// Pods of other nodes have no access if the destination's node does not forward; pods of that node have access.
    @Test(arguments: ["", "preDNAT: true, "])
    func hostEndpointPoliciesLimitAccess(_ kind: String) throws {
        let path = folder.file("gate.yaml")
        try Self.gate.replacing("PREDNAT", with: kind).write(toFile: path, atomically: true, encoding: .utf8)
        let report = ["report", "network-access", "--format", "json", "--inventory", path, "--from", try flows([])]
        let process = try ChildProcess([WeirProgram.path] + report, keepingIn: folder)
        #expect(process.wait() == 0, "\(process.errors)")
        let reached = Set(
            try rows(process.output).filter { $0["destination"] as? String == "shop/db" }
                .compactMap { $0["source"] as? String }
        )
        #expect(reached == ["shop/job"], "\(process.output)")
        try Self.gate.replacing("PREDNAT", with: kind).replacing("Deny", with: "Allow")
            .write(toFile: path, atomically: true, encoding: .utf8)
        let open = try ChildProcess([WeirProgram.path] + report, keepingIn: folder)
        #expect(open.wait() == 0)
        #expect(try rows(open.output).contains { $0["source"] as? String == "shop/web" }, "\(open.output)")
    }

    /// The limit counts the pairs that remain after `--namespace`.
    @Test(arguments: [("big", Int32(1)), ("small", 0)])
    func limitsNumberOfPairs(_ namespace: String, _ status: Int32) throws {
        let pods = (0..<1_050).map { number in
            let namespace = number < 2 ? "small" : "big"
            return """
                {apiVersion: v1, kind: Pod, metadata: {name: "pod\(number)x", namespace: \(namespace), labels: {app: x}}, \
                spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}, \
                status: {podIP: 10.1.\(number >> 8).\(number & 255)}}
                """
        }
        let backends = (2..<1_050).map { "{addresses: [10.1.\($0 >> 8).\($0 & 255)], conditions: {ready: true}}" }
        let service = """
            {apiVersion: v1, kind: Service, metadata: {name: x, namespace: big}, \
            spec: {clusterIP: 10.96.0.9, selector: {app: x}, ports: [{port: 80}]}}
            ---
            {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, ports: [{port: 80, protocol: TCP}], \
            metadata: {name: x-1, namespace: big, labels: {kubernetes.io/service-name: x}}, \
            endpoints: [\(backends.joined(separator: ", "))]}
            """
        let path = folder.file("pods.yaml")
        try (pods + [service]).joined(separator: "\n---\n").write(toFile: path, atomically: true, encoding: .utf8)
        let options = ["--inventory", path, "--from", try flows([]), "--namespace", namespace]
        let process = try ChildProcess([WeirProgram.path, "report", "network-access"] + options, keepingIn: folder)
        #expect(process.wait() == status, "\(process.errors)")
        #expect(process.errors.contains("1050 workloads have too many pairs") == (status == 1), "\(process.errors)")
    }

    @Test func csvAndYAMLEscapeNames() throws {
        let path = try flows([Self.line("a,\\\"b\\n", "deny", "dst", 1)])
        let csv = try report(["network-access", "--from", path, "--namespace", "yaobank"])
        #expect(csv.hasPrefix("source,destination,port,couldReach,rule,allowedConnections,deniedConnections,"))
        #expect(csv.contains("\"yaobank/a,\"\"b\n\","))
        let yaml = try report(["network-access", "--from", path, "--format", "yaml"])
        #expect(yaml.contains("startTime: \"") && yaml.contains("rows:\n- source: \""))
        #expect(yaml.contains("- source: \"yaobank/a,\\\"b\\n\"\n"))
        let none = try report(["network-access", "--from", path, "--namespace", "nowhere", "--format", "yaml"])
        #expect(none.hasSuffix("rows: []\n"))
    }

    @Test func inventoryListsPoliciesAndServicesOfPods() throws {
        let found = try rows(try report(["inventory", "--format", "json"]))
        #expect(found.count == 3)
        let database = try #require(found.first { ($0["endpoint"] as? String)?.contains("/database") == true })
        #expect(database["addresses"] as? [String] == ["10.65.1.9"])
        #expect(database["ingressProtected"] as? Bool == true)
        #expect(database["services"] as? [String] == ["yaobank/database"])
        let policies = try #require(database["appliedPolicies"] as? [String])
        #expect(policies.contains { $0.contains("application.allow-customer") })
        #expect(!policies.contains { $0.contains("customer-to-database") }, "staged policies are not in force")
        let csv = try report(["inventory", "--namespace", "nowhere"])
        #expect(csv.split(separator: "\n").count == 1)
    }

    // MARK: In a range of time

    /// Returns an API server's event for a request for a policy by which the customer may call the database.
    private static func event(
        _ verb: String,
        _ time: String,
        code: Int = 200,
        port: Int = 2379,
        namespace: String = "yaobank",
        metadata: String = ""
    ) -> String {
        let spec = """
            {"tier":"application","order":50,"selector":"app in { \\"customer\\", \\"database\\" }","types":["Ingress","Egress"],\
            "egress":[{"action":"Allow","protocol":"TCP","destination":{"ports":[\(port)]}}],\
            "ingress":[{"action":"Allow","protocol":"TCP","destination":{"ports":[\(port)]}}]}
            """
        let object = """
            {"kind":"NetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"name":"application.let-customer",\
            "namespace":"\(namespace)","resourceVersion":"7"\(metadata)},"spec":\(spec)}
            """
        return """
            {"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"\(verb)-\(time)","stage":\
            "ResponseComplete","requestURI":"/x","verb":"\(verb)","user":{"username":"alice"},"objectRef":{"resource":\
            "networkpolicies","namespace":"\(namespace)","name":"application.let-customer","apiGroup":"projectcalico.org"},\
            "responseStatus":{"code":\(code)},"responseObject":\(object),"requestReceivedTimestamp":"\(time)",\
            "stageTimestamp":"\(time)"}

            """
    }

    private func audit(_ lines: [String]) throws -> String {
        let path = folder.file("kube-audit.log")
        try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test func accessFollowsPolicyChangesInRange() throws {
        let log = try audit([
            Self.event("create", "2025-11-28T13:10:00.000000Z"),
            // The rejected update was never in force.
            Self.event("update", "2025-11-28T13:15:00.000000Z", code: 403, port: 1),
            Self.event("delete", "2025-11-28T13:20:00.000000Z"),
        ])
        let path = try flows([Self.line("customer-856cd6d9f5-*", "allow", "src", 3)])
        func customer(_ range: [String]) throws -> [String: Any] {
            let text = try report(
                ["network-access", "--from", path, "--format", "json", "--audit-log", log] + range
            )
            let row = try rows(text).first { row in
                row["source"] as? String == "yaobank/customer-856cd6d9f5-bl2sn"
                    && row["port"] as? String == "2379/tcp"
                    && (row["destination"] as? String)?.hasPrefix("yaobank/database") == true
            }
            return try #require(row, "\(text)")
        }
        let story = try customer(["--since", "2025-11-28T13:00:00Z", "--until", "2025-11-28T15:00:00Z"])
        #expect(story["couldReach"] as? String == "deny")
        let times = try #require(story["couldReachOverTime"] as? [String])
        #expect(times.count == 3, "\(times)")
        #expect(times.first?.hasPrefix("2025-11-28T13:00:00.000000Z deny") == true)
        #expect(
            times.contains { $0.hasPrefix("2025-11-28T13:10:00.000000Z allow") && $0.contains("let-customer|allow") }
        )
        #expect(times.last?.hasPrefix("2025-11-28T13:20:00.000000Z deny") == true)
        // In the middle it was in force all the time.
        let middle = try customer(["--since", "2025-11-28T13:11:00Z", "--until", "2025-11-28T13:19:00Z"])
        #expect(middle["couldReach"] as? String == "allow")
        #expect((middle["couldReachOverTime"] as? [String])?.isEmpty == true)
    }

    private func access(_ log: String, _ path: String, _ more: [String] = []) throws -> [String: Any] {
        let text = try report(
            [
                "network-access", "--from", path, "--format", "json", "--audit-log", log, "--since",
                "2025-11-28T13:00:00Z", "--until", "2025-11-28T15:00:00Z",
            ] + more
        )
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }

    private func customer(_ object: [String: Any]) throws -> [String] {
        let row = (object["rows"] as? [[String: Any]])?.first { row in
            row["source"] as? String == "yaobank/customer-856cd6d9f5-bl2sn" && row["port"] as? String == "2379/tcp"
                && (row["destination"] as? String)?.hasPrefix("yaobank/database") == true
        }
        return try #require(row?["couldReachOverTime"] as? [String])
    }

    @Test func policyStaysInForceUntilFinalizersAreRemoved() throws {
        let dying = #","deletionTimestamp":"2025-11-28T13:20:00Z","finalizers":["a/b"]"#
        let log = try audit([
            Self.event("create", "2025-11-28T13:10:00.000000Z"),
            Self.event("delete", "2025-11-28T13:20:00.000000Z", metadata: dying),
            Self.event("patch", "2025-11-28T13:30:00.000000Z", metadata: dying.replacing(#"["a/b"]"#, with: "[]")),
        ])
        let times = try customer(try access(log, try flows([Self.line("customer-856cd6d9f5-*", "allow", "src", 3)])))
        let expected = ["13:00:00.000000Z deny", "13:10:00.000000Z allo", "13:30:00.000000Z deny"]
        #expect(times.map { String($0.dropFirst(11).prefix(21)) } == expected, "\(times)")
    }

    /// Changes in namespaces without pods of the report do not use up the limit of policy states.
    @Test func limitOfStatesIgnoresOtherNamespaces() throws {
        let others = (0..<200).map { index in
            let time = "2025-11-28T13:\(12 + index / 50):\(10 + index % 50).000000Z"
            return Self.event(index == 0 ? "create" : "update", time, port: 1 + index, namespace: "elsewhere")
        }
        let own = [
            Self.event("create", "2025-11-28T13:10:00.000000Z"), Self.event("delete", "2025-11-28T13:20:00.000000Z"),
        ]
        let log = try audit([own[0]] + others + [own[1]])
        let path = try flows([Self.line("customer-856cd6d9f5-*", "allow", "src", 3)])
        let object = try access(log, path)
        #expect(object["numPolicyStates"] as? Int == 3)
        #expect(object["numPolicyStatesLeftOut"] as? Int == 0)
        #expect(object["numPolicyChanges"] as? Int == 202)
        #expect(try customer(object).count == 3)
        // The same number of changes in its own namespace exceeds the limit: the report has the last ones, and all pairs are
        // right from there on.
        let last = Self.event("update", "2025-11-28T13:20:00.000000Z")
        let many = try audit([own[0]] + others.map { $0.replacing("elsewhere", with: "yaobank") } + [last])
        let bounded = try access(many, path)
        let states = try #require(bounded["numPolicyStates"] as? Int)
        #expect(states == 64)
        #expect(bounded["numPolicyStatesLeftOut"] as? Int == 203 - states)
        #expect(try customer(bounded).last?.hasPrefix("2025-11-28T13:20:00.000000Z allow") == true)
    }

    @Test func inventoryAtEarlierTimeHasItsPolicies() throws {
        let log = try audit([
            Self.event("create", "2025-11-28T13:10:00.000000Z"), Self.event("delete", "2025-11-28T13:20:00.000000Z"),
        ])
        func policies(_ time: String) throws -> String {
            try report(["inventory", "--at", time, "--audit-log", log, "--format", "csv"])
        }
        #expect(try policies("2025-11-28T13:15:00Z").contains("let-customer"))
        #expect(try !policies("2025-11-28T13:05:00Z").contains("let-customer"))
        #expect(try !policies("2025-11-28T13:25:00Z").contains("let-customer"))
    }

    @Test func namesPoliciesWithUnknownState() throws {
        let log = try audit([Self.event("update", "2025-11-28T13:10:00.000000Z")])
        let path = try flows([Self.line("customer-856cd6d9f5-*", "allow", "src", 3)])
        let text = try report([
            "network-access", "--from", path, "--format", "json", "--audit-log", log, "--since", "2025-11-28T13:00:00Z",
            "--until", "2025-11-28T15:00:00Z",
        ])
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        #expect(object?["numPolicyStates"] as? Int == 2)
        #expect((object?["statesUnknown"] as? [String])?.first?.contains("let-customer") == true, "\(text.prefix(600))")
    }
}
