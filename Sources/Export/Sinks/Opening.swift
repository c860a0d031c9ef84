import Glibc
import Posix

/// Creates the sink of an output, and passes it to the output's thread.
///
/// `@unchecked Sendable`: the thread that creates the output uses it until it has started the output's own thread; from then
/// on, only that thread uses it.
final class Opening: @unchecked Sendable {
    private let specification: OutputSpecification
    private let options: OutputOptions
    /// The sink.
    let sink: any Sink
    /// The spool of the output; nil if its queue is in memory only.
    private(set) var spool: OutputSpool?

    /// Creates the sink of a specification, without opening it.
    init(_ specification: OutputSpecification, _ options: OutputOptions) {
        self.specification = specification
        self.options = options
        sink =
            switch specification {
            case .standardOutput: StandardOutputSink()
            case .file(let path): FileSink(path: path, options: options)
            case .unix(let path): StreamSocketSink(SocketStream(.unix(path: path)))
            case .tcp(let host, let port): StreamSocketSink(Self.tcp(host, port))
            case .tls(let host, let port): StreamSocketSink(TLSStream(host: host, port: port, options.http))
            case .udp(let host, let port): DatagramSink(Self.udp(host, port, options))
            case .syslog(.udp, let host, let port): SyslogDatagramSink(Self.udp(host, port, options), options)
            case .syslog(.tcp, let host, let port): SyslogStreamSink(Self.tcp(host, port), options)
            case .syslog(.tls, let host, let port):
                SyslogStreamSink(TLSStream(host: host, port: port, options.http), options)
            case .http(let destination): HTTPSink(destination, options)
            }
    }

    private static func udp(_ host: String, _ port: UInt16, _ options: OutputOptions) -> DatagramPath {
        DatagramPath(host: host, port: port, settling: options.datagramSettling)
    }

    private static func tcp(_ host: String, _ port: UInt16) -> SocketStream {
        SocketStream(.port(host: host, port: port, type: SOCK_STREAM))
    }

    /// Whether a failure to open the output now is an error.
    var mustOpenNow: Bool {
        switch specification {
        case .standardOutput, .file: true
        case .unix, .tcp, .tls, .udp, .syslog, .http: false
        }
    }

    /// Opens the spool of an output whose reader may be absent; discards batches after a flush.
    func openSpool(_ lastFlush: BatchOrigin?) throws(OutputError) {
        guard !mustOpenNow, let folder = options.spoolFolder else { return }
        do throws(FileError) {
            let own = Spool.folder(of: specification, in: folder)
            spool = OutputSpool(
                try Spool(folder: own, limit: options.spoolBytes, lastFlush: lastFlush),
                dropsOldest: options.spoolDropsOldest
            )
        } catch {
            throw OutputError(
                output: specification,
                reason: "spool \(error.path): \(error.reason)",
                advice: error.advice
            )
        }
    }

    /// Throws if all users can read a file with a secret.
    func checkSecrets() throws(OutputError) {
        switch specification {
        case .standardOutput, .file, .unix, .tcp, .udp, .syslog(.udp, _, _), .syslog(.tcp, _, _): return
        case .tls, .syslog(.tls, _, _), .http: break
        }
        guard let fault = options.http.secretFiles.lazy.compactMap(SecretText.fault).first else { return }
        throw OutputError(output: specification, reason: fault, advice: "")
    }

    /// Opens a sink that can be opened without waiting.
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
        case .file, .unix, .tcp, .tls, .udp, .syslog, .http: return ""
        }
    }
}
