import Agent
import ClusterSource
import Foundation
import Glibc
import Logging
import Query
import Records
import Synchronization

// MARK: - Agents, a store

extension ObserveCommand {
    /// Whether this host's agent answers.
    ///
    /// - Throws: `CommandFailure` if it is running and access is refused.
    func agentAnswers() throws -> Bool {
        switch AgentSocket(path: agents.socket).presence {
        case .answers: return true
        case .absent:
            if isatty(STDERR_FILENO) == 1 { say("-- no agent answers at \(agents.socket)") }
            return false
        case .refused(let reason):
            throw CommandFailure(description: "\(agents.socket): \(reason)", isUnsupported: geteuid() != 0)
        }
    }

    /// Shows the new records of this host's agent.
    func observeAgent(_ stop: StopSource) throws {
        let screen = LiveScreen(printer, stop)
        let follower = AgentFollower(AgentSocket(path: agents.socket), filter: try selection.text(), on: screen)
        if isatty(STDERR_FILENO) == 1 { say("-- records of the agent at \(agents.socket); Ctrl-C ends") }
        try follow(stop, screen) { await follower.run() }
    }

    /// Shows the new records of all agents in a cluster.
    func observeCluster(_ stop: StopSource) throws {
        guard let cluster = try inventory.cluster() else { preconditionFailure("validated") }
        // These can fail, and come first because the reader must be shut down.
        let (token, filter) = (try self.agents.token(), try selection.text())
        let screen = LiveScreen(printer, stop)
        let reader: ClusterReader
        do throws(KubernetesError) {
            reader = try ClusterReader(
                cluster,
                userAgent: "weir/\(weirVersion)",
                logger: Logger.toStandardError(.warning)
            )
        } catch {
            throw CommandFailure(description: "\(error)")
        }
        let agents = ClusterAgents(
            reader: reader,
            namespace: agents.agents,
            nodes: Set(agents.nodes),
            token: token,
            filter: filter,
            screen: screen
        )
        try follow(stop, screen) {
            let failure = await agents.run()
            await reader.shutdown()
            return failure
        }
    }

    /// Shows the records of a store, and with `--follow` the new records of this host's agent after that.
    func observeStore(_ stop: StopSource) throws {
        let records = try source.open()
        let goesOn = follow ? try agentAnswers() : false
        guard !follow || goesOn else {
            throw CommandFailure(description: "--follow: no agent answers at \(agents.socket)")
        }
        let screen = LiveScreen(printer, stop, holds: goesOn)
        guard goesOn else { return try showStored(records, on: screen) }
        // The screen holds new records while the store is read, so the agent's stream must start first.
        let hasBegun = StopSource()
        let follower = AgentFollower(AgentSocket(path: agents.socket), filter: try selection.text()) { lines in
            hasBegun.stop()
            screen.take(lines)
        } note: {
            screen.note($0)
        }
        try follow(stop, screen) {
            await follower.run()
        } first: {
            _ = hasBegun.wait(milliseconds: 5000)
            try showStored(records, on: screen)
        }
    }

    private func showStored(_ records: OpenRecords, on screen: LiveScreen) throws {
        let filter = try selection.filter()
        let until = try point(until) ?? (follow ? .max / 4 : records.now())
        let since = try point(since) ?? records.oldest() ?? 0
        var newest: Int64 = 0
        var shown = 0
        try screen.release(after: { newest }) { printer in
            var kept: [ReadRecord] = []
            try records.forEach(after: since, upTo: until, filter, newestFirst: last != nil, limit: last) { record in
                newest = max(newest, Int64(clamping: record.integer(.endTime)))
                shown += 1
                guard last == nil else { return kept.append(record) }
                printer.add(record)
                if printer.isFull { try printer.flush() }
            }
            for record in kept.reversed() { printer.add(record) }
        }
        if let failure = screen.failure { throw failure }
        guard isatty(STDERR_FILENO) == 1, format == .table else { return }
        say(shown == 0 ? "-- no record of this time matches the options" : "-- \(shown) records")
    }

    /// Runs a task until it ends, or until the command stops.
    private func follow(
        _ stop: StopSource,
        _ screen: LiveScreen,
        _ body: @escaping @Sendable () async -> CommandFailure?,
        first: () throws -> Void = {}
    ) throws {
        let refusal = Refusal()
        let ended = StopSource()
        let task = Task.detached {
            let failure = await body()
            refusal.note(failure)
            stop.stop()
            ended.stop()
        }
        try first()
        let limit = machine.duration.map { Int32(clamping: $0.duration.components.seconds * 1000) }
        _ = stop.wait(milliseconds: limit ?? -1)
        task.cancel()
        // The command ends even if the task does not respond to its cancellation.
        _ = ended.wait(milliseconds: 2000)
        if let failure = screen.failure ?? refusal.failure { throw failure }
        if screen.lost > 0 { say("warning: \(screen.lost) records were not shown") }
    }
}
