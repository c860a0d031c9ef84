import ArgumentParser
import Audit

/// `weir audit`: reads an API server's audit log.
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Read an API server's audit log: who changed what, and how.",
        discussion: """
            Stages of a request are joined, states of objects compared, and what was denied, failed or tried out is \
            marked: it changed nothing. Bodies of secrets and token requests are never read.

            Examples:
              weir audit tail --follow /var/log/calico/audit/kube-audit.log
              weir audit changes --since 24h --kind NetworkPolicy --namespace shop
              weir audit explain 4312bc1c-891e-44b3-a39a-448d1332c101 kube-audit.log
              weir audit policy > /etc/kubernetes/audit-policy.yaml
              weir audit check /etc/kubernetes/audit-policy.yaml
              weir audit webhook-config --server https://127.0.0.1:9466/audit --ca /etc/weir/audit-ca.crt
            """,
        subcommands: [Tail.self, Changes.self, Explain.self, PolicyText.self, Check.self, WebhookConfig.self]
    )
}

/// The events that a command shows.
struct AuditSelectionOptions: ParsableArguments {
    @Option(
        name: .customLong("kind"),
        help: ArgumentHelp(
            "Only this kind or resource: NetworkPolicy, pods, networksets.projectcalico.org. Repeatable."
        )
    )
    var kinds: [String] = []

    @Option(name: [.customLong("namespace"), .customShort("n")], help: "Only this namespace. Repeatable.")
    var namespaces: [String] = []

    @Option(
        name: .customLong("user"),
        help: ArgumentHelp("Only this user, real or impersonated; 'name*' is the beginning of names. Repeatable.")
    )
    var users: [String] = []

    @Option(
        name: .customLong("verb"),
        help: "Only this verb: create, update, patch, delete, get and so on. Repeatable."
    )
    var verbs: [String] = []

    @Option(
        name: .customLong("stage"),
        help: ArgumentHelp(
            "Only requests whose last stage in the log is this: ResponseComplete, Panic, RequestReceived. Repeatable."
        )
    )
    var stages: [String] = []

    func validate() throws {
        for stage in stages where AuditStage(rawValue: stage) == nil {
            let known = AuditStage.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--stage \(stage): one of \(known) is needed")
        }
    }

    /// The selection that the options specify.
    var selection: AuditSelection {
        var selection = AuditSelection()
        selection.choose(kinds: kinds)
        selection.namespaces = namespaces
        selection.verbs = verbs
        selection.users = users
        selection.stages = stages.compactMap { AuditStage(rawValue: $0) }
        return selection
    }
}

/// The source of audit events.
struct AuditFileOptions: ParsableArguments {
    /// The paths of the API server logs that Calico keeps.
    static let usual = ["/var/log/calico/audit/kube-audit.log", "/var/log/calico/audit/tsee-audit.log"]

    @Argument(
        help: ArgumentHelp(
            "Audit logs, read in this order; - is standard input. Default: kube-audit.log and tsee-audit.log of /var/log/calico/audit.",
            valueName: "file"
        )
    )
    var files: [String] = []

    @Flag(help: "Read also the files that these were rotated to, the oldest first.")
    var rotated = false

    func validate() throws {
        guard !files.contains("") else { throw ValidationError("the path of a file is empty; - is standard input") }
    }
}

/// The output format of changes.
enum AuditFormat: String, ExpressibleByArgument, CaseIterable {
    /// A line of text.
    case text
    /// A line of JSON with the parts of the change.
    case json
    /// The event's line as the API server wrote it.
    case raw
}
