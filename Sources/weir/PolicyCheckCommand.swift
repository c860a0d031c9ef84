import ArgumentParser
import ClusterSource
import Policy

extension PolicyCommand {
    /// `weir policy check`.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find what is wrong with policies.",
            discussion: """
                Errors: policies and rules that cannot be used, such as those with selectors that cannot be read, \
                policies of tiers that do not exist, and fields that the API does not have, such as a misspelt one. \
                Warnings: rules that can never match, or are never reached. Each with its object, its field and, in a \
                text, the position. The exit code is 1 if there are errors.

                Examples:
                  weir policy check --inventory policies/
                  weir policy check --inventory policies/ --json | jq -r 'select(.severity == "error") | .reason'
                  weir policy check --kubeconfig ~/.kube/config
                """
        )

        @OptionGroup var inventory: InventoryQueryOptions

        @Flag(help: "One JSON object a line; the last one has the counts.")
        var json = false

        func run() throws {
            let sources = try PolicySources(inventory, format: .enterprise, purpose: "policy check")
            let files = FileCheck.run(sources.paths)
            try sources.load(isCheck: true)
            let report = PolicyCheckReport(sources, files)
            for line in json ? try report.jsonLines() : report.lines { print(line) }
            if report.count(.error) > 0 { throw ExitCode(1) }
        }
    }
}
