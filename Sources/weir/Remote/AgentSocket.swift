import Agent
import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOPosix

/// Asks the agent of this host over its Unix socket.
struct AgentSocket: Sendable {
    /// The path of the socket.
    let path: String

    /// Whether somebody answers.
    enum Presence: Equatable {
        /// An agent accepts connections.
        case answers
        /// There is no socket, or nobody behind it.
        case absent
        /// It may not be used by this user, or not at all: why.
        case refused(String)
    }

    /// An answer.
    struct Answer: Sendable {
        /// The HTTP status.
        var status: Int
        /// The body.
        var body: [UInt8]
    }

    /// It is never shut down: the process ends with its requests.
    private static let client = HTTPClient(
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
        configuration: .init(redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)))
    )
    /// The longest answer that is no stream, bytes.
    private static let limit = 64 << 20

    /// Looks whether an agent answers.
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

    /// The answer to a path with its query.
    ///
    /// - Throws: `CommandFailure` if none comes.
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

    /// Reads the answer to a path piece by piece, to its end.
    ///
    /// - Parameters:
    ///   - uri: path and query.
    ///   - take: gets the pieces.
    /// - Returns: the status of an answer that is none of records, and its body; nil if the stream ended.
    /// - Throws: what the connection failed with.
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
