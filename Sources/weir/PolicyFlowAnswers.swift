import FlowModel
import Glibc

/// Answers many questions, a line each, in their order.
struct PolicyFlowAnswers {
    private var tracer: PolicyTracer
    private var json = PolicyTraceJSON()
    private var output = OutputBuffer()
    private var lines = 0
    private var failures = 0
    private var firstFailure = 0
    private var blanks = 0

    /// Takes who is to be asked.
    init(_ tracer: PolicyTracer) {
        self.tracer = tracer
    }

    /// Answers what a file has, or standard input for `-`.
    ///
    /// What is answered is written before more is waited for.
    ///
    /// - Throws: `CommandFailure` if the file cannot be read, nothing can be written, or a question cannot be answered.
    mutating func run(_ path: String) throws {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(description: "\(path): \(String(cString: strerror(errno)))")
        }
        var reader = LineReader(descriptor)
        while let line = try reader.next(before: { try output.flush() }) {
            try answer(line, in: reader.buffer)
        }
        try output.flush()
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
            let question = try tracer.question(try PolicyFlowReader.connection(buffer, range))
            lines += 1
            output.append(json.line(tracer.traces(question)))
        } catch {
            refuse(error)
        }
    }

    /// Blank lines are no question at the end, and a bad one before: so every line keeps its number.
    private mutating func refuseBlanks() {
        for _ in 0..<blanks { refuse(PolicyQuestionError(description: "the line is blank")) }
        blanks = 0
    }

    private mutating func refuse(_ error: PolicyQuestionError) {
        lines += 1
        failures += 1
        if failures == 1 { firstFailure = lines }
        output.append(PolicyTraceJSON.line(error, number: lines))
    }
}
