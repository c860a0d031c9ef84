import ArgumentParser
import FlowModel
import Policy

/// The expected verdict of a connection (`--expect`).
enum PolicyExpectation: String, ExpressibleByArgument, CaseIterable {
    /// Both ends allow it.
    case allow
    /// At least one end denies it.
    case deny
}

/// The verdict for a question: for one connection, or for the connections to all backends of a service.
enum PolicyOutcome: String {
    /// All connections are allowed.
    case allow
    /// All connections are denied.
    case deny
    /// Some connections are allowed, and others denied.
    case mixed
    /// Unknown domain names of the destination could change it.
    case uncertain

    /// The outcome of one connection.
    ///
    /// - Parameters:
    ///   - traces: the traces of both ends.
    ///   - question: the connection.
    ///   - tracer: evaluates the policies of host endpoints on the way.
    init(_ traces: PolicyTracer.Traces, _ question: PolicyTracer.Question, _ tracer: PolicyTracer) {
        let isForwarded = tracer.transit(question).allSatisfy { $0.action == .allow }
        self.init(traces, isForwarded: isForwarded, domains: question.domains)
    }

    private init(_ traces: PolicyTracer.Traces, isForwarded: Bool, domains: DestinationDomains) {
        if traces.ingress?.action == .deny || !isForwarded {
            self = .deny
        } else if domains == .unknown, traces.egress?.dependsOnDomains == true {
            self = .uncertain
        } else {
            self = traces.egress?.action == .deny ? .deny : .allow
        }
    }

    /// The outcome as words in a message.
    var words: String { self == .uncertain ? "that it depends on the destination's domain name" : rawValue }

    /// The outcome of one or more connections.
    init(_ all: [PolicyOutcome]) {
        let first = all.first ?? .allow
        self = all.allSatisfy { $0 == first } ? first : .mixed
    }

    /// Whether the outcome is the expected one; true without an expectation.
    func isAsExpected(_ expectation: PolicyExpectation?) -> Bool {
        expectation.map { $0.rawValue == rawValue } ?? true
    }
}
