import Compression
import Foundation
import Glibc
import Posix

/// Sends records in requests to a server; they count as delivered when the server acknowledges them.
///
/// A batch is one request. If the server rejects it, halves of it are sent, down to the rejected lines. Requests without a
/// response are repeated with the same identifiers.
final class HTTPSink: Sink {
    let resumption = SinkResumption.wholeLine
    private let destination: HTTPDestination
    private let options: HTTPOptions
    private let dialect: any HTTPDialect
    private let letters: DeadLetters
    private var exchange: HTTPExchange?
    private var work: HTTPWork?
    private var notices: [String] = []

    /// Creates a sink without a connection.
    init(_ destination: HTTPDestination, _ options: OutputOptions) {
        self.destination = destination
        self.options = options.http
        letters = DeadLetters(options, output: "\(destination)")
        let http = options.http
        dialect =
            switch destination.kind {
            case .lines: LinesDialect()
            case .elasticsearch, .opensearch: BulkDialect(index: http.index ?? IndexSchema.defaultIndex)
            case .clickhouse: ClickHouseDialect(table: http.table)
            case .loki: LokiDialect(hostName: http.hostName)
            case .splunk:
                SplunkDialect(
                    hostName: http.hostName,
                    index: http.index,
                    channel: http.waitsForIndexers ? UUID().uuidString : nil
                )
            }
    }

    func open() throws(SinkFailure) -> SinkProgress {
        do {
            exchange = try HTTPExchange(destination, options)
            return .ready
        } catch {
            throw SinkFailure("certificates and keys of TLS: \(error)", .reopen)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        try write(bytes, of: RecordBatch(bytes: [], records: 0))
    }

    func write(_ bytes: UnsafeRawBufferPointer, of batch: RecordBatch) throws(SinkFailure) -> SinkWrite {
        if work?.batch != batch.number || work?.byteCount != bytes.count { work = HTTPWork(bytes, batch.number) }
        guard var current = work, let exchange else { throw SinkFailure("not open", .reopen) }
        defer { work = current }
        if current.isAsking {
            guard let answer = exchange.takeAnswer() else { return .blocked }
            current.isAsking = false
            try take(answer, into: &current)
        }
        guard let group = current.group else {
            let drops = OutputDrops(rejected: current.rejected)
            let count = current.byteCount
            current = HTTPWork.done
            return .accepted(count, drops: drops)
        }
        if let receipt = current.receipt {
            let question = dialect.question(of: receipt.number)
            try begin(question.path, question.body, exchange, after: receiptPause)
        } else {
            try begin(dialect.path(for: group), dialect.body(of: group), exchange)
        }
        current.isAsking = true
        return .blocked
    }

    /// The delay before the confirmation of a receipt is requested.
    private var receiptPause: Duration { min(.seconds(1), options.timeout / 4) }

    private func begin(
        _ path: String,
        _ lines: [UInt8],
        _ exchange: HTTPExchange,
        after pause: Duration = .zero
    ) throws(SinkFailure) {
        var headers = [("content-type", dialect.contentType), ("user-agent", "weir")] + dialect.headers
        var body = lines
        // Requests for confirmations are short, and some servers accept compression only for records.
        let compresses = pause == .zero && (options.isCompressing ?? dialect.compresses)
        do {
            headers += try options.credentials(for: destination.kind)
            if compresses {
                body = try GzipCompressor.compress(body)
                headers.append(("content-encoding", "gzip"))
            }
        } catch {
            throw SinkFailure("\(error)", .retry)
        }
        exchange.begin(destination.base(options) + path, headers, body, after: pause)
    }

    // MARK: Responses

    private func take(_ answer: HTTPExchange.Answer, into work: inout HTTPWork) throws(SinkFailure) {
        guard let group = work.group else { return }
        switch answer {
        case .failure(let reason): throw SinkFailure("no answer: \(reason)", .retry)
        case .response(let status, let body, _) where work.receipt != nil:
            try takeReceipt(status, body, into: &work)
        case .response(let status, let body, let pause):
            switch dialect.judge(status, body, group) {
            case .delivered: work.settle()
            case .taken(let receipt): work.receipt = (receipt, .now + options.timeout)
            case .items(let again, let barred, let refused):
                for (number, reason) in refused { reject(group.lines[number], reason, &work) }
                var kept = again
                work.hasAccepted = work.hasAccepted || again.count + barred.count + refused.count < group.lines.count
                if work.mustReject(barred: !barred.isEmpty, after: options.barredLimit) {
                    for (number, reason) in barred { reject(group.lines[number], reason, &work) }
                } else {
                    kept += barred.keys
                }
                work.settle(keeping: kept.sorted())
                guard !kept.isEmpty else { return }
                let reason = barred.min { $0.key < $1.key }.map { "the server takes some records not yet: \($0.value)" }
                throw SinkFailure(reason ?? "the server took only some records", .retry, pause: pause)
            case .tooLarge:
                if !work.split() { rejectAll(group, "413: a single record is too large", &work) }
            case .refused(let reason):
                if !work.split() { rejectAll(group, reason, &work) }
            case .later(let reason): throw SinkFailure(reason, .retry, pause: pause)
            }
        }
    }

    /// Processes the server's confirmation of a receipt; an unconfirmed group is sent again after the timeout.
    private func takeReceipt(_ status: Int, _ body: [UInt8], into work: inout HTTPWork) throws(SinkFailure) {
        guard let receipt = work.receipt else { return }
        switch dialect.isSafe(receipt.number, status, body) {
        case true?:
            work.receipt = nil
            work.settle()
        case false? where ContinuousClock.now < receipt.until: break
        case false?:
            work.receipt = nil
            throw SinkFailure("the server has not acknowledged within \(options.timeout) what it took", .retry)
        case nil:
            if ContinuousClock.now >= receipt.until { work.receipt = nil }
            throw SinkFailure(
                "the server does not confirm the upload (\(status)) \(LinesDialect.excerpt(body))",
                .retry
            )
        }
    }

    private func rejectAll(_ group: LineGroup, _ reason: String, _ work: inout HTTPWork) {
        for line in group.lines { reject(line, reason, &work) }
        work.settle()
    }

    private func reject(_ line: ArraySlice<UInt8>, _ reason: String, _ work: inout HTTPWork) {
        if work.rejected == 0 { notices.append("the server refuses records: \(reason)") }
        work.rejected += 1
        if let flaw = letters.add(line, reason) { notices.append(flaw) }
    }

    func takeNotices() -> [String] {
        defer { notices = [] }
        return notices
    }

    // MARK: Waits

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        interest == .writing ? exchange?.pollEntry : nil
    }

    func hangUp() -> SinkFailure? { nil }

    func close(tornBytes: Int) {
        exchange?.close()
        exchange = nil
        work = nil
        letters.close()
    }
}
