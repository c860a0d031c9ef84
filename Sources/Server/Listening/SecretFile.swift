import Foundation
import Glibc

/// A file with a secret: owned by root or this user, and not readable by others.
package enum SecretFile {
    private static let largest = 1 << 20

    /// Reads a secret.
    ///
    /// - Parameter path: the file, of 1 MiB at most.
    /// - Returns: its bytes.
    /// - Throws: ``ServerError/file(_:reason:)`` if the file cannot be read, is too large, or is readable by all users.
    package static func read(_ path: String) throws(ServerError) -> [UInt8] {
        try read(path, isSecret: true)
    }

    /// Reads a file that is not secret.
    ///
    /// - Parameter path: the file, of 1 MiB at most.
    /// - Returns: its bytes.
    /// - Throws: as ``read(_:)``.
    package static func readPublic(_ path: String) throws(ServerError) -> [UInt8] {
        try read(path, isSecret: false)
    }

    private static func read(_ path: String, isSecret: Bool) throws(ServerError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .file(path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .file(path, reason: String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .file(path, reason: "it is no regular file") }
        if isSecret {
            guard status.st_mode & 0o007 == 0 else {
                throw .file(path, reason: "everybody may read it, and it holds a secret; chmod 0600 it")
            }
            guard status.st_uid == 0 || status.st_uid == geteuid() else {
                throw .file(path, reason: "it belongs to user \(status.st_uid); chown it to root")
            }
        }
        guard status.st_size <= largest else { throw .file(path, reason: "it is larger than 1 MiB") }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw .file(path, reason: String(cString: strerror(errno))) }
        return Array(bytes.prefix(count))
    }
}
