import FlowModel

extension JSONReader {
    /// Reads a label selector; nil for null.
    ///
    /// A selector of a custom resource with unknown members is nil, too, because without these members it could select
    /// everything.
    mutating func labelSelector(isOfCustomResource: Bool = false) throws(JSONError) -> LabelSelector? {
        guard try enterObject() else { return nil }
        var selector = LabelSelector()
        var hasUnknown = false
        while let key = try nextKey() {
            switch key {
            case "matchLabels": selector.labels = try labels(dropsNulls: isOfCustomResource)
            case "matchExpressions": selector.requirements = try requirements()
            default:
                hasUnknown = true
                try skip(key, of: .labelSelector)
            }
        }
        return hasUnknown && isOfCustomResource ? nil : selector
    }

    private mutating func requirements() throws(JSONError) -> [LabelSelector.Requirement] {
        var requirements: [LabelSelector.Requirement] = []
        guard try enterArray() else { return requirements }
        while try nextElement() {
            let start = offset
            var label: String?
            var comparison: LabelSelector.Operator?
            var values: [String] = []
            if try enterObject() {
                while let key = try nextKey() {
                    switch key {
                    case "key": label = try nonEmptyString()
                    case "operator": comparison = try word(LabelSelector.Operator.self)
                    case "values": values = try strings()
                    default: try skip(key, of: .requirement)
                    }
                }
            }
            guard let label, let comparison else {
                throw .unusable("the expression needs a key and an operator", at: start)
            }
            requirements.append(LabelSelector.Requirement(key: label, comparison: comparison, values: values))
        }
        return requirements
    }
}
