import FlowModel

extension JSONReader {
    /// What an object says of itself (`metadata`).
    ///
    /// An object of a kind that lives in namespaces and says none is in `default`, where `kubectl` would put it.
    mutating func metadata(of kind: ObjectKind) throws(JSONError) -> ObjectMetadata {
        var annotations = PodAnnotations()
        return try metadata(of: kind, &annotations)
    }

    /// The same, and for a pod what its annotations say.
    mutating func metadata(
        of kind: ObjectKind,
        _ annotations: inout PodAnnotations
    ) throws(JSONError) -> ObjectMetadata {
        var metadata = ObjectMetadata(name: "")
        let start = offset
        guard try enterObject() else { return metadata }
        while let key = try nextKey() {
            switch key {
            case "name": metadata.name = try string() ?? ""
            case "namespace": metadata.namespace = try nonEmptyString()
            case "uid": metadata.uid = try nonEmptyString()
            case "generateName": metadata.generateName = try nonEmptyString()
            case "labels": metadata.labels = try labels()
            case "resourceVersion": metadata.resourceVersion = try nonEmptyString()
            case "creationTimestamp": metadata.created = try time()
            case "deletionTimestamp": metadata.isDeleting = try nonEmptyString() != nil
            case "annotations" where kind == .pod: annotations = try podAnnotations()
            default: try skip()
            }
        }
        if !kind.isNamespaced {
            metadata.namespace = nil
        } else if metadata.namespace == nil {
            note("no namespace is named; it counts as of default", at: start)
            metadata.namespace = APIDefaults.namespace
        }
        if kind == .namespace, !metadata.name.isEmpty {
            metadata.labels = APIDefaults.labels(metadata.labels, ofNamespace: metadata.name)
        }
        return metadata
    }

    /// The members of an object as labels, ascending by key; of a key that is there twice the last one.
    mutating func labels() throws(JSONError) -> [Label] {
        guard try enterObject() else { return [] }
        var labels: [Label] = []
        var isAscending = true
        while let key = try nextKey() {
            let key = key.string
            guard let value = try string() else { continue }
            if let last = labels.last, last.key >= key { isAscending = false }
            labels.append(Label(key: key, value: value))
        }
        return isAscending ? labels : Self.sorted(labels)
    }

    /// Servers write labels in order; files that people write need not.
    private static func sorted(_ labels: [Label]) -> [Label] {
        let places = labels.enumerated().sorted { ($0.element.key, $0.offset) < ($1.element.key, $1.offset) }
        var result: [Label] = []
        for (_, label) in places {
            if result.last?.key == label.key { result.removeLast() }
            result.append(label)
        }
        return result
    }
}
