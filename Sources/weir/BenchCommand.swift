import ArgumentParser
import Bench

/// `weir bench`: what Weir costs on this machine.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what Weir costs here, beside a baseline in the same run.",
        discussion: """
            Every line gives Weir's value, the baseline's, and their ratio. Times are the fastest of several rounds: on \
            a shared machine, trust the ratios. `datapath` and `drain` load programs into the kernel and need root; \
            nothing is attached to an interface.

            Examples:
              sudo weir bench datapath
              sudo weir bench drain --json
              weir bench encode
            """,
        subcommands: [Datapath.self, Drain.self, Encode.self]
    )

    /// Options of every benchmark.
    struct Options: ParsableArguments {
        @Flag(help: "One JSON object a line.")
        var json = false

        /// Runs a benchmark and prints its results as they come.
        func print(_ benchmark: ((Measurement) -> Void) throws -> Void) throws {
            if !json { Swift.print(Measurement.header) }
            do {
                try benchmark { Swift.print(json ? $0.json : $0.line) }
            } catch {
                throw CommandFailure(description: "\(error)", isUnsupported: BenchmarkRequirement.isMissing(error))
            }
        }
    }

    struct Datapath: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A packet in the kernel: established flow, new flow, full window."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(DatapathBenchmark.run) }
    }

    struct Drain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reading the flow table: 10,000, 100,000 and 1,000,000 live flows."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(DrainBenchmark.run) }
    }

    struct Encode: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Encoding records as JSON lines."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(EncodeBenchmark.run) }
    }
}
