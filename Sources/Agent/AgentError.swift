package import Datapath
package import Export
package import Posix
package import Server

/// The reason why a run failed.
package enum AgentError: Error, Sendable, CustomStringConvertible {
    /// The datapath could not be started or read.
    case datapath(DatapathError)
    /// An output could not be opened.
    case output(OutputError)
    /// A source of the inventory could not be read.
    case inventory(String)
    /// HTTP requests cannot be answered.
    case server(ServerError)
    /// A thread cannot be started.
    case thread(String)
    /// A file cannot be written.
    case file(FileError)
    /// Changed settings cannot be applied now.
    case reload(String)
    /// No interface matches a pattern, and the run is too short to wait for one.
    case noInterface(patterns: [String])

    /// Whether the machine or the privileges are the reason.
    package var isUnsupported: Bool {
        if case .datapath(let error) = self { return error.isUnsupported }
        return false
    }

    /// The message for the operator, one line.
    package var description: String {
        switch self {
        case .datapath(let error): "\(error)"
        case .output(let error): "\(error)"
        case .inventory(let reason): reason
        case .server(let error): "\(error)"
        case .thread(let reason):
            "start a thread: \(reason); raise the limits of processes and memory (ulimit -u, ulimit -v)"
        case .file(let error): "\(error)"
        case .reload(let reason): reason
        case .noInterface(let patterns):
            "no interface matches \(patterns.map { "'\($0)'" }.joined(separator: ", ")); `ip -br link` lists them"
        }
    }
}
