import Foundation
import Glibc
import Posix

/// Checks whether an output can be opened, without writing anything.
package enum OutputProbe {
    /// Checks whether an output can be opened now.
    ///
    /// - Parameters:
    ///   - specification: the output.
    ///   - limit: the time limit for a connection.
    /// - Returns: the error; nil if there is none.
    package static func failure(_ specification: OutputSpecification, within limit: Duration) -> String? {
        switch specification {
        case .standardOutput: fcntl(STDOUT_FILENO, F_GETFL) < 0 ? "standard output is closed" : nil
        case .file(let path): fileFailure(path)
        case .unix(let path): connectionFailure(.unix(path: path), within: limit)
        case .tcp(let host, let port), .tls(let host, let port):
            connectionFailure(.port(host: host, port: port, type: SOCK_STREAM), within: limit)
        case .udp(let host, let port):
            connectionFailure(.port(host: host, port: port, type: SOCK_DGRAM), within: limit)
        case .syslog(let transport, let host, let port):
            connectionFailure(
                .port(host: host, port: port, type: transport == .udp ? SOCK_DGRAM : SOCK_STREAM),
                within: limit
            )
        case .http(let destination): httpFailure(destination, within: limit)
        }
    }

    /// Connects to the server without sending a request.
    private static func httpFailure(_ destination: HTTPDestination, within limit: Duration) -> String? {
        guard let url = URLComponents(string: destination.url), let host = url.host else {
            return "the URL has no host"
        }
        let port = UInt16(clamping: url.port ?? (destination.isSecure ? 443 : 80))
        let address = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        return connectionFailure(.port(host: address, port: port, type: SOCK_STREAM), within: limit)
    }

    private static func fileFailure(_ path: String) -> String? {
        if access(path, F_OK) == 0 {
            return access(path, W_OK) == 0 ? nil : String(cString: strerror(errno))
        }
        if let file = fileAsFolder(of: .file(path: path)) { return "\(file) is a file, not a folder" }
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        return access(folder, W_OK | X_OK) == 0 ? nil : "\(folder): \(String(cString: strerror(errno)))"
    }

    /// The file that a file output's path names as a folder; nil if there is none, and for other outputs.
    package static func fileAsFolder(of specification: OutputSpecification) -> String? {
        guard case .file(let path) = specification else { return nil }
        var part = path
        repeat {
            part = TrustedFile.folder(of: part)
            var status = stat()
            if stat(part, &status) == 0 { return status.st_mode & S_IFMT == S_IFDIR ? nil : part }
        } while part != "/" && part != "."
        return nil
    }

    /// The number of free bytes in the file system of a file output; nil for other outputs, and if it cannot be determined.
    package static func freeBytes(for specification: OutputSpecification) -> Int? {
        guard case .file(let path) = specification else { return nil }
        let isThere = access(path, F_OK) == 0
        var status = statvfs()
        guard statvfs(isThere ? path : TrustedFile.folder(of: path), &status) == 0, status.f_blocks > 0 else {
            return nil
        }
        // A new file needs an inode, if the file system counts inodes.
        if !isThere, status.f_files > 0, status.f_favail == 0 { return 0 }
        let blocks = geteuid() == 0 ? status.f_bfree : status.f_bavail
        return Int(clamping: UInt64(blocks) * UInt64(status.f_frsize))
    }

    private static func connectionFailure(_ target: SocketConnector.Target, within limit: Duration) -> String? {
        var connector = SocketConnector(target)
        let deadline = ContinuousClock.now + limit
        do throws(SinkFailure) {
            while try connector.advance() == .pending {
                guard ContinuousClock.now < deadline else { return "no answer within \(limit)" }
                guard let entry = connector.pollEntry(Int32(POLLOUT)) else { continue }
                _ = PollEntry.wait(for: entry, and: nil, until: min(deadline, .now + .milliseconds(100)))
            }
            return nil
        } catch {
            return error.reason
        }
    }
}
