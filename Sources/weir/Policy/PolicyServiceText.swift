import ClusterModel
import FlowModel

/// The verdict for a connection to a service as text: a summary, and an explanation for each backend.
struct PolicyServiceText {
    /// The maximum number of backends that are explained.
    private static let backendLimit = 10

    private let service: PolicyTracer.ServiceQuestion
    private let texts: [PolicyTraceText]
    private let outcomes: [PolicyOutcome]

    /// Evaluates the policies for all backends.
    ///
    /// - Parameters:
    ///   - service: the question.
    ///   - tracer: evaluates the policies.
    ///   - place: returns the location of a policy.
    init(
        _ service: PolicyTracer.ServiceQuestion,
        _ tracer: PolicyTracer,
        place: @escaping (ObjectReference) -> String?
    ) {
        self.service = service
        outcomes = service.backends.map { PolicyOutcome(tracer.traces($0.question), $0.question, tracer) }
        texts = service.backends.prefix(Self.backendLimit).map { backend in
            PolicyTraceText(backend.connection, backend.question, tracer, place: place)
        }
    }

    /// The summary, and paragraphs for each backend.
    var lines: [String] {
        let more = outcomes.dropFirst(texts.count)
        let rest = more.isEmpty ? [] : ["", "and \(more.count) more backends: \(Self.summary(Array(more)))"]
        return [headline] + texts.flatMap { [""] + $0.lines } + rest
    }

    private var headline: String {
        let address = service.address.map { " (\($0))" } ?? ""
        let proto = service.connection.proto
        let port = service.connection.port.map { ", port \($0)/\(proto.name)" } ?? ", \(proto.name)"
        return "service \(service.name)\(address)\(port): \(Self.summary(outcomes))"
    }

    private static func summary(_ outcomes: [PolicyOutcome]) -> String {
        let allowed = outcomes.count { $0 == .allow }
        let backends = outcomes.count == 1 ? "its only backend" : "\(outcomes.count) backends"
        switch PolicyOutcome(outcomes) {
        case .allow: return "allowed at \(outcomes.count == 1 ? backends : "all \(backends)")"
        case .deny: return "denied at \(outcomes.count == 1 ? backends : "all \(backends)")"
        case .mixed, .uncertain: return "allowed at \(allowed) of \(backends), denied at \(outcomes.count - allowed)"
        }
    }
}
