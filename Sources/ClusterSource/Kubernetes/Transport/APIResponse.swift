import AsyncHTTPClient
import ClusterModel
import NIOCore

/// The header of a response; its body follows.
struct APIResponse: Sendable {
    /// The HTTP status code.
    var status: Int
    /// The pause that the server requests (`Retry-After`); nil if it requests none.
    var retryAfter: Duration?
    /// The type of the body (`Content-Type`).
    var contentType: String?
    /// The body of the response, in pieces of any size.
    var body: HTTPClientResponse.Body
    /// The client that received the response.
    var connection: ClientGeneration

    /// The most bytes that are read of the body of an error response.
    private static let refusalLimit = 64 << 10

    /// Reads the body of an error response.
    func refusal(within limit: Duration) async -> APIStatus {
        let bytes = await withLimit(limit) { () -> [UInt8]? in
            var bytes: [UInt8] = []
            do {
                for try await part in body {
                    bytes += part.readableBytesView
                    if bytes.count >= Self.refusalLimit { break }
                }
            } catch {
                // The partial body may still contain a readable status.
            }
            return bytes
        }
        let text = Array((bytes ?? []).prefix(Self.refusalLimit))
        return APIStatus(httpStatus: status, body: text.span)
    }

    /// Reads a whole body of limited size.
    ///
    /// - Returns: nil if it is longer than `size` bytes, or does not arrive within the limit.
    func content(upTo size: Int, within limit: Duration) async -> [UInt8]? {
        await withLimit(limit) { () -> [UInt8]? in
            guard let buffer = try? await body.collect(upTo: size) else { return nil }
            return Array(buffer.readableBytesView)
        }
    }
}

/// Runs an operation and cancels it after a time; then the result is nil.
func withLimit<Value: Sendable>(_ limit: Duration, _ work: @escaping @Sendable () async -> Value?) async -> Value? {
    await withTaskGroup(of: Value?.self) { group in
        group.addTask { await work() }
        group.addTask {
            try? await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        return await group.next() ?? nil
    }
}
