import CWeir
import Foundation
import Lab
import Synchronization
import Testing

/// A server like Elasticsearch: it stores a record under its identifier once, and can be made unavailable by a test.
final class SearchServer: Sendable {
    private struct State {
        /// The records, by their identifiers.
        var records: [String: String] = [:]
        /// Requests for records that were there.
        var repetitions = 0
        /// Identifiers that stood for two records.
        var conflicts = 0
        var isAway = false
        var isEnded = false
        var requests = 0
    }

    /// The state that the thread of the server shares with the test.
    private final class Board: Sendable {
        let state = Mutex(State())
    }

    private let board = Board()
    private let work: BackgroundWork<Void>
    /// The URL.
    let url: String

    /// Starts the server on loopback of a namespace.
    ///
    /// - Parameters:
    ///   - namespace: where it listens.
    ///   - port: on which port.
    ///   - delay: the time between storing records and answering, in µs.
    /// - Throws: if the port cannot be bound.
    init(in namespace: NetworkNamespace, port: UInt16 = 9200, delay: UInt32 = 0) throws {
        url = "http://127.0.0.1:\(port)"
        let board = board
        work = try BackgroundWork {
            try namespace.enter()
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            defer { close(listener) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) | listen(listener, 64)
                }
            }
            guard result == 0 else { throw LabError.invalid("listen: \(String(cString: strerror(errno)))") }
            while !board.state.withLock(\.isEnded) {
                var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                guard poll(&entry, 1, 50) == 1 else { continue }
                let connection = Glibc.accept(listener, nil, nil)
                if connection < 0 { continue }
                Self.serve(connection, board, delay)
                close(connection)
            }
        }
    }

    /// Makes it answer 503, or serve again.
    func setAway(_ isAway: Bool) {
        board.state.withLock { $0.isAway = isAway }
    }

    /// The lines that it has stored.
    var records: [String] { board.state.withLock { Array($0.records.values) } }

    /// The numbers of repeated records, and of identifiers that stood for two records.
    var faults: (repetitions: Int, conflicts: Int) { board.state.withLock { ($0.repetitions, $0.conflicts) } }

    /// Ends the server.
    func end() throws {
        board.state.withLock { $0.isEnded = true }
        try work.value()
    }

    /// Reads one request, and answers; every seventh answer is lost after the records are stored.
    private static func serve(_ connection: Int32, _ board: Board, _ delay: UInt32) {
        guard let body = request(connection) else { return }
        let lines = String(decoding: body, as: UTF8.self).split(separator: "\n")
        let pairs = stride(from: 0, to: lines.count - 1, by: 2).map { (lines[$0], String(lines[$0 + 1])) }
        let answer: (status: String, body: String)? = board.state.withLock { state in
            if state.isAway { return ("503 Service Unavailable", "") }
            for (action, record) in pairs {
                let id = String(action.components(separatedBy: "\"_id\":\"").last?.prefix { $0 != "\"" } ?? "")
                guard let former = state.records.updateValue(record, forKey: id) else { continue }
                state.repetitions += 1
                if former != record { state.conflicts += 1 }
            }
            state.requests += 1
            if state.requests.isMultiple(of: 7) { return nil }
            let items = pairs.map { _ in "{\"create\":{\"status\":201}}" }.joined(separator: ",")
            return ("200 OK", "{\"errors\":false,\"items\":[\(items)]}")
        }
        guard let answer else { return }
        usleep(delay)
        let head = "HTTP/1.1 \(answer.status)\r\ncontent-length: \(answer.body.utf8.count)\r\nconnection: close\r\n\r\n"
        let bytes = Array((head + answer.body).utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The body of a request; nil if the client goes before its end.
    private static func request(_ connection: Int32) -> ArraySlice<UInt8>? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        let end = Array("\r\n\r\n".utf8)
        var bodyStart: Int?
        var length = 0
        while true {
            if bodyStart == nil, let range = bytes.firstRange(of: end) {
                bodyStart = range.upperBound
                let head = String(decoding: bytes[..<range.lowerBound], as: UTF8.self).lowercased()
                length =
                    head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                    .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
            }
            if let bodyStart, bytes.count >= bodyStart + length { return bytes[bodyStart..<bodyStart + length] }
            var entry = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 5_000) == 1 else { return nil }
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return nil }
            bytes += buffer[..<count]
        }
    }
}
