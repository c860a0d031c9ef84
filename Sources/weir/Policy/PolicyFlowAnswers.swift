import FlowModel
import Foundation
import Glibc

/// Answers many questions in order, one line each.
struct PolicyFlowAnswers {
    private var tracer: PolicyTracer
    private var json = PolicyTraceJSON()
    private var output = OutputBuffer()
    private var lines = 0
    private var failures = 0
    private var firstFailure = 0
    private var blanks = 0
    private let expectation: PolicyExpectation?
    private var unexpected = 0
    private var firstUnexpected = 0
    private var untraceable = 0

    /// Takes the tracer that answers, and the expected outcome.
    init(_ tracer: PolicyTracer, _ expectation: PolicyExpectation? = nil) {
        self.tracer = tracer
        self.expectation = expectation
    }

    /// Answers the questions in a file, or on standard input for `-`.
    ///
    /// Writes the pending answers before each read that may wait.
    ///
    /// - Throws: `CommandFailure` if the file cannot be read, output cannot be written, or a question has no answer.
    mutating func run(_ path: String) throws {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(description: "\(path): \(String(cString: strerror(errno)))")
        }
        var reader = LineReader(descriptor, name: path == "-" ? "standard input" : path)
        while let line = try reader.next(before: { try output.flush() }) {
            try answer(line, in: reader.buffer)
        }
        try output.flush()
        if untraceable > 0 {
            let count = "\(untraceable) of \(lines) records cannot be traced"
            let hint =
                "their names or ports are aggregated (weir run --aggregation-allowed 1 keeps them), "
                + "or a host forwards them"
            guard expectation == nil, untraceable < lines || failures > 0 else {
                throw CommandFailure(description: "\(count): \(hint)")
            }
            complain("note: \(count): \(hint)")
        }
        guard unexpected == 0 else {
            throw CommandFailure(
                description: "\(unexpected) of \(lines) answers are not \(expectation?.rawValue ?? "as expected"); "
                    + "the first one is in line \(firstUnexpected)"
            )
        }
        guard failures == 0 else {
            throw CommandFailure(
                description:
                    "\(failures) of \(lines) questions have no answer; the first one is in line \(firstFailure)"
            )
        }
    }

    private mutating func answer(_ line: LineReader.Line, in buffer: [UInt8]) throws {
        switch line {
        case .tooLong:
            refuseBlanks()
            refuse(PolicyQuestionError(description: "the line is longer than \(LineReader.limit) bytes"))
        case .bytes(let range):
            guard !PolicyFlowReader.isBlank(buffer, range) else {
                blanks += 1
                return
            }
            refuseBlanks()
            answer(buffer, range)
        }
        if output.isFull { try output.flush() }
    }

    private mutating func answer(_ buffer: [UInt8], _ range: Range<Int>) {
        do throws(PolicyQuestionError) {
            switch try PolicyFlowReader.line(buffer, range) {
            case .connection(let connection): try answer(connection)
            case .untraceable(let reason):
                lines += 1
                untraceable += 1
                output.appendJSON(PolicyTraceJSON.line(untraceable: reason, number: lines))
            }
        } catch {
            refuse(error)
        }
    }

    private mutating func answer(_ connection: PolicyConnection) throws(PolicyQuestionError) {
        switch try tracer.inquiry(connection) {
        case .connection(let question):
            let traces = tracer.traces(question)
            lines += 1
            output.appendJSON(json.line(traces, tracer.transit(question)))
            count(PolicyOutcome(traces, question, tracer))
        case .service(let service):
            var answers: [(question: PolicyTracer.Question, traces: PolicyTracer.Traces)] = []
            for backend in service.backends { answers.append((backend.question, tracer.traces(backend.question))) }
            lines += 1
            output.appendJSON(json.line(service, answers, tracer))
            count(PolicyOutcome(answers.map { PolicyOutcome($0.traces, $0.question, tracer) }))
        }
    }

    private mutating func count(_ outcome: PolicyOutcome) {
        guard !outcome.isAsExpected(expectation) else { return }
        unexpected += 1
        if unexpected == 1 { firstUnexpected = lines }
    }

    /// Reports blank lines as errors, to keep line numbers aligned; blank lines at the end of the input are ignored.
    private mutating func refuseBlanks() {
        for _ in 0..<blanks { refuse(PolicyQuestionError(description: "the line is blank")) }
        blanks = 0
    }

    private mutating func refuse(_ error: PolicyQuestionError) {
        lines += 1
        failures += 1
        if failures == 1 { firstFailure = lines }
        output.appendJSON(PolicyTraceJSON.line(error, number: lines))
    }
}
