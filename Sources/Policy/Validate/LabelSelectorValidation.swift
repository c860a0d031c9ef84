import ClusterModel

/// Validates Kubernetes label selectors (`apimachinery/pkg/apis/meta/v1/validation`).
enum LabelSelectorValidation {
    /// Validates a selector.
    ///
    /// - Parameters:
    ///   - selector: the selector.
    ///   - isOfCustomResource: whether it belongs to a custom resource, which may not have null values.
    static func check(_ selector: CheckedField, isOfCustomResource: Bool = false) {
        guard selector.expectObject(.labelSelector) else { return }
        for (key, label) in selector["matchLabels"].members() { MetadataValidation.checkLabel(key, label) }
        for requirement in selector["matchExpressions"].elements() { checkRequirement(requirement, isOfCustomResource) }
    }

    private static func checkRequirement(_ requirement: CheckedField, _ isOfCustomResource: Bool) {
        requirement.expectObject(.requirement)
        if let key = requirement["key"].nonEmptyString() {
            if !ObjectName.isQualified(key) { requirement["key"].refuse(MetadataValidation.badKey) }
        } else {
            requirement["key"].refuse("the expression needs the key of a label")
        }
        let values = requirement["values"]
        for value in values.elements() {
            if isOfCustomResource, !value.isPresent {
                value.refuse("there is no value; write \"\" for the empty one")
            } else if let text = value.element(), !ObjectName.isLabelValue(text) {
                value.refuse(MetadataValidation.badValue)
            }
        }
        switch requirement["operator"].word(of: ["In", "NotIn", "Exists", "DoesNotExist"], isRequired: true) {
        case "In"?, "NotIn"?:
            if values.isEmpty { values.refuse("the operators In and NotIn need values") }
        case "Exists"?, "DoesNotExist"?:
            if !values.isEmpty {
                values.refuse(
                    "the operators Exists and DoesNotExist have no values; leave them out, or write In or NotIn"
                )
            }
        default: break
        }
    }
}
