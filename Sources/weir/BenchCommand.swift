import ArgumentParser
import Bench

/// `weir bench`: measures the cost of Weir on this machine.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what Weir costs here, beside a baseline in the same run.",
        discussion: """
            Every line gives Weir's value, the baseline's, and their ratio. Times are the fastest of several rounds: on \
            a shared machine, trust the ratios. `datapath`, `drain`, `drops`, `conntrack`, `sockets` and \
            `collect` load programs into the kernel and need root; nothing is attached to an interface of this machine, only to those of namespaces of their own.

            Examples:
              sudo weir bench datapath
              sudo weir bench drain --json
              sudo weir bench drops
              sudo weir bench conntrack
              sudo weir bench sockets
              sudo weir bench collect
              weir bench inventory
              weir bench aggregation --minutes 60
              weir bench spool --folder /var/lib/weir
            """,
        subcommands: [
            Datapath.self, Drain.self, Drops.self, Conntrack.self, Sockets.self, Collect.self, Encode.self, Filter.self,
            Inventory.self,
            Policy.self, Preview.self, Store.self, Audit.self, Aggregation.self, Spool.self, Pipeline.self,
        ]
    )

    /// The options of every benchmark.
    struct Options: ParsableArguments {
        @Flag(help: "One JSON object a line.")
        var json = false

        /// Runs a benchmark and prints each result when it is available.
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
            abstract: "A packet in the kernel: known flows, new flows, full window, two CPUs, through a veth pair."
        )
        @OptionGroup var options: Options

        @Option(help: ArgumentHelp("Run only the cases whose name contains this.", valueName: "text"))
        var filter: String?

        @Flag(help: "Fewer rounds, and no table of a million flows: about a minute.")
        var quick = false

        func run() throws { try options.print(DatapathBenchmark(filter: filter, isQuick: quick).run) }
    }

    struct Drain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reading the flow table: 10,000, 100,000 and 1,000,000 live flows."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(DrainBenchmark.run) }
    }

    struct Drops: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A packet that is dropped: noise, another interface's, a denied flow's."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(DropBenchmark.run) }
    }

    struct Conntrack: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A new flow in the agent, and connection tracking's share: 0, 10,000 and 100,000 connections."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(ConntrackBenchmark.run) }
    }

    struct Sockets: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reading the statistics of TCP sockets: 100 and 10,000 of them."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(SocketBenchmark.run) }
    }

    struct Collect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "CPU time of a record with everything collected, beside that with nothing collected."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(CollectBenchmark.run) }
    }

    struct Encode: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Encoding records as JSON lines."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(EncodeBenchmark.run) }
    }

    struct Filter: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Choosing records: filters of one and of several comparisons."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(FilterBenchmark.run) }
    }

    struct Inventory: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Who is behind an address: lookups, changes and memory with 100,000 pods."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(InventoryBenchmark.run) }
    }

    struct Store: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeping records: writing 10,000 a minute, their size, and the overview's queries."
        )
        @OptionGroup var options: Options

        @Option(help: "How many hours of records; 24 are 14.4 million.")
        var hours = 2

        func validate() throws {
            guard 1...240 ~= hours else { throw ValidationError("--hours \(hours): a number from 1 to 240 is needed") }
        }

        func run() throws { try options.print { try StoreBenchmark.run(hours: hours, report: $0) } }
    }

    struct Audit: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reading an API server's audit log: lines filtered, changes put into words, and kept in a store."
        )
        @OptionGroup var options: Options

        @Option(
            help: ArgumentHelp(
                "Measure only how this log is kept in a store; every line is an event.",
                valueName: "path"
            )
        )
        var log: String?

        func run() throws {
            try options.print { report in
                if let log { return try AuditStoreBenchmark.run(log: log, report: report) }
                try AuditBenchmark.run(report: report)
                try AuditStoreBenchmark.run(report: report)
            }
        }
    }

    struct Policy: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What policies decide: evaluations, changes and memory with 5,000 policies."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(PolicyBenchmark.run) }
    }

    struct Preview: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a change of policies would change: recorded connections evaluated, from records on."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(PreviewBenchmark.run) }
    }

    struct Aggregation: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What aggregation saves: the records of a day of a made-up cluster, at each level.",
            discussion: """
                50 services with 10 pods each on 10 nodes: pools of connections, short connections, DNS, health \
                checks, denied connections and scans, by the time of day. Sizes are those of the files of all nodes \
                in a day, of records of one flush (10 s) and of 300 s, as they are and compressed with gzip. The same seed \
                makes the same traffic. A whole day takes long: begin with --minutes 60.

                Examples:
                  weir bench aggregation --minutes 5
                  weir bench aggregation --minutes 1440 --seed 7
                """
        )
        @OptionGroup var options: Options

        @Option(help: "Minutes of traffic, spread over the day: a multiple of 5, up to 1440.")
        var minutes = 60

        @Option(help: "Chooses the day.")
        var seed: UInt64 = 1

        @Option(help: ArgumentHelp("Keep the lines in files here, one for each level.", valueName: "path"))
        var folder: String?

        func validate() throws {
            guard 5...1_440 ~= minutes, minutes % 5 == 0 else {
                throw ValidationError("--minutes \(minutes): a multiple of 5, from 5 to 1440, is needed")
            }
        }

        func run() throws {
            try options.print { report in
                try AggregationBenchmark(minutes: minutes, seed: seed, folder: folder).run(report: report)
            }
        }
    }

    struct Spool: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The spool on this disk: batches written and read back, beside a plain file."
        )
        @OptionGroup var options: Options

        @Option(help: "How much is written.")
        var megabytes = 1_000

        @Option(help: ArgumentHelp("Where: the disk that is measured.", valueName: "path"))
        var folder: String?

        func validate() throws {
            guard 1...100_000 ~= megabytes else {
                throw ValidationError("--megabytes \(megabytes): a number from 1 to 100000 is needed")
            }
        }

        func run() throws {
            try options.print { try SpoolBenchmark(megabytes: megabytes, folder: folder).run(report: $0) }
        }
    }

    struct Pipeline: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "From what was counted to bytes in a file; and a flush with outputs that are away.",
            discussion: "scripts/allocations runs it with allocations counted."
        )
        @OptionGroup var options: Options

        func run() throws { try options.print(PipelineBenchmark.run) }
    }
}
