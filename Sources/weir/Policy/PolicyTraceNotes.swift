import ClusterModel
import FlowModel
import Inventory

/// Notes that help to interpret the verdict for a connection.
struct PolicyTraceNotes {
    private let connection: PolicyConnection
    private let question: PolicyTracer.Question
    private let tracer: PolicyTracer

    /// Takes the connection, the question that it resolves to, and the tracer.
    init(_ connection: PolicyConnection, _ question: PolicyTracer.Question, _ tracer: PolicyTracer) {
        self.connection = connection
        self.question = question
        self.tracer = tracer
    }

    /// The notes, one sentence each.
    var lines: [String] {
        var lines: [String] = []
        if !tracer.directory.policyObjects.contains(where: \.kind.isPolicy) {
            lines.append("there are no policies in the inventory: profiles decide everything")
        }
        for name in [connection.source, connection.destination] { lines += hostNetwork(name) }
        lines += Set([question.source, question.destination].compactMap(missingNamespace)).sorted()
        if let missing = missingNumber { lines.append(missing) }
        if question.domains == .unknown, tracer.traces(question).egress?.dependsOnDomains == true {
            lines.append("a rule requires the destination's domain name; give --destination-domain NAME")
        }
        return lines
    }

    private func hostNetwork(_ name: PolicyEndName) -> [String] {
        guard case .named(let text) = name, tracer.directory.pod(text)?.usesHostNetwork == true else { return [] }
        return ["pod \(text) uses its node's network: policies see the host"]
    }

    private func missingNamespace(_ endpoint: Endpoint) -> String? {
        guard endpoint.kind == .workload, let namespace = endpoint.namespace,
            !tracer.directory.namespaces.contains(namespace)
        else { return nil }
        return "namespace \(namespace) is not in the inventory: of its labels only the name is known"
    }

    private var missingNumber: String? {
        if connection.proto.isICMP, connection.icmpType == nil {
            return "no --icmp-type is given (taken as 255, which no rule has): rules that require a type do not match"
        }
        guard connection.proto.hasPorts, connection.port == nil else { return nil }
        return "no --port is given (taken as 0): rules that require a port do not match"
    }
}
