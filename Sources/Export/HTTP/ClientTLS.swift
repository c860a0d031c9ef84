import NIOPosix
import NIOSSL

/// The event loops of all outputs that use TLS or HTTP.
enum EventLoops {
    /// The group of one thread for all clients, which lives as long as the program.
    static let shared = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}

extension TLSConfiguration {
    /// The configuration of a client that verifies the server's certificate, with the files of an output.
    ///
    /// - Parameter options: the files of authorities, of the client's certificate and of its key.
    /// - Throws: why a file of certificates or keys cannot be used.
    init(client options: HTTPOptions) throws {
        self = .makeClientConfiguration()
        minimumTLSVersion = .tlsv12
        if let path = options.authorityFile {
            trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path))
        }
        if let path = options.certificateFile {
            certificateChain = try NIOSSLCertificate.fromPEMFile(path).map { .certificate($0) }
            privateKey = .privateKey(try NIOSSLPrivateKey(file: options.keyFile ?? path, format: .pem))
        }
    }
}
