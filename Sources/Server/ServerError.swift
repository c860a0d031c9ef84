/// The reason why the HTTP server cannot start.
package enum ServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A text is not an address.
    case address(String, reason: String)
    /// Listening on an address or a socket failed.
    case listen(String, reason: String)
    /// A file with a secret or a certificate cannot be used.
    case file(String, reason: String)

    /// The message for the operator, in one line.
    package var description: String {
        switch self {
        case .address(let text, let reason):
            "address '\(text)': \(reason); the forms are ADDRESS:PORT, [IPV6]:PORT, :PORT and PORT"
        case .listen(let place, let reason):
            "cannot answer HTTP on \(place): \(reason)"
        case .file(let path, let reason):
            "\(path): \(reason)"
        }
    }
}
