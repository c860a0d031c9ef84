/// Generates an audit policy for a kube-apiserver, as a commented file.
package struct AuditPolicyText: Sendable {
    /// Whether Calico's kinds are logged.
    package var hasCalico = true
    /// Whether cluster-wide policies of Kubernetes are logged.
    package var hasAdminPolicies = true
    /// Whether services are logged.
    package var hasServices = true
    /// Whether kubelets' updates of the status of pods are logged: many per hour, and only their addresses are useful.
    package var hasStatus = false
    /// Whether managed fields (`metadata.managedFields`) are kept.
    package var keepsManagedFields = false
    /// The level for all other requests: None or Metadata.
    package var others = AuditLevel.none

    /// The default choices.
    package init() {}

    /// The text of the file.
    package var text: String {
        var lines = Self.head
        if !keepsManagedFields {
            lines += [
                "# Which client manages which field: nothing reads that here, and events are half as long without it.",
                "omitManagedFields: true",
            ]
        }
        lines += ["rules:"] + Self.secrets
        lines += rule(
            "# What pods, and the labels and services of policies, are: the object before and after each change.",
            [("", core), ("discovery.k8s.io", ["endpointslices"])]
        )
        lines += parts
        lines += rule("# What may talk to what.", [("networking.k8s.io", ["networkpolicies"])])
        if hasCalico {
            lines += rule(
                "# The same of Calico: by its API server (projectcalico.org) and as custom resources (crd.projectcalico.org).",
                AuditResource.calicoGroups.map { ($0, AuditResource.calico) }
            )
        }
        if hasAdminPolicies {
            lines += rule(
                "# Cluster-wide policies of Kubernetes.",
                [("policy.networking.k8s.io", AuditResource.clusterPolicies)]
            )
        }
        lines += [
            "# Everything else\(others == .none ? ": not recorded." : ", also what is only read: who asked for what, no objects.")",
            "- level: \(others.rawValue)",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private var core: [String] {
        ["pods", "namespaces", "serviceaccounts", "endpoints"] + (hasServices ? ["services"] : [])
    }

    /// The rules for subresources by which labels of pods and namespaces change, or by which pods are deleted.
    private var parts: [String] {
        let kubelets = [
            "# Kubelets write the status of pods all the time, and may not change labels by it (NodeRestriction).",
            "- level: None", "  userGroups: [system:nodes]", "  resources:", "  - group: \"\"",
            "    resources: [pods/status]",
        ]
        return (hasStatus ? [] : kubelets)
            + rule(
                "# These requests, too, can change the labels of pods and namespaces, or remove a pod.",
                [("", AuditPolicyCheck.parts)]
            )
    }

    private func rule(_ comment: String, _ resources: [(group: String, resources: [String])]) -> [String] {
        var lines = [comment, "- level: RequestResponse"]
        // The objects of a namespace are deleted with it by deletecollection.
        lines.append("  verbs: [\(AuditPolicyCheck.verbs.joined(separator: ", "))]")
        lines.append("  resources:")
        for (group, resources) in resources {
            lines += [
                "  - group: \(group.isEmpty ? "\"\"" : group)", "    resources: [\(resources.joined(separator: ", "))]",
            ]
        }
        return lines
    }

    private static let head = [
        "# An audit policy for kube-apiserver (--audit-policy-file), printed by: weir audit policy",
        "# The first rule that matches a request decides how much of it is recorded.",
        "apiVersion: audit.k8s.io/v1",
        "kind: Policy",
        "# One event for each request, at its end; RequestReceived would add a second one with less in it.",
        "omitStages: [RequestReceived]",
    ]

    private static let secrets = [
        "# Credentials are in the bodies of these, so no later rule may record them.",
        "- level: None",
        "  resources:",
        "  - group: \"\"",
        "    resources: [secrets, serviceaccounts/token]",
        "  - group: authentication.k8s.io",
        "    resources: [tokenreviews, tokenrequests]",
    ]
}
