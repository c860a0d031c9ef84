import Agent
import ArgumentParser
import ClusterSource
import FlowModel
import Foundation

/// `weir inventory`: resolves addresses, and checks inventory files.
struct InventoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inventory",
        abstract: "Look up the owner of an address, and check inventory files.",
        discussion: """
            The inventory turns addresses into pods, hosts, network sets and services. It is read from files, which have \
            what kubectl prints, and by the API server.

            Examples:
              kubectl get pods,namespaces,nodes,services,endpointslices -A -o json > inventory.json
              weir inventory check inventory.json
              weir inventory lookup --inventory inventory.json 10.0.1.5 10.96.0.10:53/udp
              weir inventory lookup --kubeconfig ~/.kube/config --from 10.0.1.5 203.0.113.7:443
            """,
        subcommands: [Lookup.self, Check.self]
    )

    /// `weir inventory lookup`.
    struct Lookup: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the names that a record would have for an address, and why.",
            discussion: """
                For each address: type, names, namespace, labels and service as a record has them, the object and the \
                rule that it comes from, and what else would have matched.

                An IPv6 address with a port is written in brackets: [fd00::1]:53/udp. Without a port, all services at the \
                address are shown.

                Examples:
                  weir inventory lookup --inventory inventory.yaml 10.0.1.5
                  weir inventory lookup --inventory pods/ --inventory sets.yaml 10.96.0.10:53/udp '[fd00:96::a]:53'
                  weir inventory lookup --kubeconfig ~/.kube/config --from 10.0.1.5 192.0.2.7 --json
                """
        )

        @OptionGroup var inventory: InventoryQueryOptions

        @Argument(
            help: ArgumentHelp("What to look up.", valueName: "address[:port[/proto]]"),
            transform: LookupPlace.init(parsing:)
        )
        var places: [LookupPlace]

        @Option(
            help: ArgumentHelp(
                "The other end of the connection: of several network sets, one in its namespace goes first.",
                valueName: "address"
            ),
            transform: LookupPlace.address(parsing:)
        )
        var from: IPAddress?

        @Option(
            name: .customLong("host"),
            help: ArgumentHelp(
                "Answer as on the host of this name. Default: this host, with the addresses that it has.",
                valueName: "name"
            )
        )
        var hostName: String?

        @Flag(help: "One JSON object a line.")
        var json = false

        func validate() throws {
            guard hostName != "" else {
                throw ValidationError("--host: the name is empty; leave the option out for this host")
            }
        }

        func run() throws {
            let sources = try LookupSources(inventory, hostName: hostName)
            try sources.load()
            for place in places {
                let answer = LookupAnswer(place, from: from, in: sources)
                if json { printJSON(try answer.json()) } else { print(answer.text) }
            }
        }
    }

    /// `weir inventory check`.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find what is wrong in files of objects.",
            discussion: """
                Errors are what keeps a file or an object from being used. Warnings: objects that are there twice, \
                addresses that two pods have, services without ports, network sets that are empty or have the same \
                range, names that no API server would accept. The exit code is 1 if there are errors.

                Examples:
                  weir inventory check inventory.yaml
                  weir inventory check --json /etc/weir/inventory.d | jq -r 'select(.severity == "error") | .path'
                """
        )

        @Argument(
            help: ArgumentHelp(
                "Files, or folders of *.yaml, *.yml and *.json, hidden ones and those of their folders left out.",
                valueName: "path"
            )
        )
        var paths: [String]

        @Flag(help: "One JSON object a line; the last one has the counts.")
        var json = false

        func validate() throws {
            guard paths.allSatisfy({ !$0.isEmpty }) else { throw ValidationError("the path is empty") }
        }

        func run() throws {
            let report = FileCheck.run(paths)
            if json {
                for line in try report.jsonLines() { printJSON(line) }
            } else {
                for line in report.lines { print(line) }
            }
            if report.count(.error) > 0 { throw ExitCode(1) }
        }
    }
}
