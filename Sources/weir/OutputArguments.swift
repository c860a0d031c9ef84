import Agent
import ArgumentParser
import Export

/// Where records go, which ones, and how: for all outputs, or for one behind semicolons.
struct OutputArguments: ParsableArguments {
    @Option(
        name: .customLong("output"),
        help: ArgumentHelp(
            """
            Where records go: stdout, file:PATH, unix:PATH, tcp:HOST:PORT, udp:HOST:PORT. Options of this output follow \
            behind semicolons, named like those below without 'file-': 'file:/var/log/denied.log;filter=action == \
            "deny";max-size=10M'. Repeatable.
            """,
            valueName: "spec"
        )
    )
    var outputs: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            Write only records that this asks for, as in 'dest_namespace == "kube-system" && action == "allow"'; the \
            language is described in docs/filters.md.
            """,
            valueName: "expr"
        )
    )
    var filter: String?

    @Option(help: ArgumentHelp("But not records that this asks for.", valueName: "expr"))
    var drop: String?

    @Flag(
        help: "Records say where and when they were made: host, and @timestamp as text, for readers without a shipper."
    )
    var withHost = false

    @Option(
        help: ArgumentHelp(
            "Files are rotated when they would become larger, off: never. Default: 100M.",
            valueName: "size"
        )
    )
    var fileMaxSize: String?

    @Option(help: ArgumentHelp("So many rotated files are kept beside a file. Default: 5.", valueName: "n"))
    var fileMaxFiles: String?

    @Option(help: ArgumentHelp("Files are rotated when they are older: 1h, 1d. Default: off.", valueName: "time"))
    var fileMaxAge: String?

    @Option(
        help: ArgumentHelp(
            """
            Files stay in their place so long at least, so that readers find each of them; they grow to four times their \
            size meanwhile. Default: 5s.
            """,
            valueName: "time"
        )
    )
    var fileMinAge: String?

    @Flag(help: "Rotated files are compressed (gzip), all but the newest.")
    var fileCompress = false

    @Option(help: ArgumentHelp("Permissions of files that are made. Default: 0640.", valueName: "mode"))
    var fileMode: String?

    @Option(
        help: ArgumentHelp(
            """
            Records for readers and servers that are away wait in this folder, also beyond the end of the run. Default: they \
            wait in memory.
            """,
            valueName: "path"
        )
    )
    var spoolDir: String?

    @Option(help: ArgumentHelp("The most that waits there, for each output. Default: 1G.", valueName: "size"))
    var spoolMaxSize: String?

    /// The outputs: standard output if nothing is said.
    ///
    /// - Throws: what is wrong with one of them.
    func configurations() throws -> [OutputConfiguration] {
        var defaults = OutputConfiguration(.standardOutput)
        let options = [
            ("filter", filter), ("drop", drop), ("max-size", fileMaxSize), ("max-files", fileMaxFiles),
            ("max-age", fileMaxAge), ("min-age", fileMinAge), ("mode", fileMode), ("with-host", withHost ? "on" : nil),
            ("compress", fileCompress ? "on" : nil), ("spool", spoolDir), ("spool-max-size", spoolMaxSize),
        ]
        for (name, value) in options {
            guard let value else { continue }
            do throws(OutputConfigurationError) {
                try defaults.set(name, value)
            } catch {
                let own = ["filter", "drop", "with-host", "spool-max-size"]
                let option = name == "spool" ? "spool-dir" : own.contains(name) ? name : "file-\(name)"
                throw ValidationError("--\(option): \(error.reason)")
            }
        }
        do {
            return try (outputs.isEmpty ? ["stdout"] : outputs).map {
                try OutputConfiguration(parsing: $0, defaults: defaults)
            }
        } catch {
            throw ValidationError("--output: \(error)")
        }
    }
}
