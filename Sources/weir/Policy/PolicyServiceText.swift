import ClusterModel
import FlowModel

/// What policies decide for a connection to a service, for people: in short, and at each backend.
struct PolicyServiceText {
    /// How many backends are explained.
    private static let backendLimit = 10

    private let service: PolicyTracer.ServiceQuestion
    private let texts: [PolicyTraceText]
    private let outcomes: [PolicyOutcome]

    /// Asks.
    ///
    /// - Parameters:
    ///   - service: who was asked for.
    ///   - tracer: who is asked.
    ///   - place: says where a policy is to be found.
    init(
        _ service: PolicyTracer.ServiceQuestion,
        _ tracer: PolicyTracer,
        place: @escaping (ObjectReference) -> String?
    ) {
        self.service = service
        outcomes = service.backends.map { PolicyOutcome(tracer.traces($0.question)) }
        texts = service.backends.prefix(Self.backendLimit).map { backend in
            PolicyTraceText(backend.connection, backend.question, tracer, place: place)
        }
    }

    /// The answer in short, and paragraphs for each backend.
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
        case .mixed: return "allowed at \(allowed) of \(backends), denied at \(outcomes.count - allowed)"
        }
    }
}
