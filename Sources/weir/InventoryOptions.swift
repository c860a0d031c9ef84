import Agent
import ArgumentParser
import ClusterSource

/// The sources of the inventory; the same options for every command that uses it.
struct InventoryOptions: ParsableArguments {
    @Option(
        name: .customLong("inventory"),
        help: ArgumentHelp(
            """
            A file, or a folder of *.yaml, *.yml and *.json (hidden ones and those of its folders left out), with \
            Kubernetes and Calico objects, as kubectl get -o yaml or -o json prints them. Changes are picked up. \
            Repeatable.
            """,
            valueName: "path"
        )
    )
    var paths: [String] = []

    @Flag(help: "Ask the API server of the cluster that this runs in, as the pod's service account.")
    var kubernetes = false

    @Option(help: ArgumentHelp("Ask the API server that a kubeconfig file names.", valueName: "path"))
    var kubeconfig: String?

    @Option(help: ArgumentHelp("Which context of the kubeconfig file. Default: its current one.", valueName: "name"))
    var context: String?

    func validate() throws {
        guard paths.allSatisfy({ !$0.isEmpty }) else {
            throw ValidationError("--inventory: the path is empty")
        }
        guard Set(paths).count == paths.count else {
            throw ValidationError("--inventory: the same path is given twice")
        }
        guard !kubernetes || kubeconfig == nil else {
            throw ValidationError("--kubernetes and --kubeconfig: one API server can be asked; give one of them")
        }
        guard kubeconfig != "" else {
            throw ValidationError("--kubeconfig: the path is empty")
        }
        guard context == nil || kubeconfig != nil else {
            throw ValidationError("--context is of a kubeconfig file; give --kubeconfig PATH, too")
        }
        guard context != "" else {
            throw ValidationError("--context: the name is empty; leave the option out for the current context")
        }
    }

    /// Whether nothing is to be asked.
    var isEmpty: Bool { paths.isEmpty && !kubernetes && kubeconfig == nil }

    /// The API server that is to be asked, if any.
    ///
    /// - Throws: `CommandFailure` if its configuration cannot be used.
    func cluster() throws -> KubernetesConfiguration? {
        do throws(KubernetesError) {
            if let kubeconfig { return try KubernetesConfiguration(kubeconfig: kubeconfig, context: context) }
            return kubernetes ? try .inCluster() : nil
        } catch {
            throw CommandFailure(description: "\(error)")
        }
    }

    /// All of it, for a run of the agent.
    ///
    /// - Throws: `CommandFailure` if the configuration of the API server cannot be used.
    func configuration() throws -> InventoryConfiguration {
        var configuration = InventoryConfiguration()
        configuration.paths = paths
        configuration.cluster = try cluster()
        return configuration
    }
}
