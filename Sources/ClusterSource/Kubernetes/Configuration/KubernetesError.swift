/// Why an API server cannot be used as configured: the setting, what is wrong, and what to do.
public struct KubernetesError: Error, Sendable, Hashable {
    /// The file, and the entry in it; or the environment variable.
    public var place: String
    /// What is wrong.
    public var problem: String
    /// What to do.
    public var remedy: String

    /// Takes all members.
    public init(place: String, problem: String, remedy: String) {
        self.place = place
        self.problem = problem
        self.remedy = remedy
    }
}

extension KubernetesError: CustomStringConvertible {
    /// As in `/etc/kube.conf, user "ci": exec plugins are not run; give a token file`.
    public var description: String {
        "\(place): \(problem); \(remedy)"
    }
}
