import ArgumentParser
import FlowModel
import Policy

/// What is expected of a connection (`--expect`).
enum PolicyExpectation: String, ExpressibleByArgument, CaseIterable {
    /// Both ends let it through.
    case allow
    /// One of the ends does not.
    case deny
}

/// What policies decide for a question: for one connection, or for those to all backends of a service.
enum PolicyOutcome: String {
    /// All are let through.
    case allow
    /// None is.
    case deny
    /// Some are, and others not.
    case mixed

    /// Of one connection.
    init(_ traces: PolicyTracer.Traces) {
        self = traces.egress?.action == .deny || traces.ingress?.action == .deny ? .deny : .allow
    }

    /// Of several, of which there is one at least.
    init(_ all: [PolicyOutcome]) {
        let first = all.first ?? .allow
        self = all.allSatisfy { $0 == first } ? first : .mixed
    }

    /// Whether it is what was expected, which it is also if nothing was.
    func isAsExpected(_ expectation: PolicyExpectation?) -> Bool {
        expectation.map { $0.rawValue == rawValue } ?? true
    }
}
