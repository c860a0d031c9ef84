import ArgumentParser
import Glibc

/// The command line.
@main
struct Weir: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "Counts every flow of a node's network and writes Calico flow records.",
        discussion: """
            Programs in the kernel count what crosses the interfaces; the agent reads the counts, aggregates them and \
            writes one JSON line per group of connections and interval. No packet is changed, delayed or dropped.

            Try it:
              sudo weir lab       a small network of its own, with traffic
              sudo weir doctor    what this machine lets Weir do
              sudo weir observe   connections on this machine, and why some are denied
              sudo weir status    what the running agent does, what is wrong
              sudo weir run       this machine's interfaces, as records
              sudo weir run --output tcp:collector:5170 --flush-interval 5m

            Exit codes: 0 done, 1 failed, 2 wrong usage, 3 kernel or privileges do not allow it.
            """,
        version: weirVersion,
        subcommands: [
            RunCommand.self, DetachCommand.self, DoctorCommand.self, ConfigCommand.self, LabCommand.self,
            StatusCommand.self, ObserveCommand.self, TopCommand.self, QueryCommand.self, UICommand.self,
            InventoryCommand.self, PolicyCommand.self, AuditCommand.self, ReportCommand.self,
            SchemaCommand.self, SetupCommand.self, BenchCommand.self,
        ]
    )

    static func main() {
        occupyStandardDescriptors()
        do {
            try Surroundings.prepare()
            let words = Array(CommandLine.arguments.dropFirst())
            try EmptyValue.check(words)
            var command = try parseAsRoot(Launch.commandLine(words))
            try command.run()
            try finishPrinting()
        } catch {
            Failure.exit(with: error)
        }
    }

    /// Opens standard descriptors that the caller closed, so that no other file gets their numbers.
    ///
    /// Writing to standard output then fails if the caller closed it.
    private static func occupyStandardDescriptors() {
        for (descriptor, mode) in [(STDIN_FILENO, O_RDONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY)]
        where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", mode)
        }
    }
}

/// The version of this build (semantic versioning).
let weirVersion = "0.1.0"
