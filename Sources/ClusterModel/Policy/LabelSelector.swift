public import FlowModel

/// A label selector of Kubernetes (`meta/v1` LabelSelector); an empty one selects everything.
public struct LabelSelector: Sendable, Hashable {
    /// The condition of a requirement on a label.
    public enum Operator: String, Sendable, Hashable {
        /// The label exists with one of the values.
        case `in` = "In"
        /// The label does not exist, or has another value.
        case notIn = "NotIn"
        /// The label exists.
        case exists = "Exists"
        /// The label does not exist.
        case doesNotExist = "DoesNotExist"
    }

    /// A requirement of `matchExpressions`.
    public struct Requirement: Sendable, Hashable {
        /// The label's key.
        public var key: String
        /// The condition on the label.
        public var comparison: Operator
        /// The values for ``Operator/in`` and ``Operator/notIn``.
        public var values: [String]

        /// Takes all members.
        public init(key: String, comparison: Operator, values: [String] = []) {
            self.key = key
            self.comparison = comparison
            self.values = values
        }
    }

    /// Labels that must exist with these values (`matchLabels`), sorted by key.
    public var labels: [Label]
    /// Requirements that must hold (`matchExpressions`).
    public var requirements: [Requirement]

    /// Whether there are no conditions, so that the selector selects everything.
    public var isEmpty: Bool { labels.isEmpty && requirements.isEmpty }

    /// Takes all members.
    public init(labels: [Label] = [], requirements: [Requirement] = []) {
        self.labels = labels
        self.requirements = requirements
    }
}
