import Glibc
import Posix

/// Reads files with secrets, which must belong to root or this user and not be readable by others.
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
        do {
            let file = try TrustedFile.openForReading(path)
            let (size, type) = try file.status()
            guard type == S_IFREG else { throw ServerError.file(path, reason: "it is no regular file") }
            if isSecret { try check(try file.permissions(), try file.owner(), path) }
            guard size <= largest else { throw ServerError.file(path, reason: "it is larger than 1 MiB") }
            return try file.read(size, at: 0)
        } catch let error as ServerError {
            throw error
        } catch let error as FileError {
            throw .file(path, reason: "\(error.reason); \(error.advice)")
        } catch {
            throw .file(path, reason: "\(error)")
        }
    }

    private static func check(_ mode: mode_t, _ owner: uid_t, _ path: String) throws(ServerError) {
        guard mode & 0o007 == 0 else {
            throw .file(path, reason: "everybody may read it, and it holds a secret; chmod 0600 it")
        }
        guard owner == 0 || owner == geteuid() else {
            throw .file(path, reason: "it belongs to user \(owner); chown it to root")
        }
    }
}
