public import ArgumentParser
public import Policy

/// `weir policy`: evaluates, checks and explains policies.
struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Evaluate policies for a connection, check them, and explain policy hits.",
        discussion: """
            Policies are those of Kubernetes and Calico, with tiers and staged policies. They come from the same files \
            and API servers as the inventory, and so do the pods that they are about. No packet is sent.

            Examples:
              kubectl get pods,namespaces,networkpolicies -A -o json > cluster.json
              weir policy trace --inventory cluster.json \\
                --from shop/cart-1 --to shop/db-0 --port 5432
              weir policy trace --inventory cluster.json --inventory new-policy.yaml \\
                --flows flows.jsonl
              weir policy check --inventory policies/
              weir policy explain '3|application|yaobank/application.allow-customer|deny|-1'
            """,
        subcommands: [Trace.self, Preview.self, Suggest.self, Unused.self, Check.self, Explain.self]
    )
}

extension PolicyFormat: ExpressibleByArgument {}

/// The reason why a question cannot be answered.
struct PolicyQuestionError: Error, CustomStringConvertible {
    let description: String
}
