import Agent
import ArgumentParser
import ClusterSource

/// The sources of the inventory; shared by all commands that use it.
struct InventoryOptions: ParsableArguments {
    @Option(name: .customLong("inventory"), help: .setting("inventory"))
    var paths: [String] = []

    @Flag(help: .setting("kubernetes"))
    var kubernetes = false

    @Option(help: .setting("kubeconfig"))
    var kubeconfig: String?

    @Option(help: .setting("context", showsDefault: true))
    var context: String?

    func validate() throws {
        guard paths.allSatisfy({ !$0.isEmpty }) else {
            throw ValidationError("--inventory: the path is empty")
        }
        guard Set(paths).count == paths.count else {
            throw ValidationError("--inventory: the same path is given twice")
        }
        guard !kubernetes || kubeconfig == nil else {
            throw ValidationError("--kubernetes and --kubeconfig: only one API server is used; give one of them")
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

    /// Whether no source is given.
    var isEmpty: Bool { paths.isEmpty && !kubernetes && kubeconfig == nil }

    /// The configuration of the API server to query; nil if none is to be queried.
    ///
    /// - Throws: `CommandFailure` if its configuration is invalid.
    func cluster() throws -> KubernetesConfiguration? {
        do throws(KubernetesError) {
            if let kubeconfig { return try KubernetesConfiguration(kubeconfig: kubeconfig, context: context) }
            return kubernetes ? try .inCluster() : nil
        } catch {
            throw CommandFailure(description: "\(error)")
        }
    }

    /// The inventory configuration for a run of the agent.
    ///
    /// - Throws: `CommandFailure` if the configuration for the API server is invalid.
    func configuration() throws -> InventoryConfiguration {
        var configuration = InventoryConfiguration()
        configuration.paths = paths
        configuration.cluster = try cluster()
        return configuration
    }
}
