import Glibc

/// The sink of a specification on its way to the output's thread.
///
/// `@unchecked Sendable`: only the thread that makes the output uses it, until it has started the output's own thread,
/// which is the only one from then on.
final class Opening: @unchecked Sendable {
    private let specification: OutputSpecification
    /// The sink.
    let sink: any Sink

    /// Makes the sink of a specification, not open.
    init(_ specification: OutputSpecification, _ options: OutputOptions) {
        self.specification = specification
        sink =
            switch specification {
            case .standardOutput: StandardOutputSink()
            case .file(let path): FileSink(path: path, options: options)
            case .unix(let path): StreamSocketSink(.unix(path: path))
            case .tcp(let host, let port): StreamSocketSink(.port(host: host, port: port, type: SOCK_STREAM))
            case .udp(let host, let port): DatagramSink(host: host, port: port)
            case .http(let destination): HTTPSink(destination, options)
            }
    }

    /// Whether the output is useless if it does not open at once.
    var mustOpenNow: Bool {
        switch specification {
        case .standardOutput, .file: true
        case .unix, .tcp, .udp, .http: false
        }
    }

    /// Opens a sink that needs no time for that.
    func open() throws(OutputError) {
        do {
            _ = try sink.open()
        } catch {
            let advice = error.advice.isEmpty ? advice : error.advice
            throw OutputError(output: specification, reason: error.reason, advice: advice)
        }
    }

    private var advice: String {
        switch specification {
        case .standardOutput: return "start with standard output open, or choose another output"
        case .file, .unix, .tcp, .udp, .http: return ""
        }
    }
}
