import Compression
import NIOCore

/// Assembles and decompresses the body of a request to the webhook, within the webhook's limits.
final class AuditBody {
    /// The reason why a body cannot be used.
    enum Fault: Error {
        /// The body is longer than ``AuditWebhook/bodyLimit``, before or after decompression.
        case tooLarge
        /// Other bodies use the available memory.
        case noRoom
        /// The body does not have the format of its encoding.
        case damaged(String)
    }

    /// The body so far.
    private(set) var bytes: [UInt8] = []
    private let webhook: AuditWebhook
    private let decompressor: (any Decompressor)?
    private var held = 0
    private var received = 0

    /// Begins a body; nil if the encoding is not supported, or no memory is available.
    ///
    /// - Parameters:
    ///   - encoding: the header `Content-Encoding`; empty without one.
    ///   - webhook: limits the memory.
    init?(encoding: String, _ webhook: AuditWebhook) {
        self.webhook = webhook
        switch encoding.lowercased() {
        case "", "identity": decompressor = nil
        case "gzip", "x-gzip":
            guard let gzip = try? FileCompression.gzip.decompressor() else { return nil }
            decompressor = gzip
        default: return nil
        }
    }

    /// Releases the memory.
    func release() { webhook.release(held) }

    /// Adds the next part of the body as received.
    func add(_ part: ByteBuffer) throws(Fault) {
        received += part.readableBytes
        guard received <= AuditWebhook.bodyLimit else { throw .tooLarge }
        guard let decompressor else {
            try hold(part.readableBytes)
            bytes += part.readableBytesView
            return
        }
        var input = Array(part.readableBytesView)[...]
        var output = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let (read, written): (Int, Int)
            do {
                (read, written) = try input.withUnsafeBytes { input in
                    try output.withUnsafeMutableBytes { try decompressor.step(input, $0) }
                }
            } catch {
                throw .damaged("the body is damaged: \(error)")
            }
            guard read + written > 0 else { return }
            try hold(written)
            bytes += output[..<written]
            input = input.dropFirst(read)
        }
    }

    /// Ends the body.
    func end() throws(Fault) {
        if let decompressor, !decompressor.isComplete { throw .damaged("gzip: the body ends too early") }
    }

    private func hold(_ count: Int) throws(Fault) {
        guard bytes.count + count <= AuditWebhook.bodyLimit else { throw .tooLarge }
        guard webhook.hold(count) else { throw .noRoom }
        held += count
    }
}
