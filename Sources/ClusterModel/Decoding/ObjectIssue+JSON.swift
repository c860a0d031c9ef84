/// The position of an object in a text, for messages.
struct ObjectPlace {
    /// The offset of the object.
    var start: Int
    /// The path to the object from the decoded value.
    var path: [PathComponent] = []
    /// The kind of the object; nil if it is unknown.
    var kind: ObjectKind?
}

extension ObjectIssue {
    /// Describes an error of the reader, with its path and the text at its offset.
    init(_ error: JSONError, in bytes: Span<UInt8>, of object: ObjectPlace) {
        var finder = JSONPathFinder(bytes, from: object.start)
        self.init(
            reference: object.kind.flatMap { ObjectReference(kind: $0, at: object.start, in: bytes) },
            path: object.path + finder.path(to: error.offset),
            offset: error.offset,
            reason: Self.reason(error.reason, at: error.offset, in: bytes)
        )
    }

    /// The reader's notes on an object as findings; one pass over the object finds all their paths.
    static func findings(_ notes: [JSONNote], in bytes: Span<UInt8>, of object: ObjectPlace) -> [ObjectIssue] {
        guard !notes.isEmpty else { return [] }
        let reference = object.kind.flatMap { ObjectReference(kind: $0, at: object.start, in: bytes) }
        var finder = JSONPathFinder(bytes, from: object.start)
        return notes.sorted { $0.offset < $1.offset }.map { note in
            let path = finder.path(to: note.offset)
            let reason =
                switch note.what {
                case .passedOver(let reason): Self.reason(reason, at: note.offset, in: bytes)
                case .unknownField(let fields): UnknownField(path: path, among: fields).reason
                }
            return ObjectIssue(
                reference: reference,
                path: object.path + path,
                offset: note.offset,
                reason: reason
            )
        }
    }

    /// Returns the reason; after "expected …" it adds the text that was found.
    private static func reason(_ reason: StaticString, at offset: Int, in bytes: Span<UInt8>) -> String {
        let text = "\(reason)"
        guard text.hasPrefix("expected"), let excerpt = JSONReader.excerpt(at: offset, in: bytes) else { return text }
        return "\(text), found \(excerpt)"
    }
}

extension ObjectReference {
    /// A reference to an object whose name is readable; nil if it is not.
    init?(kind: ObjectKind, at start: Int, in bytes: Span<UInt8>) {
        let metadata = JSONReader.legibleMetadata(of: kind, at: start, in: bytes)
        guard !metadata.name.isEmpty else { return nil }
        self.init(kind: kind, namespace: metadata.namespace, name: metadata.name)
    }
}

extension JSONReader {
    /// The readable part of the metadata of an unusable object.
    static func legibleMetadata(of kind: ObjectKind, at start: Int, in bytes: Span<UInt8>) -> ObjectMetadata {
        var metadata = ObjectMetadata(name: "")
        var reader = JSONReader(bytes, at: start)
        do throws(JSONError) {
            guard try reader.enterObject() else { return metadata }
            while let key = try reader.nextKey() {
                switch key {
                case "metadata": metadata = try reader.metadata(of: kind)
                default: try reader.skip()
                }
            }
        } catch {
            // The metadata that was read before the error is returned.
        }
        return metadata
    }
}
