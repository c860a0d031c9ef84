import ClusterModel

/// Validates Kubernetes label selectors (`apimachinery/pkg/apis/meta/v1/validation`).
enum LabelSelectorValidation {
    static func check(_ selector: CheckedField) {
        guard selector.expectObject(.labelSelector) else { return }
        for (key, label) in selector["matchLabels"].members() { MetadataValidation.checkLabel(key, label) }
        for requirement in selector["matchExpressions"].elements() { checkRequirement(requirement) }
    }

    private static func checkRequirement(_ requirement: CheckedField) {
        requirement.expectObject(.requirement)
        if let key = requirement["key"].nonEmptyString() {
            if !ObjectName.isQualified(key) { requirement["key"].refuse(MetadataValidation.badKey) }
        } else {
            requirement["key"].refuse("the expression needs the key of a label")
        }
        let values = requirement["values"]
        for value in values.elements() {
            if let text = value.string(), !ObjectName.isLabelValue(text) { value.refuse(MetadataValidation.badValue) }
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
