import Agent
import ArgumentParser
import Datapath
import FlowModel

/// Options of a command that watches this machine itself while it runs.
struct WatchOptions: ParsableArguments {
    @Option(
        name: .customLong("interface"),
        help: ArgumentHelp("Watch these interfaces. Repeatable. Default: all except loopback.", valueName: "pattern")
    )
    var interfaces: [String] = []

    @Option(
        help: ArgumentHelp("Time between records of a group of connections. Default: 2s.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var interval = TimeArgument(seconds: 2)

    @Option(
        help: ArgumentHelp("End after this time.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var duration: TimeArgument?

    func validate() throws {
        guard interval.duration >= .seconds(1) else {
            throw ValidationError("--interval \(interval): records have whole seconds; 1s or more is needed")
        }
        guard !interfaces.contains("") else {
            throw ValidationError("--interface: the pattern is empty; '*' matches all interfaces")
        }
    }

    /// A configuration without outputs whose records include addresses.
    func configuration() throws -> AgentConfiguration {
        var configuration = AgentConfiguration()
        configuration.datapath.interfaces = InterfaceSelection(include: interfaces, exclude: [], workload: [])
        configuration.outputs = []
        configuration.flushInterval = interval.duration
        configuration.pollInterval = min(.seconds(1), interval.duration)
        configuration.duration = duration?.duration
        configuration.levelForAllowed = .sourcePort
        configuration.levelForDenied = .sourcePort
        configuration.extendedFields = true
        return configuration
    }
}
