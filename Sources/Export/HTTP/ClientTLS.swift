import NIOPosix
import NIOSSL

/// The threads that move the bytes of all outputs that speak TLS or HTTP.
enum EventLoops {
    /// One thread, which stays for the life of the program.
    static let shared = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}

extension TLSConfiguration {
    /// A client that checks the server's certificate, with the files that an output names.
    ///
    /// - Parameter options: the files of authorities, of the client's certificate and of its key.
    /// - Throws: what is wrong with a file of certificates or keys.
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
