import Foundation
import Glibc
import Posix

/// Prepares the path of the Unix socket.
enum UnixSocketPlace {
    /// The maximum length of a Unix socket's path in bytes (`sun_path` without the final zero).
    private static let longestPath = 107

    /// Creates the folder (mode 0750), and removes the socket of an earlier agent.
    ///
    /// - Throws: ``ServerError/listen(_:reason:)`` if another agent is listening there, or the path is not a socket.
    static func prepare(_ path: String) throws(ServerError) {
        guard path.hasPrefix("/"), path.utf8.count <= longestPath else {
            throw .listen(path, reason: "an absolute path of at most \(longestPath) bytes is needed")
        }
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        do throws(FileError) {
            try TrustedFile.makeFolders(TrustedFile.folder(of: folder), mode: nil)
            if !folder.isEmpty { try TrustedFile.makeFolders(folder, mode: 0o750) }
            try TrustedFile.check(path)
        } catch {
            throw .listen(path, reason: "\(error.reason); \(error.advice)")
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw .listen(path, reason: "there is something else at this path; remove it, or choose another (--socket)")
        }
        guard !isAnswered(path) else {
            throw .listen(path, reason: "another program listens there; choose another path (--socket PATH)")
        }
    }

    /// Whether a program is listening at the path.
    private static func isAnswered(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(longestPath)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}
