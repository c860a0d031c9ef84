import AsyncHTTPClient
import ClusterModel
import NIOCore

/// The beginning of an answer; its body is still to come.
struct APIResponse: Sendable {
    /// The HTTP status code.
    var status: Int
    /// The time to wait that the server requests (`Retry-After`); nil if it does not.
    var retryAfter: Duration?
    /// The type of the body (`Content-Type`).
    var contentType: String?
    /// The rest of the answer, in pieces of any size.
    var body: HTTPClientResponse.Body
    /// The client that got it.
    var connection: ClientGeneration

    /// Bodies of refusals are short; of longer ones only the beginning is read.
    private static let refusalLimit = 64 << 10

    /// Reads the body of an answer that is no success.
    func refusal(within limit: Duration) async -> APIStatus {
        let bytes = await withLimit(limit) { () -> [UInt8]? in
            var bytes: [UInt8] = []
            do {
                for try await part in body {
                    bytes += part.readableBytesView
                    if bytes.count >= Self.refusalLimit { break }
                }
            } catch {
                // The part that arrived may be enough.
            }
            return bytes
        }
        let text = Array((bytes ?? []).prefix(Self.refusalLimit))
        return APIStatus(httpStatus: status, body: text.span)
    }

    /// Reads a whole body that should be short.
    ///
    /// - Returns: nil if it is longer than `size` bytes, or does not come within the limit.
    func content(upTo size: Int, within limit: Duration) async -> [UInt8]? {
        await withLimit(limit) { () -> [UInt8]? in
            guard let buffer = try? await body.collect(upTo: size) else { return nil }
            return Array(buffer.readableBytesView)
        }
    }
}

/// Does something that is cancelled after a time; nil then.
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
