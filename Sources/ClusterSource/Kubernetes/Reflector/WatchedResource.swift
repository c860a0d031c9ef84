import ClusterModel

/// A resource of the API server, and the groups that may serve it.
struct WatchedResource: Sendable {
    /// A group and version that may serve the resource.
    struct Candidate: Sendable, Hashable {
        /// The kind of its objects.
        var kind: ObjectKind
        /// The API group; empty for the core group.
        var group: String
        /// The version of the group.
        var version: String
        /// The plural name in paths.
        var plural: String
        /// Whether every API server serves it, so that no query is needed.
        var isAlwaysServed = false

        /// Group and version, as in `apiVersion`.
        var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

        /// The path of the objects in all namespaces.
        var path: String { group.isEmpty ? "/api/\(version)/\(plural)" : "/apis/\(group)/\(version)/\(plural)" }
    }

    /// The candidates, the best one first; only one of them is used at a time.
    var candidates: [Candidate]
    /// The content that records lose without the resource, for messages.
    var loss: String

    /// The lost content if policies cannot be evaluated either.
    var lossWithPolicies: String { "\(loss); policies of records are null" }

    /// The kind that identifies the resource, whichever candidate is used.
    var kind: ObjectKind { candidates[0].kind }
}

extension WatchedResource {
    /// All resources that Weir follows.
    static let all: [WatchedResource] = core + calico + admin

    private static let core = [
        core(.pod, "pods", loss: "addresses of pods have no names, namespaces and labels"),
        core(
            .namespace,
            "namespaces",
            loss: "network sets and policies that select namespaces by label are not applied"
        ),
        core(.node, "nodes", loss: "host endpoints have no names, and addresses of nodes count as the network's"),
        core(.service, "services", loss: "destinations have no service names"),
        WatchedResource(
            candidates: [
                Candidate(kind: .endpointSlice, group: "discovery.k8s.io", version: "v1", plural: "endpointslices"),
                Candidate(
                    kind: .endpointSlice,
                    group: "discovery.k8s.io",
                    version: "v1beta1",
                    plural: "endpointslices"
                ),
                Candidate(kind: .endpoints, group: "", version: "v1", plural: "endpoints", isAlwaysServed: true),
            ],
            loss: "connections that were already sent to a pod have no service names"
        ),
        core(
            .serviceAccount,
            "serviceaccounts",
            loss: "policies that select by the labels of service accounts are not applied"
        ),
        WatchedResource(
            candidates: [
                Candidate(
                    kind: .networkPolicy,
                    group: "networking.k8s.io",
                    version: "v1",
                    plural: "networkpolicies",
                    isAlwaysServed: true
                )
            ],
            loss: "Kubernetes network policies are missing among the policies of records"
        ),
    ]

    private static let calico = [
        calico(.tier, "tiers", loss: "the order of policy tiers is not known"),
        calico(.calicoNetworkPolicy, "networkpolicies", loss: missingPolicies),
        calico(.globalNetworkPolicy, "globalnetworkpolicies", loss: missingPolicies),
        calico(.stagedNetworkPolicy, "stagednetworkpolicies", loss: missingPolicies),
        calico(.stagedGlobalNetworkPolicy, "stagedglobalnetworkpolicies", loss: missingPolicies),
        calico(.stagedKubernetesNetworkPolicy, "stagedkubernetesnetworkpolicies", loss: missingPolicies),
        calico(.networkSet, "networksets", loss: "addresses of network sets have no names"),
        calico(.globalNetworkSet, "globalnetworksets", loss: "addresses of global network sets have no names"),
        calico(
            .hostEndpoint,
            "hostendpoints",
            loss: "host endpoints have no labels, and their policies are not applied"
        ),
        calico(
            .felixConfiguration,
            "felixconfigurations",
            loss: "failsafe ports of host endpoints are taken to be Felix' defaults"
        ),
    ]

    private static let admin = [
        admin(.adminNetworkPolicy, "adminnetworkpolicies", version: "v1alpha1"),
        admin(.baselineAdminNetworkPolicy, "baselineadminnetworkpolicies", version: "v1alpha1"),
        admin(.clusterNetworkPolicy, "clusternetworkpolicies", version: "v1alpha2"),
    ]

    private static let missingPolicies = "these policies are missing among the policies of records"

    private static func core(_ kind: ObjectKind, _ plural: String, loss: String) -> WatchedResource {
        let candidate = Candidate(kind: kind, group: "", version: "v1", plural: plural, isAlwaysServed: true)
        return WatchedResource(candidates: [candidate], loss: loss)
    }

    /// The Calico API server serves the same objects as the custom resources; both are complete.
    private static func calico(_ kind: ObjectKind, _ plural: String, loss: String) -> WatchedResource {
        WatchedResource(
            candidates: [
                Candidate(kind: kind, group: "projectcalico.org", version: "v3", plural: plural),
                Candidate(kind: kind, group: "crd.projectcalico.org", version: "v1", plural: plural),
            ],
            loss: loss
        )
    }

    private static func admin(_ kind: ObjectKind, _ plural: String, version: String) -> WatchedResource {
        let candidate = Candidate(kind: kind, group: "policy.networking.k8s.io", version: version, plural: plural)
        return WatchedResource(candidates: [candidate], loss: missingPolicies)
    }
}
