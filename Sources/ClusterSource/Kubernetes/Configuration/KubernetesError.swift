/// Why an API server cannot be used as configured: the setting, what is wrong, and what to do.
package struct KubernetesError: Error, Sendable, Hashable {
    /// The file, and the entry in it; or the environment variable.
    package var place: String
    /// What is wrong.
    package var problem: String
    /// What to do.
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
