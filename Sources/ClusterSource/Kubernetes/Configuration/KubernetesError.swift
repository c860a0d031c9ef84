/// The reason why an API server is unusable as configured: the setting, the problem and the remedy.
package struct KubernetesError: Error, Sendable, Hashable {
    /// The file and the entry in it, or the environment variable.
    package var place: String
    /// The problem.
    package var problem: String
    /// The remedy.
    package var remedy: String

    /// Takes all members.
    package init(place: String, problem: String, remedy: String) {
        self.place = place
        self.problem = problem
        self.remedy = remedy
    }
}

extension KubernetesError: CustomStringConvertible {
    /// A text such as `/etc/kube.conf, user "ci": exec plugins are not run; give a token file`.
    package var description: String {
        "\(place): \(problem); \(remedy)"
    }
}
