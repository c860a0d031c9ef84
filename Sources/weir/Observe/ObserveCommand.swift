import Agent
import ArgumentParser
import Export
import Filter
import Foundation
import Glibc
import Logging
import Records

/// `weir observe`: shows records in a readable form.
struct ObserveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "observe",
        abstract: "Show connections between workloads, and why some are denied.",
        discussion: """
            Shows the records of this host's agent as they are made, until Ctrl-C. Where no agent runs, this machine's \
            interfaces are watched for as long (needs root). --since, --until and --last show what was before: from the \
            store, or from a file with --from. --kubeconfig shows the records of all agents of a cluster, through the API \
            server; nodes that do not answer are named.

            On a terminal the table fits its width, and each denied line is followed by the reason; '~' behind a verdict \
            means that staged policies would decide otherwise. In a pipe all columns are there and nothing is cut. What in \
            names could move the cursor or turn the direction of writing is shown as \\u{…}.

            Options of one name are alternatives, options of different names all hold. Exit codes: 0 done, 1 a line was no \
            record, or an agent refuses, 2 wrong usage, 3 kernel or privileges do not allow a watch.

            Examples:
              sudo weir observe
              sudo weir observe -n yaobank --denied
              sudo weir observe --service database --since 1h
              weir observe --kubeconfig ~/.kube/config --node node-1 --node node-2
              sudo weir observe --watch --inventory cluster.yaml
              sudo weir observe --from /var/log/calico/flowlogs/flows.log --denied --last 20
              weir observe --from flows.log --since 1h --service database -o json | jq .bytes_out
              ssh node-1 sudo tail -F /var/log/calico/flowlogs/flows.log | weir observe --from - --pod yaobank/customer
            """
    )

    @OptionGroup(title: "Where records are")
    var source: RecordSourceOptions

    @OptionGroup(title: "Which agents")
    var agents: AgentOptions

    @OptionGroup(title: "Which records")
    var selection: RecordFilterOptions

    @Option(help: ArgumentHelp("Only the last ones of what was before.", valueName: "n"))
    var last: Int?

    @Option(help: ArgumentHelp("From this time on: 15m, 24h or 7d ago, Unix seconds, RFC 3339.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Until this time.", valueName: "time"))
    var until: String?

    @Flag(help: "Follow new records after the earlier ones; for a file, as tail -F.")
    var follow = false

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: """
            table; wide: all columns, also process and domains, nothing cut; compact: no columns; csv and json: all \
            fields.
            """
    )
    var format = RecordFormat.table

    @Flag(inversion: .prefixedNo, help: "Explain each denied line below it. Default: on a terminal.")
    var explain: Bool?

    @Option(help: "auto: on a terminal, unless NO_COLOR is set.")
    var color = ColorChoice.auto

    @Flag(help: "Times are UTC, not local.")
    var utc = false

    @Flag(help: "Watch this machine, whether or not an agent runs.")
    var watch = false

    @OptionGroup(title: "A watch of this machine")
    var machine: WatchOptions

    @OptionGroup(title: "Who is behind an address, or which cluster")
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
        guard source.from == nil || inventory.isEmpty else {
            throw ValidationError(
                "--from: records have their names already; an inventory is for a watch of this machine"
            )
        }
        guard !watch || !readsHistory, !watch || source.from == nil else {
            throw ValidationError(
                "--watch shows present traffic: --from, --store, --since, --until and --last do not go with it"
            )
        }
        guard readsCluster || (agents.nodes.isEmpty && agents.tokenFile == nil) else {
            throw ValidationError("--node and --token-file are for the agents of a cluster: give --kubeconfig PATH")
        }
        guard !readsCluster || !readsHistory else {
            throw ValidationError(
                "--kubeconfig: agents of a cluster show present traffic; for the past, query the store: --store clickhouse:URL"
            )
        }
        guard !follow || source.from != nil || readsHistory else {
            throw ValidationError("--follow continues after earlier records: give --since, --last, --store or --from")
        }
    }

    func run() throws {
        let stop = StopSource()
        let isFile = source.from != nil && !follow
        let signals = isFile ? nil : StopSignals(stop, logger: nil)
        defer { withExtendedLifetime(signals) {} }
        if let path = source.from { return try observeFile(path, stop) }
        if readsCluster { return try observeCluster(stop) }
        if readsHistory { return try observeStore(stop) }
        let needsWatch = watch || !machine.interfaces.isEmpty || !inventory.isEmpty
        guard !needsWatch, try agentAnswers() else { return try observeMachine(stop) }
        try observeAgent(stop)
    }

    /// Whether earlier records are requested.
    private var readsHistory: Bool { last != nil || since != nil || until != nil || source.store != nil }

    /// Whether the agents of a cluster are queried.
    private var readsCluster: Bool { !watch && (inventory.kubeconfig != nil || inventory.kubernetes) }

    var printer: RecordPrinter {
        RecordPrinter(format, color: color, explains: explain, isUTC: utc, showsNode: readsCluster)
    }

    func point(_ text: String?) -> Int64? { text.flatMap { TimePoint.parse($0, now: Self.now) } }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    func say(_ line: String) {
        complain(line)
    }
}

// MARK: - A file, this machine

extension ObserveCommand {
    private func observeFile(_ path: String, _ stop: StopSource) throws {
        var printer = printer
        var window = RecordWindow(try selection.filter(), since: point(since), until: point(until), last: last)
        let reader = RecordFileReader(path: path, follows: follow, stop: stop)
        let rejects = try reader.read { record in
            guard window.admits(record) else { return }
            printer.add(record)
            if printer.isFull { try printer.flush() }
        } pause: {
            if follow { for record in window.takeLast() { printer.add(record) } }
            try printer.flush()
        }
        for record in window.takeLast() { printer.add(record) }
        try printer.flush()
        if rejects.lines > 0 { say("warning: \(rejects.lines) lines are no records") }
        summarize(seen: window.seen, shown: window.shown, of: path)
        if rejects.lines > 0 { throw ExitCode(1) }
    }

    func summarize(seen: Int, shown: Int, of name: String) {
        guard isatty(STDERR_FILENO) == 1, format == .table else { return }
        if seen == 0 {
            say("-- no record in \(name)")
        } else if shown == 0 {
            say("-- none of \(seen) records matches the options")
        } else {
            say("-- \(shown) of \(seen) records" + (seen > shown ? "; \(seen - shown) left out by the options" : ""))
        }
    }

    private func observeMachine(_ stop: StopSource) throws {
        let filter = try selection.filter()
        let screen = try RecordScreen(printer, isWanted: { filter.matches($0) }, onClosed: { stop.stop() })
        var configuration = try machine.configuration()
        configuration.inventory = try inventory.configuration()
        configuration.inventory.userAgent = "weir/\(weirVersion)"
        configuration.taps = [screen.tap]
        if isatty(STDERR_FILENO) == 1 { say("-- watching this machine; Ctrl-C ends it") }
        _ = try Agent(configuration, logger: Logger.toStandardError(.warning)).run(until: stop)
        if let failure = screen.failure { throw failure }
        if screen.tap.lostRecords > 0 {
            say("warning: \(screen.tap.lostRecords) records were not shown: the screen was too slow")
        }
    }
}
