import NIOHTTP1

/// What the failure of a connection is, for the log.
enum ConnectionFault {
    /// The error in the words of an operator, without the places in source files that libraries add to theirs.
    static func text(_ error: any Error) -> String {
        if error is HTTPParserError { return "what answers does not speak HTTP (\(error))" }
        let text = "\(error)"
        for (name, meaning) in meanings where text.contains(name) { return meaning }
        return withoutPlaces(text)
    }

    /// Names of BoringSSL's errors, and what an operator does about them.
    private static let meanings = [
        (
            "CERTIFICATE_VERIFY_FAILED",
            "the server's certificate is expired or not valid yet, or comes from no authority that is trusted (ca-file)"
        ),
        ("failedToValidateHostname", "the server's certificate is for another name (server-name)"),
        ("WRONG_VERSION_NUMBER", "what answers does not speak TLS"),
        ("CERTIFICATE_REQUIRED", "the server wants a certificate of the client (cert-file, key-file)"),
    ]

    /// Removes ` at PATH:LINE`.
    static func withoutPlaces(_ text: String) -> String {
        let parts = text.split(separator: " at /", omittingEmptySubsequences: false)
        guard let first = parts.first else { return text }
        // A place is a path, a colon and digits.
        return parts.dropFirst().reduce(String(first)) { whole, part in
            whole + (part.firstIndex(of: ":").map { part[part.index(after: $0)...].drop { $0.isNumber } } ?? part)
        }
    }
}
