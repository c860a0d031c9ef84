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

    /// The outcome of one connection.
    init(_ traces: PolicyTracer.Traces) {
        self = traces.egress?.action == .deny || traces.ingress?.action == .deny ? .deny : .allow
    }

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
