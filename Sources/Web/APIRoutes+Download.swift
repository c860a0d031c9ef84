import API
import Hummingbird

extension APIRoutes {
    private typealias Part = (rest: RecordDownload, bytes: [UInt8]?)

    /// Sends a download part by part, as fast as the client reads; an error after the first part cuts the connection.
    func download(_ begun: RecordDownload) async throws(APIError) -> Response {
        let threads = threads
        let first: Part
        do {
            first = try await Self.part(of: begun, threads)
        } catch let error as APIError {
            throw error
        } catch {
            throw APIError(503, "unavailable", nil, "\(error)")
        }
        return try stream(begun.type) { writer in
            var part = first
            while let bytes = part.bytes {
                try await writer.write(ByteBuffer(bytes: bytes))
                part = try await Self.part(of: part.rest, threads)
            }
        }
    }

    private static func part(of download: RecordDownload, _ threads: AnswerThreads) async throws -> Part {
        let result = await threads.run {
            var download = download
            return Result { () throws -> Part in
                let bytes = try download.next()
                return (download, bytes)
            }
        }
        guard let result else { throw AnswerThreads.busy }
        return try result.get()
    }
}
