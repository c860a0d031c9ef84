/// Decodes the JSON text of Kubernetes and Calico objects.
///
/// Only used fields are decoded. A field of the wrong type counts as absent, except in policy rules, where this would
/// widen the rule. An object without a name, or with a rule that cannot be decoded, is unusable.
public enum ObjectDecoder {
    /// Decodes one object.
    ///
    /// - Parameters:
    ///   - json: the text of the object; only white space may surround it.
    ///   - kind: the kind of the object if it is known, as for items of a list, which do not contain it; nil to use the
    ///     object's own `apiVersion` and `kind`.
    /// - Returns: the object; nil for a kind that Weir does not use.
    /// - Throws: an error if the object is unusable.
    public static func object(from json: Span<UInt8>, as kind: ObjectKind?) throws(ObjectIssue) -> ClusterObject? {
        var reader = JSONReader(json)
        return try object(&reader, as: kind)
    }

    /// Decodes one object, and reports the parts that it skipped.
    ///
    /// - Parameters:
    ///   - json: the text of the object; only white space may surround it.
    ///   - kind: the kind of the object if it is known; nil to use the object's own `apiVersion` and `kind`.
    ///   - findings: the skipped parts are appended here, at most 100 for an object.
    /// - Returns: the object; nil for a kind that Weir does not use.
    /// - Throws: an error if the object is unusable.
    public static func object(
        from json: Span<UInt8>,
        as kind: ObjectKind?,
        findings: inout [ObjectIssue]
    ) throws(ObjectIssue) -> ClusterObject? {
        var reader = JSONReader(json, takesNotes: true)
        guard let object = try object(&reader, as: kind) else { return nil }
        let place = ObjectPlace(start: 0, kind: object.kind)
        findings += ObjectIssue.findings(reader.takeNotes(), in: json, of: place)
        return object
    }

    /// Decodes an object, or all objects of a list (`List`, `PodList` and so on, also nested).
    ///
    /// - Parameter json: any number of JSON values.
    /// - Returns: the objects in the order of the text, with an error for each unusable one; kinds that Weir does not use
    ///   are left out.
    /// - Throws: an error if the text is not JSON.
    public static func objects(
        in json: Span<UInt8>
    ) throws(ObjectIssue) -> [Result<ClusterObject, ObjectIssue>] {
        var walk = ObjectWalk(takesFindings: false)
        try walk.walk(json)
        return walk.results
    }

    /// Decodes an object, or all objects of a list, and reports the parts that it skipped.
    ///
    /// - Parameters:
    ///   - json: any number of JSON values.
    ///   - findings: the skipped parts are appended here, at most 100 for an object.
    /// - Returns: the objects in the order of the text, with an error for each unusable one.
    /// - Throws: an error if the text is not JSON.
    public static func objects(
        in json: Span<UInt8>,
        findings: inout [ObjectIssue]
    ) throws(ObjectIssue) -> [Result<ClusterObject, ObjectIssue>] {
        var walk = ObjectWalk(takesFindings: true)
        defer { findings += walk.findings }
        try walk.walk(json)
        return walk.results
    }

    /// Decodes objects like ``objects(in:findings:)``, and also returns the JSON trees of some kinds, for validation.
    ///
    /// - Parameters:
    ///   - json: any number of JSON values.
    ///   - kinds: the kinds whose trees are returned.
    ///   - findings: the skipped parts are appended here, at most 100 for an object.
    ///   - trees: the trees of objects of these kinds are appended here, also of unusable ones.
    /// - Returns: the objects in the order of the text, with an error for each unusable one.
    /// - Throws: an error if the text is not JSON.
    public static func objects(
        in json: Span<UInt8>,
        keeping kinds: Set<ObjectKind>,
        findings: inout [ObjectIssue],
        trees: inout [ObjectTree]
    ) throws(ObjectIssue) -> [Result<ClusterObject, ObjectIssue>] {
        var walk = ObjectWalk(takesFindings: true, keptKinds: kinds)
        defer {
            findings += walk.findings
            trees += walk.trees
        }
        try walk.walk(json)
        return walk.results
    }

    private static func object(
        _ reader: inout JSONReader,
        as known: ObjectKind?
    ) throws(ObjectIssue) -> ClusterObject? {
        var kind = known
        do throws(JSONError) {
            if kind == nil {
                let start = reader.place
                kind = try declaredKind(&reader)
                reader.go(to: start)
            }
            guard let kind else {
                try reader.skip()
                try reader.expectEnd()
                return nil
            }
            let object = try reader.clusterObject(as: kind)
            try reader.expectEnd()
            return object
        } catch {
            throw ObjectIssue(error, in: reader.bytes, of: ObjectPlace(start: 0, kind: kind))
        }
    }

    private static func declaredKind(_ reader: inout JSONReader) throws(JSONError) -> ObjectKind? {
        switch try reader.declaredKind() {
        case .object(let kind): return kind
        case .unused, .misspelt: return nil
        case .missing: throw .unusable("expected an object with a kind", at: 0)
        case .list: throw .unusable("this is a list and not an object", at: 0)
        }
    }
}

/// Walks through a text of objects and lists of objects.
private struct ObjectWalk {
    /// The greatest depth of nested lists.
    private static let listLimit = 16

    /// The objects so far.
    private(set) var results: [Result<ClusterObject, ObjectIssue>] = []
    /// The findings so far.
    private(set) var findings: [ObjectIssue] = []
    /// The JSON trees of objects of the kept kinds.
    private(set) var trees: [ObjectTree] = []
    private let takesFindings: Bool
    private let keptKinds: Set<ObjectKind>
    private var path: [PathComponent] = []

    init(takesFindings: Bool, keptKinds: Set<ObjectKind> = []) {
        self.takesFindings = takesFindings
        self.keptKinds = keptKinds
    }

    /// Reads all values; skips a byte order mark before the first one.
    mutating func walk(_ json: Span<UInt8>) throws(ObjectIssue) {
        let hasMark = json.count >= 3 && json[0] == 0xef && json[1] == 0xbb && json[2] == 0xbf
        var reader = JSONReader(json, at: hasMark ? 3 : 0, takesNotes: takesFindings)
        while !reader.isAtEnd {
            let start = reader.offset
            do throws(JSONError) {
                try value(&reader, of: nil)
            } catch {
                throw ObjectIssue(error, in: json, of: ObjectPlace(start: start))
            }
        }
    }

    /// Reads an object or a list; the kind is known from the enclosing list, or else declared by the value.
    private mutating func value(_ reader: inout JSONReader, of known: ObjectKind?) throws(JSONError) {
        _ = reader.peek()
        if let known { return try object(&reader, of: known) }
        var ahead = JSONReader(reader.bytes, at: reader.offset)
        switch try ahead.declaredKind() {
        case .object(let kind):
            try object(&reader, of: kind)
        case .list(let kind):
            try list(&reader, of: kind)
        case .unused:
            try reader.skip()
        case .misspelt(let reason):
            let start = reader.offset
            try reader.skip()
            results.append(.failure(ObjectIssue(path: path, offset: start, reason: reason)))
        case .missing:
            let start = reader.offset
            try reader.skip()
            let error = JSONError.unusable("expected an object with a kind", at: start)
            results.append(.failure(ObjectIssue(error, in: reader.bytes, of: ObjectPlace(start: start, path: path))))
        }
    }

    private mutating func list(_ reader: inout JSONReader, of kind: ObjectKind?) throws(JSONError) {
        guard path.count < 2 * Self.listLimit else { throw .syntax("too many lists in one another", at: reader.offset) }
        guard try reader.enterObject() else { return }
        while let key = try reader.nextKey() {
            guard "items" ~= key else {
                try reader.skip()
                continue
            }
            guard try reader.enterArray() else { continue }
            var index = 0
            path.append(.key("items"))
            while try reader.nextElement() {
                path.append(.index(index))
                try value(&reader, of: kind)
                path.removeLast()
                index += 1
            }
            path.removeLast()
        }
    }

    private mutating func object(_ reader: inout JSONReader, of kind: ObjectKind) throws(JSONError) {
        let start = reader.place
        let place = ObjectPlace(start: reader.offset, path: path, kind: kind)
        do throws(JSONError) {
            results.append(.success(try reader.clusterObject(as: kind)))
        } catch  where !error.isSyntax {
            results.append(.failure(ObjectIssue(error, in: reader.bytes, of: place)))
            reader.go(to: start)
            try reader.skip()
        }
        if keptKinds.contains(kind) {
            var again = JSONReader(reader.bytes, at: place.start)
            trees.append(
                ObjectTree(
                    kind: kind,
                    reference: ObjectReference(kind: kind, at: place.start, in: reader.bytes),
                    path: path,
                    root: try again.tree()
                )
            )
        }
        guard takesFindings else { return }
        findings += ObjectIssue.findings(reader.takeNotes(), in: reader.bytes, of: place)
    }
}
