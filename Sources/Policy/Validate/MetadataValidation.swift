import ClusterModel

/// Validates `metadata`: names, labels and annotations.
enum MetadataValidation {
    private static let annotationLimit = 256 << 10

    static func check(_ metadata: CheckedField, _ kind: ObjectKind) {
        metadata.expectObject(.metadata)
        checkName(metadata["name"], kind)
        if metadata["name"].isEmpty { checkPrefix(metadata["generateName"]) }
        if kind.isNamespaced, let namespace = metadata["namespace"].nonEmptyString(), !ObjectName.isLabel(namespace) {
            metadata["namespace"].refuse("no API server accepts this namespace; it has at most 63 of a-z, 0-9 and -")
        }
        for (key, label) in metadata["labels"].members() {
            checkLabel(key, label)
            if kind == .networkSet || kind == .globalNetworkSet, key == "projectcalico.org/namespace" {
                label.refuse("Calico sets this label itself and refuses it here; use another key")
            }
        }
        checkAnnotations(metadata["annotations"])
        checkOwners(metadata["ownerReferences"])
        for finalizer in metadata["finalizers"].elements() {
            guard let name = finalizer.element(), !ObjectName.isQualified(name) else { continue }
            finalizer.refuse("this is no name of a finalizer, such as example.com/cleanup")
        }
    }

    /// Validates a label of an object; API servers read null as an empty value.
    static func checkLabel(_ key: String, _ label: CheckedField) {
        if !ObjectName.isQualified(key) { label.refuse(badKey) }
        if let value = label.string(), !ObjectName.isLabelValue(value) { label.refuse(badValue) }
    }

    private static func checkOwners(_ owners: CheckedField) {
        for owner in owners.elements() {
            owner.expectObject(.ownerReference)
            for member in ["apiVersion", "kind", "name", "uid"] where owner[member].nonEmptyString() == nil {
                owner[member].refuse("it is missing; an owner needs apiVersion, kind, name and uid")
            }
        }
    }

    /// Validates the annotations of an object or a rule.
    static func checkAnnotations(_ annotations: CheckedField) {
        var size = 0
        for (key, annotation) in annotations.members() {
            if !ObjectName.isQualified(key.lowercased()) { annotation.refuse(badKey) }
            size += key.utf8.count + (annotation.string()?.utf8.count ?? 0)
        }
        if size > annotationLimit {
            annotations.refuse("annotations of \(size) bytes; an API server takes \(annotationLimit) at most")
        }
    }

    /// The message for an invalid key.
    static let badKey =
        "this is no key of a label: a name of at most 63 letters, digits, -, _ and ., and before it "
        + "a domain with / or nothing"
    /// The message for an invalid value.
    static let badValue =
        "this is no value of a label: at most 63 letters, digits, -, _ and ., the first and the last "
        + "one a letter or digit"

    /// Validates `generateName`, the prefix from which a server generates a name.
    private static func checkPrefix(_ field: CheckedField) {
        guard var prefix = field.nonEmptyString() else { return }
        if prefix.utf8.count > 1, prefix.hasSuffix("-") { prefix = String(prefix.dropLast(2)) + "a" }
        if !ObjectName.isSubdomain(prefix) {
            field.refuse("no API server accepts this beginning of a name; it has a-z, 0-9, - and . only")
        }
    }

    private static func checkName(_ field: CheckedField, _ kind: ObjectKind) {
        guard let name = field.nonEmptyString() else { return }
        switch kind {
        case .tier:
            if !ObjectName.isLabel(name) {
                field.refuse("Calico refuses this name; that of a tier has at most 63 of a-z, 0-9 and -, and no dot")
            }
        case .calicoNetworkPolicy, .stagedNetworkPolicy, .globalNetworkPolicy, .stagedGlobalNetworkPolicy:
            if !isPolicyName(name, kind) {
                field.refuse("Calico refuses this name; write NAME or TIER.NAME, each of a-z, 0-9 and -")
            }
        case .baselineAdminNetworkPolicy where name != "default":
            field.refuse("a BaselineAdminNetworkPolicy must be called default; there is only one")
        default:
            if !ObjectName.isSubdomain(name) {
                field.refuse("no API server accepts this name; it has at most 253 of a-z, 0-9, - and .")
            }
        }
    }

    /// Whether a name has a prefix that Calico gives to converted policies of other APIs.
    private static func isConverted(_ name: String) -> Bool {
        ["knp.default.", "ossg.default.", "kanp.", "kbanp.", "kcnp."].contains { name.hasPrefix($0) }
    }

    /// Whether a name is `NAME`, `TIER.NAME`, or the name of a Kubernetes policy in Calico's API.
    private static func isPolicyName(_ name: String, _ kind: ObjectKind) -> Bool {
        if isConverted(name) { return ObjectName.isSubdomain(name) }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count <= 2 && ObjectName.isSubdomain(name)
    }
}
