import Export
import FlowModel
import Logging
import Synchronization

/// The outputs of a run, which a reload of the settings may replace.
///
/// Only the pipeline replaces them, between two records; all other threads read the present ones.
final class LiveOutputs: Sendable {
    /// An output, and its configuration.
    struct Place: Sendable {
        var configuration: OutputConfiguration
        var output: Output
    }

    private struct State {
        var places: [Place] = []
        /// The outputs of the DNS log, which no reload changes.
        var dns: [Output] = []
        /// Statistics of outputs that a reload closed, by name.
        var closed: [String: OutputStatistics] = [:]
        /// The last flush, and the last one that is committed.
        var flush = BatchOrigin(counters: 0, flush: 0)
        var committed = BatchOrigin(counters: 0, flush: 0)
    }

    /// The state of an output, for metrics and the end of a run.
    struct Standing: Sendable {
        /// The name of the output.
        var name: String
        /// Statistics, with those of closed outputs of this name.
        var statistics: OutputStatistics
        /// Whether it accepts no more records.
        var isClosed: Bool
    }

    private let state = Mutex(State())
    private let settings: OutputSettings
    /// The number of outputs of the DNS log, which have their part of the memory for queues.
    private let dnsCount: Int

    /// Begins without outputs.
    ///
    /// - Parameters:
    ///   - settings: the settings of all outputs.
    ///   - dnsCount: the number of outputs of the DNS log.
    init(_ settings: OutputSettings, beside dnsCount: Int = 0) {
        self.settings = settings
        self.dnsCount = dnsCount
    }

    /// The present outputs, in the order in which they were configured.
    var places: [Place] { state.withLock { $0.places } }

    /// The present outputs, without their configurations, followed by those of the DNS log.
    var outputs: [Output] { state.withLock { $0.places.map(\.output) + $0.dns } }

    /// The present outputs of flow records.
    ///
    /// Only they take part in commits: a later run does not make lines of the DNS log again.
    var ofRecords: [Output] { places.map(\.output) }

    /// The outputs of the DNS log.
    var dns: [Output] { state.withLock { $0.dns } }

    /// The present outputs and their statistics.
    var standings: [Standing] {
        state.withLock { state in
            (state.places.map(\.output) + state.dns).map { output in
                let name = "\(output.specification)"
                var statistics = output.statistics
                if let closed = state.closed[name] { statistics += closed }
                return Standing(name: name, statistics: statistics, isClosed: output.isClosed)
            }
        }
    }

    /// Opens the outputs of the start.
    ///
    /// - Parameters:
    ///   - configurations: all outputs of the run.
    ///   - lastFlush: the last flush that a previous run has committed; nil if there was none.
    /// - Throws: the reason why one of them cannot be opened.
    func open(_ configurations: [OutputConfiguration], after lastFlush: BatchOrigin?) throws(AgentError) {
        for configuration in configurations {
            let output = try settings.open(configuration, of: configurations.count + dnsCount, after: lastFlush)
            state.withLock { $0.places.append(Place(configuration: configuration, output: output)) }
        }
    }

    /// Notes the beginning of the first interval, before anything is submitted.
    func begin(after flush: BatchOrigin) {
        state.withLock { ($0.flush, $0.committed) = (flush, flush) }
        for place in places { place.output.note(flush, committed: flush) }
    }

    /// Notes that a flush ended: further records belong to the next one.
    ///
    /// - Parameter end: CLOCK_BOOTTIME, ns.
    func noteFlush(_ end: Int64) {
        note { $0.flush.flush = UInt64(max(0, end)) }
    }

    /// Notes that a flush is committed: spools deliver its records.
    ///
    /// - Parameter end: its end, CLOCK_BOOTTIME in ns.
    func noteCommit(_ end: Int64) {
        note { $0.committed.flush = UInt64(max(0, end)) }
    }

    private func note(_ change: (inout State) -> Void) {
        let (outputs, flush, committed) = state.withLock { state in
            change(&state)
            return (state.places.map(\.output), state.flush, state.committed)
        }
        for output in outputs { output.note(flush, committed: committed) }
    }

    /// Opens the outputs of the DNS log.
    func openDNS(_ configurations: [OutputConfiguration]) throws(AgentError) {
        for configuration in configurations {
            let output = try settings.open(configuration, of: places.count + dnsCount)
            state.withLock { $0.dns.append(output) }
        }
    }

    /// Opens the outputs that a reload adds; replaces nothing yet.
    ///
    /// - Parameter configurations: all outputs after the reload.
    /// - Returns: the planned replacement.
    /// - Throws: the reason why one of them cannot be opened; the opened ones are closed again.
    func plan(_ configurations: [OutputConfiguration]) throws(AgentError) -> OutputExchange {
        let current = places
        var opened: [OutputSpecification: Output] = [:]
        for configuration in configurations
        where !current.contains(where: { $0.configuration.specification == configuration.specification }) {
            do throws(AgentError) {
                let count = configurations.count + dnsCount
                opened[configuration.specification] = try settings.open(configuration, of: count)
            } catch {
                for output in opened.values { output.stop(by: .now) }
                throw error
            }
        }
        return OutputExchange(configurations: configurations, opened: opened)
    }

    /// Performs a planned replacement: writes the queues of removed outputs, and closes them.
    ///
    /// An output whose options changed is closed and opened again, so that nothing is written to a file twice.
    ///
    /// - Parameters:
    ///   - exchange: the planned replacement.
    ///   - limit: the longest time in which removed outputs may write.
    /// - Returns: the outputs that were closed, and the reasons why outputs could not be opened again.
    func exchange(_ exchange: OutputExchange, within limit: Duration) -> (closed: [Output], faults: [String]) {
        let former = places
        let kept = former.filter { place in
            exchange.configurations.contains { $0.isServed(by: place.configuration) }
        }
        let going = former.filter { place in !kept.contains { $0.output === place.output } }
        // A later run makes no records for an output that no longer exists.
        for place in going
        where !exchange.configurations.contains(where: { $0.specification == place.configuration.specification }) {
            place.output.note(committed: BatchOrigin(counters: 0, flush: 0))
        }
        close(going.map(\.output), within: limit)
        var faults: [String] = []
        var places: [Place] = []
        for configuration in exchange.configurations {
            if let place = kept.first(where: { configuration.isServed(by: $0.configuration) }) {
                places.append(Place(configuration: configuration, output: place.output))
            } else if let output = exchange.opened[configuration.specification] {
                places.append(Place(configuration: configuration, output: output))
            } else {
                let before = going.first { $0.configuration.specification == configuration.specification }
                do throws(AgentError) {
                    places.append(try reopen(configuration, before?.configuration, of: exchange, &faults))
                } catch {
                    faults.append("\(error); its records are dropped until the settings are read again")
                }
            }
        }
        note { $0.places = places }
        return (going.map(\.output), faults)
    }

    /// Opens an output with other options, or with its former ones if that fails.
    private func reopen(
        _ configuration: OutputConfiguration,
        _ before: OutputConfiguration?,
        of exchange: OutputExchange,
        _ faults: inout [String]
    ) throws(AgentError) -> Place {
        let count = exchange.configurations.count + dnsCount
        do throws(AgentError) {
            return Place(configuration: configuration, output: try settings.open(configuration, of: count))
        } catch {
            guard var before else { throw error }
            let output = try settings.open(before, of: count)
            faults.append("\(error); its previous options stay in force")
            before.selection = configuration.selection
            return Place(configuration: before, output: output)
        }
    }

    private func close(_ outputs: [Output], within limit: Duration) {
        let deadline = ContinuousClock.now + limit
        for output in outputs { output.stop(by: deadline) }
        for output in outputs {
            let statistics = output.finish(by: deadline)
            state.withLock { $0.closed["\(output.specification)", default: OutputStatistics()] += statistics }
        }
    }

    /// Ends all outputs at the same time, and waits for them.
    ///
    /// - Returns: the outcome of all records of the run, by output; outputs that a reload closed come last.
    func finish(by deadline: ContinuousClock.Instant) -> [(name: String, statistics: OutputStatistics)] {
        let outputs = outputs
        for output in outputs { output.stop(by: deadline) }
        for output in outputs { _ = output.finish(by: deadline) }
        let standings = standings
        let closed = state.withLock { $0.closed }.filter { name, _ in !standings.contains { $0.name == name } }
        return standings.map { ($0.name, $0.statistics) } + closed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

/// The changes of outputs in a reload.
struct OutputExchange: Sendable {
    /// All outputs after the reload.
    var configurations: [OutputConfiguration]
    /// New outputs, already open.
    var opened: [OutputSpecification: Output]
}

/// The settings of all outputs of a run.
struct OutputSettings: Sendable {
    let hostName: String
    let memoryLimit: Int
    let logger: Logger
    /// Called if an output ends by itself.
    let onClosed: @Sendable () -> Void

    /// Opens one of `count` outputs.
    func open(
        _ configuration: OutputConfiguration,
        of count: Int,
        after lastFlush: BatchOrigin? = nil
    ) throws(AgentError) -> Output {
        var options = configuration.options
        options.http.hostName = hostName
        do throws(OutputError) {
            return try Output(
                configuration.specification,
                options: options,
                queueLimit: MemoryPlan(limit: memoryLimit).queue(of: count),
                lastFlush: lastFlush,
                logger: logger,
                onClosed: onClosed
            )
        } catch {
            throw .output(error)
        }
    }
}

extension Output {
    /// Sets the last flush, and the last one that is committed.
    fileprivate func note(_ flush: BatchOrigin, committed: BatchOrigin) {
        note(origin: flush)
        note(committed: committed)
    }
}

extension OutputConfiguration {
    /// Whether an open output can continue with this configuration: the selection of records is applied before the output.
    fileprivate func isServed(by other: OutputConfiguration) -> Bool {
        specification == other.specification && options == other.options
    }
}
