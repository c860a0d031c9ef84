import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Posix
import Synchronization

/// Sends one request at a time to a server, and wakes the output's thread when there is a response.
final class HTTPExchange: Sendable {
    /// The result of a request.
    enum Answer: Sendable {
        /// The server's response, with the requested pause (`Retry-After`).
        case response(status: Int, body: [UInt8], pause: Duration?)
        /// The reason why there is no response.
        case failure(String)
    }

    private struct State {
        var answer: Answer?
        var request: HTTPClient.Task<HTTPClient.Response>?
    }

    private let client: HTTPClient
    private let timeout: Duration
    private let answered: Wakeup
    private let state = Mutex(State())

    /// The maximum size of a response, in bytes.
    static let answerLimit = 4 << 20
    /// The maximum pause that a server may request.
    static let pauseLimit = Duration.seconds(300)

    /// Creates a client; it does not connect yet.
    ///
    /// - Throws: an error if a file with certificates or keys cannot be used.
    init(_ destination: HTTPDestination, _ options: HTTPOptions) throws {
        client = try HTTPClient(destination, options)
        timeout = options.timeout
        answered = try Wakeup()
    }

    /// The entry to poll for a response.
    var pollEntry: PollEntry { answered.pollEntry }

    /// Starts a request.
    ///
    /// Uses only the event loop, because all threads of Swift's pool may be busy.
    ///
    /// - Parameters:
    ///   - url: the URL.
    ///   - headers: names and values.
    ///   - body: the body.
    ///   - pause: the delay before the request.
    func begin(_ url: String, _ headers: [(String, String)], _ body: [UInt8], after pause: Duration = .zero) {
        guard pause > .zero else { return start(url, headers, body) }
        let (seconds, fraction) = pause.components
        let amount = TimeAmount.nanoseconds(seconds * 1_000_000_000 + fraction / 1_000_000_000)
        EventLoops.shared.next().scheduleTask(in: amount) { [self] in start(url, headers, body) }
    }

    private func start(_ url: String, _ headers: [(String, String)], _ body: [UInt8]) {
        do {
            let request = try HTTPClient.Request(
                url: url,
                method: .POST,
                headers: HTTPHeaders(headers),
                body: .bytes(body)
            )
            let limit = timeout.components
            let amount = TimeAmount.nanoseconds(limit.seconds * 1_000_000_000 + limit.attoseconds / 1_000_000_000)
            let task = client.execute(
                request: request,
                delegate: ResponseAccumulator(request: request, maxBodySize: Self.answerLimit),
                deadline: .now() + amount
            )
            state.withLock { $0.request = task }
            task.futureResult.whenComplete { [self] result in finish(Self.answer(result)) }
        } catch {
            finish(.failure("\(error)"))
        }
    }

    private func finish(_ answer: Answer) {
        state.withLock { $0.answer = answer }
        answered.signal()
    }

    private static func answer(_ result: Result<HTTPClient.Response, any Error>) -> Answer {
        switch result {
        case .failure(let error): return .failure(ConnectionFault.text(error))
        case .success(let response):
            return .response(
                status: Int(response.status.code),
                body: response.body.map { Array($0.readableBytesView) } ?? [],
                pause: response.headers.first(name: "retry-after").flatMap { pause($0, now: time(nil)) }
            )
        }
    }

    /// Parses the pause that a server requests: seconds, or a date (RFC 9110, 10.2.3).
    ///
    /// - Parameters:
    ///   - text: the value of `Retry-After`.
    ///   - now: the current time, Unix seconds.
    /// - Returns: the pause; nil if the value is neither.
    static func pause(_ text: String, now: time_t) -> Duration? {
        if let seconds = Int64(text) { return .seconds(max(0, min(seconds, pauseLimit.components.seconds))) }
        guard let date = date(text) else { return nil }
        return .seconds(max(0, min(Int64(date) - Int64(now), pauseLimit.components.seconds)))
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Parses a date in the form that servers send (`Sun, 06 Nov 1994 08:49:37 GMT`; RFC 9110, 5.6.7), Unix seconds.
    private static func date(_ text: String) -> time_t? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int32(words[1]),
            let month = months.firstIndex(of: String(words[2])), let year = Int32(words[3]), 1970...9999 ~= year
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int32($0) }
        guard clock.count == 3, 1...31 ~= day, clock.allSatisfy({ 0...60 ~= $0 }) else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, Int32(month), day)
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (clock[0], clock[1], clock[2])
        return timegm(&parts)
    }

    /// Returns the result once; nil while there is none.
    func takeAnswer() -> Answer? {
        state.withLock { state in
            defer { state.answer = nil }
            return state.answer
        }
        .map { answer in
            answered.clear()
            return answer
        }
    }

    /// Cancels the current request and closes all connections; returns immediately.
    func close() {
        state.withLock { $0.request }?.cancel()
        client.shutdown { _ in }
    }
}
