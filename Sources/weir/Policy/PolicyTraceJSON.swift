import ClusterModel
import FlowModel
import Policy

/// Formats traces as JSON, and caches the text of each trace.
struct PolicyTraceJSON {
    /// The maximum number of cached traces.
    private static let limit = 1 << 16

    private var written: [UInt64: [UInt8]] = [:]

    /// The traces of both ends as one line, including the line end.
    mutating func line(_ traces: PolicyTracer.Traces, _ transit: [TransitExplanation]) -> [UInt8] {
        var line = Array("{".utf8)
        append(traces, to: &line)
        Self.append(transit, to: &line)
        line += Array("}\n".utf8)
        return line
    }

    /// The traces at each backend of a service as one line, including the line end.
    mutating func line(
        _ service: PolicyTracer.ServiceQuestion,
        _ answers: [(question: PolicyTracer.Question, traces: PolicyTracer.Traces)],
        _ tracer: PolicyTracer
    ) -> [UInt8] {
        let outcome = PolicyOutcome(answers.map { PolicyOutcome($0.traces, $0.question, tracer) })
        let port = service.connection.port.map { "\($0)" } ?? "null"
        var line = Array(
            #"{"service":\#(JSONText.quoted(service.name)),"port":\#(port),"action":"\#(outcome.rawValue)","backends":["#
                .utf8
        )
        for (index, answer) in answers.enumerated() {
            let (packets, endpoint) = (answer.question.packets, answer.question.destination)
            let name = endpoint.kind == .workload ? "\(endpoint.namespace ?? "default")/\(endpoint.name)" : nil
            let to = JSONText.quoted(name ?? "\(packets.destination)")
            let comma = index == 0 ? "" : ","
            line += Array(
                #"\#(comma){"to":\#(to),"address":"\#(packets.destination)","port":\#(packets.destinationPort),"#.utf8
            )
            append(answer.traces, to: &line)
            Self.append(tracer.transit(answer.question), to: &line)
            line.append(UInt8(ascii: "}"))
        }
        line += Array("]}\n".utf8)
        return line
    }

    private mutating func append(_ traces: PolicyTracer.Traces, to line: inout [UInt8]) {
        line += Array(#""src":"#.utf8)
        append(traces.egress, to: &line)
        line += Array(#","dst":"#.utf8)
        append(traces.ingress, to: &line)
    }

    /// Appends the decisions of host endpoints on the way; nothing if none has policies for it.
    private static func append(_ transit: [TransitExplanation], to line: inout [UInt8]) {
        guard !transit.isEmpty else { return }
        let members = transit.map { end in
            let way = end.direction == .entering ? "in" : "out"
            let hits = end.hits.map { JSONText.quoted($0.text) }.joined(separator: ",")
            let (name, node) = (JSONText.quoted(end.hostEndpoint), JSONText.quoted(end.node))
            return #"{"host_endpoint":\#(name),"node":\#(node),"direction":"\#(way)","#
                + #""action":"\#(end.action.rawValue)","policies":[\#(hits)]}"#
        }
        line += Array(#","transit":[\#(members.joined(separator: ","))]"#.utf8)
    }

    /// A record that cannot be evaluated as one line, including the line end.
    static func line(untraceable reason: String, number: Int) -> [UInt8] {
        Array("{\"untraceable\":\(JSONText.quoted(reason)),\"line\":\(number)}\n".utf8)
    }

    /// An error as one line, including the line end.
    static func line(_ error: PolicyQuestionError, number: Int) -> [UInt8] {
        Array("{\"error\":\(JSONText.quoted(error.description)),\"line\":\(number)}\n".utf8)
    }

    private mutating func append(_ trace: PolicyTrace?, to line: inout [UInt8]) {
        guard let trace else {
            line += Array("null".utf8)
            return
        }
        if let known = written[trace.id] {
            line += known
            return
        }
        if written.count >= Self.limit { written.removeAll(keepingCapacity: true) }
        let text = Self.bytes(of: trace)
        written[trace.id] = text
        line += text
    }

    private static func bytes(of trace: PolicyTrace) -> [UInt8] {
        func list(_ hits: [String]) -> String { "[" + hits.map(JSONText.quoted).joined(separator: ",") + "]" }
        let depends = trace.dependsOnDomains ? #","depends_on_domains":true"# : ""
        let hits = #""enforced":\#(list(trace.enforced)),"pending":\#(list(trace.pending))"#
        return Array(#"{"action":"\#(trace.action.rawValue)",\#(hits)\#(depends)}"#.utf8)
    }
}
