import Agent
import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOPosix

/// Sends requests to this host's agent over its Unix socket.
struct AgentSocket: Sendable {
    /// The path of the socket.
    let path: String

    /// Whether an agent answers.
    enum Presence: Equatable {
        /// An agent accepts connections.
        case answers
        /// The socket does not exist, or no process listens on it.
        case absent
        /// The socket cannot be used, or this user has no access; with the reason.
        case refused(String)
    }

    /// An HTTP response.
    struct Answer: Sendable {
        /// The HTTP status.
        var status: Int
        /// The body.
        var body: [UInt8]
    }

    /// The client is never shut down: the process exits when its requests end.
    private static let client = HTTPClient(
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
        configuration: .init(redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)))
    )
    /// The maximum size of a response that is not a stream, bytes.
    private static let limit = 64 << 20

    /// Checks whether an agent answers.
    var presence: Presence {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return .refused(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard path.utf8.count <= room else { return .refused("a path has at most \(room) bytes") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result != 0 else { return .answers }
        switch errno {
        case ENOENT, ECONNREFUSED, ENOTDIR: return .absent
        case EACCES, EPERM:
            return .refused("permission denied; use sudo, or be in the group of the socket")
        default: return .refused(String(cString: strerror(errno)))
        }
    }

    /// The response for a path with its query.
    ///
    /// - Throws: `CommandFailure` if there is no response.
    func get(_ uri: String) throws -> Answer {
        let request = request(uri)
        let result = Waiting.run { () async -> Result<Answer, CommandFailure> in
            do {
                let response = try await Self.client.execute(request, timeout: .seconds(30))
                let body = try await response.body.collect(upTo: Self.limit)
                return .success(Answer(status: Int(response.status.code), body: Array(body.readableBytesView)))
            } catch {
                return .failure(CommandFailure(description: "\(path): the agent does not answer: \(error)"))
            }
        }
        return try result.get()
    }

    /// Reads the response for a path in chunks until it ends.
    ///
    /// - Parameters:
    ///   - uri: the path and the query.
    ///   - take: receives the chunks.
    /// - Returns: the status and body of a response other than a stream; nil if the stream ended.
    /// - Throws: the error of the connection.
    func stream(_ uri: String, _ take: @Sendable ([UInt8]) -> Void) async throws -> Answer? {
        let response = try await Self.client.execute(request(uri), deadline: .distantFuture)
        guard response.status == .ok else {
            let body = try await response.body.collect(upTo: 1 << 16)
            return Answer(status: Int(response.status.code), body: Array(body.readableBytesView))
        }
        for try await part in response.body { take(Array(part.readableBytesView)) }
        return nil
    }

    private func request(_ uri: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "http+unix://\(QueryPart.encoded(path))\(uri)")
        request.headers.add(name: "Host", value: "weir")
        return request
    }
}

/// Parts of a URL.
enum QueryPart {
    /// The text with everything but letters, digits, `-`, `.`, `_` and `~` escaped (RFC 3986).
    static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.utf8.count == 1 ? "0" : "") + digits
            }
        }
        return result
    }
}
