import Audit
import Foundation

/// Measures the cost of reading an API server's audit log: lines parsed and filtered, beside Foundation's decoders of the same
/// lines.
package enum AuditBenchmark {
    private static let rounds = 12

    /// Measures a log of reads, status updates and policy changes; only the last are wanted.
    ///
    /// - Throws: what Foundation's decoders throw.
    package static func run(report: (Measurement) -> Void) throws {
        // First: what others leave in memory would be used.
        AuditMemoryBenchmark.run(report: report)
        let lines = (0..<1500).map(line)
        let log = Array(lines.joined(separator: "\n").utf8)
        var wanted = 0
        let texts = lines.map { Data($0.utf8) }
        let decoder = JSONDecoder()
        var found = [0, 0]
        // In turns, so that all are measured while the machine is equally busy.
        var (ours, decoded, serialized) = (Double.infinity, Double.infinity, Double.infinity)
        for _ in 0..<rounds {
            ours = min(ours, fastest(of: 2) { wanted = select(log) })
            decoded = min(
                decoded,
                try fastest(of: 1) {
                    found[0] = try texts.filter { try decoder.decode(Event.self, from: $0).isWanted }.count
                }
            )
            serialized = min(
                serialized,
                try fastest(of: 1) {
                    found[1] = try texts.filter { Event.isWanted(try JSONSerialization.jsonObject(with: $0)) }.count
                }
            )
        }
        precondition(found == [wanted, wanted], "all find the same lines")
        let rate = { (time: Double) in Double(log.count) / time * 1e3 }
        report(
            Measurement(
                "audit/filter",
                unit: "MB/s",
                value: rate(ours),
                baseline: rate(decoded),
                against: "JSONDecoder of the members that are asked; \(wanted) of \(lines.count) wanted"
            )
        )
        report(
            Measurement(
                "audit/filter",
                unit: "MB/s",
                value: rate(ours),
                baseline: rate(serialized),
                against: "JSONSerialization, objects of everything"
            )
        )
        let changes = fastest(of: rounds) { read(log) }
        report(
            Measurement(
                "audit/changes",
                unit: "µs/event",
                value: changes / Double(lines.count) / 1e3,
                baseline: serialized / Double(lines.count) / 1e3,
                against: "JSONSerialization; ours compares states and puts changes into words"
            )
        )
    }

    // MARK: - Weir

    private static func forEachLine(_ log: [UInt8], _ body: (Span<UInt8>, Range<Int>) -> Void) {
        var lines = AuditLines()
        for start in stride(from: 0, to: log.count, by: 256 << 10) {
            lines.append(log[start..<min(log.count, start + 256 << 10)])
            while case .bytes(let line)? = lines.next() { body(lines.buffer.span, line) }
        }
        if case .bytes(let line)? = lines.last() { body(lines.buffer.span, line) }
    }

    private static func select(_ log: [UInt8]) -> Int {
        var selection = AuditSelection()
        selection.choose(kinds: ["NetworkPolicy"])
        selection.writesOnly = true
        var wanted = 0
        forEachLine(log) { bytes, line in
            guard let places = try? AuditPlaces(in: bytes, line), selection.mayMatch(places, in: bytes) else { return }
            if selection.matches(AuditEvent(at: places, in: bytes)) { wanted += 1 }
        }
        return wanted
    }

    private static func read(_ log: [UInt8]) {
        var join = AuditJoin()
        var reader = ChangeReader()
        var length = 0
        forEachLine(log) { bytes, line in
            guard let event = try? AuditEvent(in: bytes, line), join.take(event) else { return }
            if let change = reader.change(event, in: bytes) { length += change.summary.utf8.count }
        }
        precondition(length > 0, "the log has changes")
    }

    // MARK: - Foundation

    private struct Event: Decodable {
        struct Reference: Decodable {
            var resource: String
            var namespace: String?
            var name: String?
        }
        struct User: Decodable {
            var username: String
        }

        var auditID: String
        var stage: String
        var verb: String
        var user: User
        var objectRef: Reference?

        static let verbs: Set<String> = ["create", "update", "patch", "delete", "deletecollection"]

        var isWanted: Bool { Self.verbs.contains(verb) && objectRef?.resource == "networkpolicies" }

        static func isWanted(_ object: Any) -> Bool {
            let event = object as? [String: Any] ?? [:]
            let reference = event["objectRef"] as? [String: Any]
            return verbs.contains(event["verb"] as? String ?? "")
                && reference?["resource"] as? String == "networkpolicies"
        }
    }

    // MARK: - A log

    /// Returns a line: of ten requests five are reads without objects, four are status updates of pods and one is a change of a
    /// policy.
    private static func line(_ index: Int) -> String {
        switch index % 10 {
        case 0..<5: event(index, "get", "pods", "web-\(index)", "Metadata", "")
        case 5..<9: event(index, "patch", "pods", "web-\(index)", "RequestResponse", pod(index))
        default: event(index, "patch", "networkpolicies", "allow-\(index % 20)", "RequestResponse", policy(index))
        }
    }

    private static func event(
        _ index: Int,
        _ verb: String,
        _ resource: String,
        _ name: String,
        _ level: String,
        _ objects: String
    ) -> String {
        let group = resource == "pods" ? "" : #""apiGroup":"networking.k8s.io","#
        let id = "0bc188d9-9ec2-404b-8294-\(String(format: "%012d", index))"
        return """
            {"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"\(level)","auditID":"\(id)","stage":"ResponseComplete",\
            "requestURI":"/api/v1/namespaces/shop/\(resource)/\(name)?fieldManager=kubectl","verb":"\(verb)","user":\
            {"username":"kubernetes-admin","groups":["system:masters","system:authenticated"],"extra":{"authentication.\
            kubernetes.io/credential-id":["X509SHA256=fb3e6409f748b3d8d5180ad013fc2edc2e6ba87d86cdcfe72e0b669a0e169c53"]}},\
            "sourceIPs":["127.0.0.1"],"userAgent":"kubectl/v1.32.3 (linux/amd64) kubernetes/32cc146","objectRef":{"resource":\
            "\(resource)","namespace":"shop","name":"\(name)",\(group)"apiVersion":"v1"},"responseStatus":{"metadata":{},\
            "code":200},\(objects)"requestReceivedTimestamp":"2026-11-21T11:50:07.027954Z","stageTimestamp":\
            "2026-11-21T11:50:07.\(String(format: "%06d", index))Z","annotations":{"authorization.k8s.io/decision":"allow",\
            "authorization.k8s.io/reason":""}}
            """
    }

    private static func pod(_ index: Int) -> String {
        let fields = (0..<30).map { #""f:field\#($0)":{".":{},"k:{\"type\":\"Ready\"}":{".":{},"f:status":{}}}"# }
            .joined(separator: ",")
        return """
            "requestObject":{"status":{"phase":"Running","podIP":"10.244.2.\(index % 250)"}},"responseObject":{"kind":"Pod",\
            "apiVersion":"v1","metadata":{"name":"web-\(index)","namespace":"shop","uid":"cdab8e9c-c779-4c8c","resourceVersion":\
            "\(index)","labels":{"app":"web","tier":"frontend"},"managedFields":[{"manager":"kubelet","operation":"Update",\
            "fieldsType":"FieldsV1","fieldsV1":{\(fields)}}]},"spec":{"containers":[{"name":"web","image":"registry.example/web:1",\
            "ports":[{"containerPort":8080,"protocol":"TCP"}],"resources":{"limits":{"cpu":"1"}}}],"nodeName":"node-a"},"status":\
            {"phase":"Running","podIP":"10.244.2.\(index % 250)","podIPs":[{"ip":"10.244.2.\(index % 250)"}]}},
            """
    }

    private static func policy(_ index: Int) -> String {
        let spec = """
            "spec":{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"ports":[{"protocol":"TCP","port":\(5400 + index)}],\
            "from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["cart","migrate"]}]}}]}],\
            "policyTypes":["Ingress"]}
            """
        return """
            "requestObject":{\(spec)},"responseObject":{"kind":"NetworkPolicy","apiVersion":"networking.k8s.io/v1","metadata":\
            {"name":"allow-\(index % 20)","namespace":"shop","uid":"868e0774","resourceVersion":"\(index)"},\(spec)},
            """
    }
}
