import Foundation
import Glibc

/// An authority, and certificates of servers on loopback, made with openssl in a folder that goes away with them.
final class TestCertificates: Sendable {
    /// The certificate that a server presents.
    enum Kind: String, Sendable, CaseIterable {
        /// Valid, for `localhost` and 127.0.0.1.
        case valid
        /// Expired.
        case expired
        /// For another name.
        case foreign
        /// Signed by no trusted authority.
        case unsigned
    }

    let folder: String

    /// The certificate of the authority.
    var authority: String { "\(folder)/ca.pem" }

    /// The certificate of a kind.
    func certificate(_ kind: Kind) -> String { "\(folder)/\(kind.rawValue).pem" }

    /// The key of all certificates of servers.
    var key: String { "\(folder)/server.key" }

    /// Makes them.
    init() throws {
        var template = Array("/tmp/weir-certificates-XXXXXX".utf8CString)
        folder = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try openssl(
            ["req", "-x509"] + curve + ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2"]
        )
        try openssl(["req"] + curve + ["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server"])
        try write("subjectAltName=DNS:localhost,IP:127.0.0.1", to: "names")
        try write("subjectAltName=DNS:elsewhere.example", to: "other")
        let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        try openssl(sign + ["-days", "2", "-extfile", "names", "-out", "valid.pem"])
        try openssl(sign + ["-days", "-1", "-extfile", "names", "-out", "expired.pem"])
        try openssl(sign + ["-days", "2", "-extfile", "other", "-out", "foreign.pem"])
        let own = ["x509", "-req", "-in", "server.csr", "-signkey", "server.key", "-days", "2"]
        try openssl(own + ["-extfile", "names", "-out", "unsigned.pem"])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    private func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }
}
