import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A gate in a script that the test opens.
final class Gate: Sendable {
    private let isOpenState = Mutex(false)

    var isOpen: Bool { isOpenState.withLock { $0 } }

    func open() { isOpenState.withLock { $0 = true } }
}

/// An HTTP/1.1 server on 127.0.0.1 that answers each request by a script: any bytes in any portions, waits and cuts.
///
/// The server uses threads and blocking calls, which are slow but simple.
final class ScriptedServer: Sendable {
    /// A received request.
    struct Request: Sendable {
        /// Without the query.
        var path: String
        /// Not decoded, but for `%2F` and the like.
        var query: [String: String]
        /// By lowercase names.
        var headers: [String: String]
        /// The number of requests for this path, including this one.
        var number: Int
        /// The same, of those that ask for a list, a watch, or a watch-list.
        var numberOfItsKind: Int

        var isWatch: Bool { query["watch"] != nil && !isWatchList }
        var isWatchList: Bool { query["sendInitialEvents"] != nil }
        var isList: Bool { query["watch"] == nil }
    }

    /// A step of an answer.
    enum Piece: Sendable {
        case bytes([UInt8])
        /// The same bytes again and again, until the client goes.
        case endless([UInt8])
        /// Until the test opens the gate.
        case wait(Gate)
        /// Until the client goes, or the server is stopped.
        case hold
        /// Close the connection.
        case cut
        /// Run a closure of the test.
        case run(@Sendable () -> Void)
    }

    private struct State {
        var requests: [Request] = []
        var sockets: Set<Int32> = []
        var isStopped = false
        var connections = 0
        var endlessBytes = 0
    }

    let port: UInt16
    private let listener: Int32
    private let state = Mutex(State())
    private let script: @Sendable (Request) -> [Piece]

    /// Begins to listen; on a port that is given, after a server that was stopped.
    init(port: UInt16 = 0, _ script: @escaping @Sendable (Request) -> [Piece]) throws {
        self.script = script
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, pointer, &size) == 0
            }
        }
        guard bound else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        self.port = UInt16(bigEndian: address.sin_port)
        Thread { self.accept() }.start()
    }

    deinit {
        close(listener)
    }

    /// All requests so far.
    var requests: [Request] { state.withLock { $0.requests } }

    /// The number of connections so far.
    var connections: Int { state.withLock { $0.connections } }

    /// The number of bytes that clients accepted of answers without end.
    var endlessBytes: Int { state.withLock { $0.endlessBytes } }

    /// Refuses connections from now on, and cuts those that there are.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
        }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    // MARK: Threads

    private func accept() {
        while true {
            let socket = Glibc.accept(listener, nil, nil)
            guard socket >= 0 else { return }
            let isWelcome = state.withLock { state in
                guard !state.isStopped else { return false }
                state.sockets.insert(socket)
                state.connections += 1
                return true
            }
            guard isWelcome else {
                close(socket)
                return
            }
            // Small, so that a client that does not read is soon noticed.
            var size: Int32 = 64 << 10
            setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
            Thread { self.serve(socket) }.start()
        }
    }

    private func serve(_ socket: Int32) {
        defer {
            state.withLock { _ = $0.sockets.remove(socket) }
            close(socket)
        }
        while let request = readRequest(socket) {
            for piece in script(request) {
                guard perform(piece, socket) else { return }
            }
        }
    }

    private func perform(_ piece: Piece, _ socket: Int32) -> Bool {
        switch piece {
        case .cut: return false
        case .run(let body):
            body()
            return true
        case .bytes(let bytes): return write(bytes, socket)
        case .endless(let bytes):
            while write(bytes, socket) { state.withLock { $0.endlessBytes += bytes.count } }
            return false
        case .wait(let gate): return wait(socket) { gate.isOpen }
        case .hold: return wait(socket) { false }
        }
    }

    private func write(_ bytes: [UInt8], _ socket: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func wait(_ socket: Int32, until isDone: () -> Bool) -> Bool {
        while !isDone() {
            var entry = pollfd(fd: socket, events: 0x2000 /* POLLRDHUP */, revents: 0)
            guard poll(&entry, 1, 2) == 0 else { return false }
        }
        return true
    }

    private func readRequest(_ socket: Int32) -> Request? {
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
            guard recv(socket, &byte, 1, 0) == 1 else { return nil }
            head.append(byte)
        }
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        let target = lines[0].components(separatedBy: " ")[1]
        var request = Request(path: target, query: [:], headers: [:], number: 1, numberOfItsKind: 1)
        if let parts = URLComponents(string: target) {
            request.path = parts.path
            for item in parts.queryItems ?? [] { request.query[item.name] = item.value ?? "" }
        }
        for line in lines.dropFirst() where !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            request.headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let asked = request
        return state.withLock { state in
            var asked = asked
            let before = state.requests.filter { $0.path == asked.path }
            asked.number = before.count + 1
            asked.numberOfItsKind =
                before.filter { $0.isWatch == asked.isWatch && $0.isWatchList == asked.isWatchList }.count + 1
            state.requests.append(asked)
            return asked
        }
    }
}
