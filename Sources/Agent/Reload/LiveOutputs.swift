import Export
import FlowModel
import Logging
import Synchronization

/// The outputs of a run, which a reload of the settings may exchange for others.
///
/// Only the pipeline exchanges them, between two records; all others read the present ones.
final class LiveOutputs: Sendable {
    /// An output, and its configuration.
    struct Place: Sendable {
        var configuration: OutputConfiguration
        var output: Output
    }

    private struct State {
        var places: [Place] = []
        /// What became of the records of outputs that were closed by a reload, by name.
        var closed: [String: OutputStatistics] = [:]
    }

    /// An output as metrics and the end of a run show it.
    struct Standing: Sendable {
        /// Where its records go.
        var name: String
        /// What became of them, those of closed outputs with this name included.
        var statistics: OutputStatistics
        /// Whether it takes no more.
        var isClosed: Bool
    }

    private let state = Mutex(State())
    private let settings: OutputSettings

    /// No outputs yet.
    init(_ settings: OutputSettings) {
        self.settings = settings
    }

    /// The outputs of the moment, in the order in which they were given.
    var places: [Place] { state.withLock { $0.places } }

    /// The same, without the configuration.
    var outputs: [Output] { places.map(\.output) }

    /// The outputs of the moment, and what became of their records.
    var standings: [Standing] {
        state.withLock { state in
            state.places.map { place in
                let name = "\(place.output.specification)"
                var statistics = place.output.statistics
                if let closed = state.closed[name] { statistics += closed }
                return Standing(name: name, statistics: statistics, isClosed: place.output.isClosed)
            }
        }
    }

    /// Opens the outputs of the start.
    func open(_ configurations: [OutputConfiguration]) throws(AgentError) {
        for configuration in configurations {
            let output = try settings.open(configuration, of: configurations.count)
            state.withLock { $0.places.append(Place(configuration: configuration, output: output)) }
        }
    }

    /// Opens what a reload adds; nothing is exchanged yet.
    ///
    /// - Parameter configurations: all outputs that there are to be.
    /// - Returns: what is to be exchanged.
    /// - Throws: why one of them cannot be opened; those that were are closed again.
    func plan(_ configurations: [OutputConfiguration]) throws(AgentError) -> OutputExchange {
        let current = places
        var opened: [OutputSpecification: Output] = [:]
        for configuration in configurations
        where !current.contains(where: { $0.configuration.specification == configuration.specification }) {
            do throws(AgentError) {
                opened[configuration.specification] = try settings.open(configuration, of: configurations.count)
            } catch {
                for output in opened.values { output.stop(by: .now) }
                throw error
            }
        }
        return OutputExchange(configurations: configurations, opened: opened)
    }

    /// Puts a planned exchange into force: writes what waits for outputs that go, and closes them.
    ///
    /// An output that stays with other options is closed and opened again, so that nothing is written twice to a file.
    ///
    /// - Parameters:
    ///   - exchange: what is to be exchanged.
    ///   - limit: how long outputs that go may write.
    /// - Returns: the outputs that were closed, and what is wrong with those that could not be opened again.
    func exchange(_ exchange: OutputExchange, within limit: Duration) -> (closed: [Output], faults: [String]) {
        let former = places
        let kept = former.filter { place in
            exchange.configurations.contains { $0.isServed(by: place.configuration) }
        }
        let going = former.filter { place in !kept.contains { $0.output === place.output } }
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
        state.withLock { $0.places = places }
        return (going.map(\.output), faults)
    }

    /// Opens an output with other options, or if that fails with those that it had.
    private func reopen(
        _ configuration: OutputConfiguration,
        _ before: OutputConfiguration?,
        of exchange: OutputExchange,
        _ faults: inout [String]
    ) throws(AgentError) -> Place {
        let count = exchange.configurations.count
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
    /// - Returns: what became of all records of the run, by output; those that a reload closed come last.
    func finish(by deadline: ContinuousClock.Instant) -> [(name: String, statistics: OutputStatistics)] {
        let outputs = outputs
        for output in outputs { output.stop(by: deadline) }
        for output in outputs { _ = output.finish(by: deadline) }
        let standings = standings
        let closed = state.withLock { $0.closed }.filter { name, _ in !standings.contains { $0.name == name } }
        return standings.map { ($0.name, $0.statistics) } + closed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

/// What a reload changes of the outputs.
struct OutputExchange: Sendable {
    /// All outputs that there are to be.
    var configurations: [OutputConfiguration]
    /// Those that there were not, open.
    var opened: [OutputSpecification: Output]
}

/// What all outputs of a run have in common.
struct OutputSettings: Sendable {
    let hostName: String
    let memoryLimit: Int
    let logger: Logger
    /// Called if an output ends by itself.
    let onClosed: @Sendable () -> Void

    /// Opens one of `count` outputs.
    func open(_ configuration: OutputConfiguration, of count: Int) throws(AgentError) -> Output {
        var options = configuration.options
        options.http.hostName = hostName
        do throws(OutputError) {
            return try Output(
                configuration.specification,
                options: options,
                queueLimit: MemoryPlan(limit: memoryLimit).queue(of: count),
                logger: logger,
                onClosed: onClosed
            )
        } catch {
            throw .output(error)
        }
    }
}

extension OutputConfiguration {
    /// Whether an output that is open can go on as this one: which records it gets is decided before it.
    fileprivate func isServed(by other: OutputConfiguration) -> Bool {
        specification == other.specification && options == other.options
    }
}
