import Agent
import ArgumentParser
import Dispatch
import Export
import Filter
import Foundation
import Glibc
import Logging
import Query
import Server
import Store
import Synchronization

/// `weir top`: shows the largest groups of connections, continuously.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show who talks most, refreshed all the time.",
        discussion: """
            Reads the store, if there is one, else the records of this host's agent as they are made, or the records of a \
            file; with --watch, or where there is neither store nor agent, this machine's interfaces are watched as long as \
            it runs (needs root).

            Keys: v next view, s next order, p pause, q quit. Not on a terminal, or with --once, one picture is printed; \
            with -o json a line for each group.

            Records are summed as they are: a connection between two watched workloads has a record of each end, and one \
            that a host forwards may have a record of its host endpoint, whose transit_bytes and transit_packets are its \
            bytes and packets here; --filter 'reporter == "src"' takes one of them.

            Examples:
              sudo weir top
              weir top services --by connections --store /var/lib/weir/flows.db
              weir top denied --once --window 1h
              weir top pairs --from flows.log --by bytes -o json
            """
    )

    @Argument(help: "pairs, pods (sources), services, namespaces, ports, denied or policies.")
    var view = TopView.pairs

    @Option(help: "What comes first: connections, bytes, packets or denied.")
    var by = TopMeasure.connections

    @Option(
        help: ArgumentHelp("The time that is looked at. Default: 60s; of a file, all of it.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var window: TimeArgument?

    @Flag(help: "One picture.")
    var once = false

    @Flag(help: "Watch this machine, whether or not there is a store.")
    var watch = false

    @Option(name: [.customShort("o"), .customLong("output")], help: "table, csv or json.")
    var format = SumFormat.table

    @OptionGroup(title: "Where records are")
    var source: RecordSourceOptions

    @Option(help: ArgumentHelp("The socket of this host's agent.", valueName: "path"))
    var socket = HTTPServerConfiguration.defaultSocketPath

    @OptionGroup(title: "Which records")
    var selection: RecordFilterOptions

    @OptionGroup(title: "A watch of this machine")
    var machine: WatchOptions

    @OptionGroup(title: "Who is behind an address")
    var inventory: InventoryOptions

    /// The maximum number of groups shown.
    private static let limit = 1000

    func run() throws {
        let isWatch =
            watch || (source.store == nil && source.from == nil && access(RecordSourceOptions.defaultStore, F_OK) != 0)
        if isWatch {
            let agent = AgentSocket(path: socket)
            let readsAgent = !watch && machine.interfaces.isEmpty && inventory.isEmpty
            return readsAgent && agent.presence == .answers ? try watchAgent(agent) : try watchMachine()
        }
        let records = try source.open()
        let stop = StopSource()
        let signals = StopSignals(stop)
        defer { withExtendedLifetime(signals) {} }
        try show(records, until: stop)
    }

    // MARK: This host's agent, this machine

    /// Shows the new records of the agent; if only one frame is shown, after its next records or 15 s.
    private func watchAgent(_ socket: AgentSocket) throws {
        let stop = StopSource()
        let signals = StopSignals(stop)
        defer { withExtendedLifetime(signals) {} }
        let memory = try MemoryStore()
        let isOnce = once || format != .table || isatty(STDOUT_FILENO) != 1
        let ended = StopSource()
        let refusal = Refusal()
        let tap = memory.tap
        let follower = AgentFollower(socket, filter: try selection.text()) { lines in
            guard MemoryStore.take(lines, into: tap), isOnce else { return }
            ended.stop()
        } note: { _ in
        }
        let task = Task.detached {
            let failure = await follower.run()
            refusal.note(failure)
            ended.stop()
            stop.stop()
        }
        defer { task.cancel() }
        if isOnce {
            let limit = machine.duration?.duration.components.seconds ?? 15
            _ = ended.wait(milliseconds: Int32(clamping: limit * 1000))
            memory.tap.finish(by: .now + .seconds(5))
        }
        if let failure = refusal.failure { throw failure }
        try show(memory.records, until: stop)
        if let failure = refusal.failure { throw failure }
    }

    private func watchMachine() throws {
        let stop = StopSource()
        let signals = StopSignals(stop)
        defer { withExtendedLifetime(signals) {} }
        let memory = try MemoryStore()
        var configuration = try machine.configuration()
        configuration.inventory = try inventory.configuration()
        configuration.taps = [memory.tap]
        let isOnce = once || isatty(STDOUT_FILENO) != 1
        if isOnce, configuration.duration == nil { configuration.duration = .seconds(10) }
        let command = self
        let drawn = DispatchGroup()
        if !isOnce {
            drawn.enter()
            let reader = memory.reader
            Thread.detachNewThread {
                do {
                    try command.show(OpenRecords(reader), until: stop)
                } catch {
                    Self.note(error)
                }
                stop.stop()
                drawn.leave()
            }
        }
        _ = try Agent(configuration, logger: .toStandardError(.error)).run(until: stop)
        stop.stop()
        drawn.wait()
        if isOnce { try printOnce(memory.records) }
    }

    private static func note(_ error: any Error) {
        complain("error: \(error)")
    }

    // MARK: Pictures

    private func show(_ records: OpenRecords, until stop: StopSource) throws {
        guard !once, format == .table, let terminal = TerminalMode() else { return try printOnce(records) }
        var (view, measure, isPaused) = (view, by, false)
        let offset = Int64(TimeZone.current.secondsFromGMT())
        var frame = try frame(records, view, measure)
        while !stop.isStopped {
            frame.isPaused = isPaused
            let size = terminal.size
            var lines = frame.lines(width: size.width, height: size.height - 1, offset: offset)
            lines = Array(lines.prefix(size.height - 1)) + ["v view  s order  p pause  q quit"]
            terminal.draw(lines)
            switch terminal.key(within: 2000) {
            case UInt8(ascii: "q"): return
            case UInt8(ascii: "v"): view = view.next
            case UInt8(ascii: "s"): measure = measure.next
            case UInt8(ascii: "p"): isPaused.toggle()
            default: break
            }
            if !isPaused { frame = try self.frame(records, view, measure) }
        }
    }

    private func printOnce(_ records: OpenRecords) throws {
        guard format == .table else {
            let query = try query(records, view, by)
            let result = try Self.answer(query, records)
            return try SumPrinter(query, format).print(result)
        }
        let frame = try frame(records, view, by)
        var output = OutputBuffer()
        let width = isatty(STDOUT_FILENO) == 1 ? RecordPrinter.terminalWidth : nil
        for line in frame.lines(width: width, height: nil, offset: Int64(TimeZone.current.secondsFromGMT())) {
            output.append((line + "\n").utf8)
        }
        try output.flush()
    }

    private func frame(_ records: OpenRecords, _ view: TopView, _ measure: TopMeasure) throws -> TopFrame {
        let query = try query(records, view, measure)
        let result = try Self.answer(query, records)
        return TopFrame(
            view: view,
            measure: measure,
            result: result,
            seconds: query.until - query.since,
            until: query.until
        )
    }

    private func query(_ records: OpenRecords, _ view: TopView, _ measure: TopMeasure) throws -> FlowQuery {
        let now = try records.now()
        var since = now - (window?.duration.components.seconds ?? 60)
        if source.from != nil, window == nil { since = try records.oldest() ?? since }
        var text = try selection.text()
        if view == .denied { text = text.isEmpty ? "action == \"deny\"" : "(\(text)) && action == \"deny\"" }
        var query = FlowQuery(
            since: max(0, min(since, now - 1)),
            until: now,
            filter: try Filter(text),
            groupBy: view.groupBy,
            sums: TopMeasure.sums,
            order: measure.place
        )
        query.limit = Self.limit
        return query
    }

    private static func answer(_ query: FlowQuery, _ records: OpenRecords) throws -> FlowQueryResult {
        do {
            return try records.run(query)
        } catch let error as StoreError {
            throw CommandFailure(description: "\(error)")
        } catch let error as QueryError {
            throw CommandFailure(description: "\(error)")
        }
    }
}

/// A store in memory with the last hour of a run.
struct MemoryStore {
    /// The tap that receives records from the agent.
    let tap: QueuedTap
    /// The reader of the store.
    let reader: StoreReader
    /// The records in the store.
    var records: OpenRecords { OpenRecords(reader) }

    private final class Shared: Sendable {
        let writer: Mutex<StoreWriter>

        init(_ writer: sending StoreWriter) {
            self.writer = Mutex(writer)
        }
    }

    /// Stores the records of an agent; returns whether there were any.
    static func take(_ lines: [LiveLineReader.Line], into tap: QueuedTap) -> Bool {
        var bytes: [UInt8] = []
        var count = 0
        for case .record(let record) in lines {
            bytes += record.bytes + [UInt8(ascii: "\n")]
            count += 1
        }
        guard count > 0 else { return false }
        tap.take(RecordBatch(bytes: bytes, records: count))
        tap.endFlush()
        return true
    }

    /// Creates an empty store, and starts the thread that fills it.
    init() throws {
        var limits = StoreLimits()
        limits.bytes = 256 << 20
        limits.recordAge = 3600
        let writer = try StoreWriter.inMemory(limits)
        reader = StoreReader(of: writer)
        let shared = Shared(writer)
        tap = try QueuedTap("weir-store", limit: 32 << 20) { event in
            shared.writer.withLock { writer in
                switch event {
                case .batch(let batch): writer.take(batch.bytes)
                case .flush, .end: writer.commit()
                }
            }
        }
    }
}
