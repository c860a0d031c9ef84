import Agent
import ArgumentParser
import Glibc
import Logging

/// The audit logs that a run ships, and the outputs.
struct AuditArguments: ParsableArguments {
    @Option(name: .customLong("audit-output"), help: .setting("audit-output"))
    var outputs: [String] = []

    @Option(name: .customLong("audit-log"), help: .setting("audit-log", showsDefault: true))
    var logs: [String] = []

    @OptionGroup
    var listening: AuditListenArguments

    @Option(name: .customLong("audit-state"), help: .setting("audit-state"))
    var state = AuditShipping.usualState

    @Option(name: .customLong("audit-cluster"), help: .setting("audit-cluster"))
    var cluster: String?

    @Flag(name: .customLong("audit-redact"), help: .setting("audit-redact"))
    var redact = false

    func validate() throws {
        for (option, path) in logs.map({ ("--audit-log", $0) }) + [("--audit-state", state)] {
            guard !path.isEmpty, !path.utf8.contains(where: { $0 == 0x0a || $0 == 0x09 }) else {
                throw ValidationError("\(option): a path without tabs and line ends is needed")
            }
        }
        guard Set(logs).count == logs.count else { throw ValidationError("--audit-log: the same log is given twice") }
        let destinations = try configurations().map(\.specification)
        guard Set(destinations).count == destinations.count else {
            throw ValidationError("--audit-output: the same output is given twice")
        }
    }

    /// The option that requests events; nil if there is none.
    var source: String? { !logs.isEmpty ? "--audit-log" : listening.listen != nil ? "--audit-listen" : nil }

    private func configurations() throws -> [OutputConfiguration] {
        var defaults = OutputConfiguration(.standardOutput)
        defaults.options.http.index = AuditShipping.defaultIndex
        defaults.options.http.table = AuditShipping.defaultTable
        do {
            return try outputs.map {
                let output = try OutputConfiguration(parsing: $0, defaults: defaults)
                guard !output.selectsRecords else {
                    throw ValidationError("--audit-output \($0): filters and forms are for flow records")
                }
                return output
            }
        } catch let error as OutputConfigurationError {
            throw ValidationError("--audit-output: \(error)")
        }
    }

    /// Starts to follow audit logs if any output, sink or join needs their events.
    ///
    /// - Parameters:
    ///   - host: the name of this host.
    ///   - sinks: receive the changes.
    ///   - joins: whether records include the changes that caused their verdicts.
    ///   - logger: receives errors.
    /// - Returns: nil if no events are needed, or only the usual logs are to be read and none of them is readable.
    /// - Throws: the reason why it cannot start.
    func shipper(host: String, _ sinks: [any AuditChangeSink], joins: Bool, _ logger: Logger) throws
        -> AuditShipper?
    {
        guard isUsed(keepsChanges: joins || !sinks.isEmpty) else { return nil }
        do {
            var shipping = try shipping(host)
            shipping.joinsVerdicts = joins
            return try AuditShipper(shipping, sinks: sinks, logger: logger)
        } catch {
            guard !isRequested else { throw error }
            logger.warning("the audit log is not read", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    /// Whether an option requests events.
    private var isRequested: Bool { !outputs.isEmpty || !logs.isEmpty || listening.listen != nil }

    /// Missing logs are an error only for an explicit output or log option; a store uses the logs that exist.
    private func isUsed(keepsChanges: Bool) -> Bool {
        isRequested || (keepsChanges && Self.usual.contains { access($0, R_OK) == 0 })
    }

    /// Returns the shipping of audit logs that a run would start; nil if none.
    ///
    /// - Parameter keepsChanges: whether it keeps changes, or joins them with verdicts.
    /// - Returns: logs, outputs and listener.
    /// - Throws: `ValidationError` for an output that cannot be read.
    func examined(keepsChanges: Bool) throws -> AuditShipping? {
        isUsed(keepsChanges: keepsChanges) ? try shipping("") : nil
    }

    private func shipping(_ host: String) throws -> AuditShipping {
        var shipping = AuditShipping()
        shipping.outputs = try configurations()
        shipping.webhook = try listening.configuration()
        shipping.logs = logs.isEmpty && shipping.webhook == nil ? Self.usual : logs
        shipping.statePath = state
        shipping.hostName = host
        shipping.cluster = cluster
        shipping.redacts = redact
        shipping.isRequired = isRequested
        return shipping
    }

    /// The usual logs that exist; the API server's log if none does.
    private static var usual: [String] {
        let present = AuditShipping.usualLogs.filter { access($0, F_OK) == 0 }
        return present.isEmpty ? Array(AuditShipping.usualLogs.prefix(1)) : present
    }
}
