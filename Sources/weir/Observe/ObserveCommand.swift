import Agent
import ArgumentParser
import Export
import Filter
import Foundation
import Glibc
import Logging
import Records

/// `weir observe`: records as a person reads them.
struct ObserveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "observe",
        abstract: "Show who talks to whom, and why something is denied.",
        discussion: """
            Without --from this machine's interfaces are watched until Ctrl-C, as weir run does, and records are shown as \
            they come (needs root). --from shows records that were written before: a file, or - for standard input.

            On a terminal the table fits its width, and each denied line is followed by the reason; '~' behind a verdict \
            means that staged policies would decide otherwise. In a pipe all columns are there and nothing is cut. What in \
            names could move the cursor or turn the direction of writing is shown as \\u{…}.

            Options of one name are alternatives, options of different names all hold. Exit codes: 0 done, 1 a line was no \
            record, 2 wrong usage, 3 kernel or privileges do not allow a watch.

            Examples:
              sudo weir observe
              sudo weir observe --inventory cluster.yaml -n yaobank --denied
              weir observe --from /var/log/weir/flows.log --denied --last 20
              weir observe --from flows.log --since 1h --service database -o json | jq .bytes_out
              ssh node-1 tail -F /var/log/weir/flows.log | weir observe --from - --pod yaobank/customer
            """
    )

    @Option(help: ArgumentHelp("Records that were written before; - is standard input.", valueName: "file"))
    var from: String?

    @OptionGroup(title: "Which records")
    var selection: RecordFilterOptions

    @Option(help: ArgumentHelp("Only the last ones, from a file.", valueName: "n"))
    var last: Int?

    @Option(help: ArgumentHelp("From this time on: 15m, 24h or 7d ago, Unix seconds, RFC 3339.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Until this time.", valueName: "time"))
    var until: String?

    @Flag(help: "Go on at the end of the file, as tail -F.")
    var follow = false

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: "table; wide: all columns, nothing cut; compact: no columns; csv and json: all fields."
    )
    var format = RecordFormat.table

    @Flag(inversion: .prefixedNo, help: "Say below each denied line why. Default: on a terminal.")
    var explain: Bool?

    @Option(help: "auto: on a terminal, unless NO_COLOR is set.")
    var color = ColorChoice.auto

    @Flag(help: "Times are UTC, not local.")
    var utc = false

    @OptionGroup(title: "A watch of this machine")
    var watch: WatchOptions

    @OptionGroup(title: "Who is behind an address")
    var inventory: InventoryOptions

    func validate() throws {
        if let last, last < 1 || last > 1_000_000 {
            throw ValidationError("--last \(last): a number from 1 to 1000000 is needed")
        }
        for (option, text) in [("--since", since), ("--until", until)] {
            guard let text else { continue }
            guard TimePoint.parse(text, now: Self.now) != nil else {
                throw ValidationError("\(option) \(text): \(TimePoint.forms) is needed")
            }
        }
        guard from != "" else { throw ValidationError("--from: the path is empty; - is standard input") }
        guard from == nil || inventory.isEmpty else {
            throw ValidationError(
                "--from: records have their names already; an inventory is for a watch of this machine"
            )
        }
        if from == nil, last != nil || since != nil || until != nil || follow {
            throw ValidationError("--last, --since, --until and --follow are for records of a file: give --from FILE")
        }
    }

    func run() throws {
        let printer = RecordPrinter(format, color: color, explains: explain, isUTC: utc)
        let filter = try selection.filter()
        guard let from else { return try observeMachine(filter, printer) }
        try observeFile(from, filter, printer)
    }

    // MARK: A file

    private func observeFile(_ path: String, _ filter: Filter, _ begun: RecordPrinter) throws {
        let stop = StopSource()
        let signals = follow ? StopSignals(stop) : nil
        defer { withExtendedLifetime(signals) {} }
        var printer = begun
        var window = RecordWindow(filter, since: point(since), until: point(until), last: last)
        let reader = RecordFileReader(path: path, follows: follow, stop: stop)
        let trouble = try reader.read { record in
            guard window.admits(record) else { return }
            printer.add(record)
            if printer.isFull { try printer.flush() }
        } pause: {
            if follow { for record in window.takeLast() { printer.add(record) } }
            try printer.flush()
        }
        for record in window.takeLast() { printer.add(record) }
        try printer.flush()
        summarize(window, trouble)
        if trouble.lines > 0 { throw ExitCode(1) }
    }

    private func point(_ text: String?) -> Int64? { text.flatMap { TimePoint.parse($0, now: Self.now) } }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    private func summarize(_ window: RecordWindow, _ trouble: RecordFileReader.Trouble) {
        if trouble.lines > 0 { say("warning: \(trouble.lines) lines are no records") }
        guard isatty(STDERR_FILENO) == 1, format == .table else { return }
        let hidden = window.seen - window.shown
        if window.seen == 0 {
            say("-- no record in \(from ?? "-")")
        } else if window.shown == 0 {
            say("-- none of \(window.seen) records is what the options ask for")
        } else {
            say(
                "-- \(window.shown) of \(window.seen) records"
                    + (hidden > 0 ? "; \(hidden) left out by the options" : "")
            )
        }
    }

    // MARK: This machine

    private func observeMachine(_ filter: Filter, _ printer: RecordPrinter) throws {
        let stop = StopSource()
        let logger = Logger.toStandardError(.warning)
        let signals = StopSignals(stop, logger: nil)
        defer { withExtendedLifetime(signals) {} }
        let screen = try RecordScreen(printer, isWanted: { filter.matches($0) }, onClosed: { stop.stop() })
        var configuration = try watch.configuration()
        configuration.inventory = try inventory.configuration()
        configuration.inventory.userAgent = "weir/\(weirVersion)"
        configuration.taps = [screen.tap]
        if isatty(STDERR_FILENO) == 1 { say("watching this machine; Ctrl-C ends it") }
        _ = try Agent(configuration, logger: logger).run(until: stop)
        if let failure = screen.failure { throw failure }
        if screen.tap.lostRecords > 0 {
            say("warning: \(screen.tap.lostRecords) records were not shown: the screen was too slow")
        }
    }

    private func say(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}
