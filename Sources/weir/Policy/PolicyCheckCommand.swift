import ArgumentParser
import ClusterModel
import ClusterSource
import Policy

extension PolicyCommand {
    /// `weir policy check`.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find what is wrong with policies.",
            discussion: """
                Errors: what an API server or Calico refuses, policies and rules that cannot be used, such as those \
                with selectors that cannot be read, policies of tiers that do not exist, and fields that the API does \
                not have, such as a misspelt one. Warnings: rules that can never match, or are never reached. Each with \
                its object, its field and, in a text, the position. The exit code is 1 if there are errors.

                Examples:
                  weir policy check policies/
                  weir policy check policies/ --json | jq -r 'select(.severity == "error") | .reason'
                  weir policy check new-policy.yaml --kubeconfig ~/.kube/config
                """
        )

        @Argument(
            help: ArgumentHelp(
                "Files, or folders of *.yaml, *.yml and *.json, as with --inventory.",
                valueName: "path"
            )
        )
        var paths: [String] = []

        @OptionGroup var inventory: InventoryOptions

        @Option(
            help: ArgumentHelp("How long to wait for the API server. Default: 30s.", valueName: "time"),
            transform: TimeArgument.init(parsing:)
        )
        var timeout = TimeArgument(seconds: 30)

        @Flag(help: "One JSON object a line; the last one has the counts.")
        var json = false

        func validate() throws {
            guard !paths.isEmpty || !inventory.isEmpty else {
                throw ValidationError("nothing to check; give PATH, --kubernetes or --kubeconfig PATH")
            }
            guard paths.allSatisfy({ !$0.isEmpty }) else { throw ValidationError("the path is empty") }
            let all = paths + inventory.paths
            guard Set(all).count == all.count else { throw ValidationError("the same path is given twice") }
        }

        func run() throws {
            let loader = try InventoryLoader(
                inventory,
                morePaths: paths,
                limit: timeout.duration,
                purpose: "policy check"
            )
            let sources = PolicySources(loader, format: .enterprise)
            let files = FileCheck.run(sources.paths, .ofPolicies)
            try sources.load(isCheck: true)
            let report = PolicyCheckReport(sources, files)
            if json {
                for line in try report.jsonLines() { printJSON(line) }
            } else {
                for line in report.lines { print(line) }
            }
            if report.count(.error) > 0 { throw ExitCode(1) }
        }
    }
}

extension FileValidation {
    /// The validation of policies and related objects against the rules of API servers and Calico.
    static var ofPolicies: FileValidation {
        FileValidation(kinds: ObjectValidation.kinds) { object in
            ObjectValidation.violations(object).map { violation in
                Issue(
                    severity: violation.severity == .refused ? .error : .warning,
                    object: object.reference,
                    path: object.path + violation.path,
                    offset: violation.offset,
                    position: violation.position,
                    reason: violation.reason
                )
            }
        }
    }
}
