import Agent
import ArgumentParser
import Export

/// The outputs and their options: defaults for all outputs, and options of one output after semicolons.
struct OutputArguments: ParsableArguments {
    @Option(name: .customLong("output"), help: .setting("output", showsDefault: true))
    var outputs: [String] = []

    @Option(help: .setting("filter"))
    var filter: String?

    @Option(help: .setting("drop"))
    var drop: String?

    @Flag(help: .setting("with-host"))
    var withHost = false

    @Option(help: .setting("record-allowed", showsDefault: true))
    var recordAllowed: String?

    @Option(help: .setting("record-denied", showsDefault: true))
    var recordDenied: String?

    @Option(help: .setting("include-labels", showsDefault: true))
    var includeLabels: String?

    @Option(help: .setting("include-policies", showsDefault: true))
    var includePolicies: String?

    @Option(help: .setting("include-service", showsDefault: true))
    var includeService: String?

    @Option(help: .setting("dynamic-aggregation", showsDefault: true))
    var dynamicAggregation: String?

    @Option(help: .setting("file-max-size", showsDefault: true))
    var fileMaxSize: String?

    @Option(help: .setting("file-max-files", showsDefault: true))
    var fileMaxFiles: String?

    @Option(help: .setting("file-max-age", showsDefault: true))
    var fileMaxAge: String?

    @Option(help: .setting("file-min-age", showsDefault: true))
    var fileMinAge: String?

    @Option(help: .setting("file-compress", showsDefault: true))
    var fileCompress: String?

    @Option(help: .setting("file-mode", showsDefault: true))
    var fileMode: String?

    @Option(help: .setting("spool-dir", showsDefault: true))
    var spoolDir: String?

    @Option(help: .setting("spool-max-size", showsDefault: true))
    var spoolMaxSize: String?

    /// The configured outputs; standard output if none is given.
    ///
    /// - Throws: an error if an output is invalid.
    func configurations() throws -> [OutputConfiguration] {
        let defaults = try defaults()
        do {
            return try (outputs.isEmpty ? ["stdout"] : outputs).map {
                try OutputConfiguration(parsing: $0, defaults: defaults)
            }
        } catch {
            throw ValidationError("--output: \(error)")
        }
    }

    /// The defaults for outputs that do not set an option themselves.
    ///
    /// - Throws: an error if an option is invalid.
    func defaults() throws -> OutputConfiguration {
        var defaults = OutputConfiguration(.standardOutput)
        let options = [
            ("record-allowed", recordAllowed), ("record-denied", recordDenied), ("include-labels", includeLabels),
            ("include-policies", includePolicies), ("include-service", includeService),
            ("dynamic-aggregation", dynamicAggregation),
            ("filter", filter), ("drop", drop), ("max-size", fileMaxSize), ("max-files", fileMaxFiles),
            ("max-age", fileMaxAge), ("min-age", fileMinAge), ("mode", fileMode), ("with-host", withHost ? "on" : nil),
            ("compress", fileCompress), ("spool", spoolDir), ("spool-max-size", spoolMaxSize),
        ]
        for (name, value) in options {
            guard let value else { continue }
            do throws(OutputConfigurationError) {
                try defaults.set(name, value)
            } catch {
                let files = ["max-size", "max-files", "max-age", "min-age", "mode", "compress"]
                let option = name == "spool" ? "spool-dir" : files.contains(name) ? "file-\(name)" : name
                throw ValidationError("--\(option): \(error.reason.trimmingPrefix("\(name): "))")
            }
        }
        return defaults
    }
}
