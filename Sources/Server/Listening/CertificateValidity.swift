import NIOSSL

extension HTTPServerConfiguration {
    /// The first and the last second, Unix time, in which all of the server's certificates are valid; nil without TLS.
    ///
    /// - Throws: ``ServerError/file(_:reason:)`` if there are no certificates.
    package func certificateValidity() throws(ServerError) -> (first: Int64, last: Int64)? {
        guard let certificatePath else { return nil }
        let shown = try HTTPServer.certificates(certificatePath)
        guard let first = shown.map(\.notValidBefore).max(), let last = shown.map(\.notValidAfter).min() else {
            return nil
        }
        return (Int64(first), Int64(last))
    }
}
