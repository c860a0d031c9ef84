import Glibc
import NIOPosix
import NIOSSL

/// The event loop of all outputs that use TLS or HTTP.
enum EventLoops {
    /// One thread for all clients, which exists as long as the program.
    static let shared = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}

extension TLSConfiguration {
    /// Creates the configuration of a client that verifies the server's certificate, with the files of an output.
    ///
    /// - Parameter options: the files with CA certificates, the client's certificate and its key.
    /// - Throws: an error if a file with certificates or keys cannot be used.
    init(client options: HTTPOptions) throws {
        self = .makeClientConfiguration()
        minimumTLSVersion = .tlsv12
        if let path = options.authorityFile {
            trustRoots = .certificates(try Self.read(path, "certificate") { try NIOSSLCertificate.fromPEMFile($0) })
        }
        if let path = options.certificateFile {
            let chain = try Self.read(path, "certificate") { try NIOSSLCertificate.fromPEMFile($0) }
            certificateChain = chain.map { .certificate($0) }
            let key = try Self.read(options.keyFile ?? path, "key") { try NIOSSLPrivateKey(file: $0, format: .pem) }
            privateKey = .privateKey(key)
        }
    }

    /// Reads a file for TLS; the error names the file.
    private static func read<Content>(_ path: String, _ what: String, _ body: (String) throws -> Content) throws
        -> Content
    {
        do {
            return try body(path)
        } catch {
            let reason = access(path, R_OK) == 0 ? "it has no \(what) in PEM form" : String(cString: strerror(errno))
            throw SecretText.Unreadable(description: "\(path): \(reason)")
        }
    }
}
