import FlowModel

extension JSONReader {
    /// Reads the metadata of an object (`metadata`).
    ///
    /// A namespaced object without a namespace is in `default`, as with `kubectl`.
    mutating func metadata(of kind: ObjectKind) throws(JSONError) -> ObjectMetadata {
        var annotations = PodAnnotations()
        return try metadata(of: kind, &annotations)
    }

    /// Reads the metadata of an object, and the annotations of a pod.
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
            case "managedFields" where kind.hasLastWrite: metadata.lastWrite = try lastWrite()
            case "annotations" where kind == .pod: annotations = try podAnnotations()
            // Unknown fields are noted only for files: objects from an API server have no misspelt fields.
            default: if takesNotes { try skip(key, of: .metadata) } else { try skip() }
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

    /// The newest entry of `managedFields` that is not about a subresource such as the status.
    private mutating func lastWrite() throws(JSONError) -> LastWrite? {
        guard try enterArray() else { return nil }
        var last: LastWrite?
        while try nextElement() {
            guard let write = try write(), write.time >= last?.time ?? .min else { continue }
            last = write
        }
        return last
    }

    private mutating func write() throws(JSONError) -> LastWrite? {
        guard try enterObject() else { return nil }
        var (manager, operation, part): (String?, String?, String?)
        var time: Int64?
        while let key = try nextKey() {
            switch key {
            case "manager": manager = try nonEmptyString()
            case "operation": operation = try nonEmptyString()
            case "subresource": part = try nonEmptyString()
            case "time": time = try self.time()
            default: try skip()
            }
        }
        guard let time, part == nil else { return nil }
        return LastWrite(manager: manager ?? "", operation: operation ?? "", time: time)
    }

    /// Reads the members of an object as labels, sorted by key; of duplicate keys the last one counts.
    ///
    /// A label with the value null has an empty value. With `dropsNulls`, as in the `spec` of custom resources, it is
    /// left out.
    mutating func labels(dropsNulls: Bool = false) throws(JSONError) -> [Label] {
        guard try enterObject() else { return [] }
        var labels: [Label] = []
        var isAscending = true
        while let key = try nextKey() {
            let key = key.string
            let isNull = try readNull()
            if isNull, dropsNulls { continue }
            guard let value = isNull ? "" : try string() else { continue }
            if let last = labels.last, last.key >= key { isAscending = false }
            labels.append(Label(key: key, value: value))
        }
        return isAscending ? labels : Self.sorted(labels)
    }

    /// Sorts labels; servers write them in order, but files need not.
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
