import ArgumentParser
import Records

/// The range of time to query.
struct RangeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "From this time on: 15m, 24h or 7d ago, Unix seconds, RFC 3339. Default: all that is recorded.",
            valueName: "time"
        )
    )
    var since: String?

    @Option(help: ArgumentHelp("Until this time. Default: now; of a file, its last record.", valueName: "time"))
    var until: String?

    func validate() throws {
        for (option, text) in [("--since", since), ("--until", until)] {
            guard let text, TimePoint.parse(text, now: 1 << 36) == nil else { continue }
            throw ValidationError("\(option) \(text): \(TimePoint.forms) is needed")
        }
    }

    /// The range, Unix seconds.
    ///
    /// - Throws: `CommandFailure` if it is empty, or the records cannot be read.
    func range(of records: OpenRecords) throws -> (since: Int64, until: Int64) {
        let now = try records.now()
        let until = until.flatMap { TimePoint.parse($0, now: now) } ?? now
        let since = try since.flatMap { TimePoint.parse($0, now: now) } ?? records.oldest() ?? 0
        guard since < until else {
            throw CommandFailure(description: "the range is empty: from \(since) to \(until) (Unix seconds)")
        }
        return (since, until)
    }
}
