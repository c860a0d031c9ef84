public import FlowModel

/// A selector of labels as Kubernetes writes it (`meta/v1` LabelSelector); one that says nothing selects everything.
public struct LabelSelector: Sendable, Hashable {
    /// The condition of a requirement on a label.
    public enum Operator: String, Sendable, Hashable {
        /// The label is there, with one of the values.
        case `in` = "In"
        /// The label is not there, or has none of the values.
        case notIn = "NotIn"
        /// The label is there.
        case exists = "Exists"
        /// The label is not there.
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

    /// Labels that must all be there with these values (`matchLabels`), ascending by key.
    public var labels: [Label]
    /// The requirements that must all hold (`matchExpressions`).
    public var requirements: [Requirement]

    /// Whether it says nothing, and so selects everything.
    public var isEmpty: Bool { labels.isEmpty && requirements.isEmpty }

    /// Takes all members.
    public init(labels: [Label] = [], requirements: [Requirement] = []) {
        self.labels = labels
        self.requirements = requirements
    }
}
