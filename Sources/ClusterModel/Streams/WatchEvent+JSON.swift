extension WatchEvent {
    /// Reads a line; nil if it is empty.
    init?(line: Span<UInt8>, kind: ObjectKind) {
        var reader = JSONReader(line)
        if reader.isAtEnd { return nil }
        let begin = reader.offset
        var object = ObjectPlace(start: begin, kind: kind)
        do throws(JSONError) {
            self = try reader.watchEvent(&object)
        } catch {
            guard object.start != begin else {
                // The event is unreadable before its object, so no object of this kind is affected.
                let error = ObjectIssue(error, in: line, of: ObjectPlace(start: begin))
                self = .unusable(error, resourceVersion: nil)
                return
            }
            let metadata = JSONReader.legibleMetadata(of: kind, at: object.start, in: line)
            self = .unusable(ObjectIssue(error, in: line, of: object), resourceVersion: metadata.resourceVersion)
        }
    }
}

/// The kind of change (`type`).
private enum WatchEventType {
    case upserted
    case deleted
    case bookmark
    case error
    case unknown
}

extension JSONReader {
    /// Reads an event; sets the offset of its object as soon as it is known, also if the object is unusable.
    fileprivate mutating func watchEvent(_ object: inout ObjectPlace) throws(JSONError) -> WatchEvent {
        let start = offset
        guard try enterObject() else { throw .unusable("expected an event", at: start) }
        var type: WatchEventType?
        var event: WatchEvent?
        while let key = try nextKey() {
            switch key {
            case "type":
                type = try eventType()
            case "object":
                _ = peek()
                object.start = offset
                if let type, let kind = object.kind {
                    event = try self.event(type, of: kind)
                } else {
                    try skip()
                }
            default:
                try skip()
            }
        }
        try expectEnd()
        if let event { return event }
        // The type came after the object, or is missing.
        guard let type, let kind = object.kind, object.start != start else {
            throw .unusable("an event without type or object", at: start)
        }
        var reader = JSONReader(bytes, at: object.start)
        return try reader.event(type, of: kind)
    }

    private mutating func eventType() throws(JSONError) -> WatchEventType {
        guard let text = try text() else { return .unknown }
        switch text {
        case "ADDED", "MODIFIED": return .upserted
        case "DELETED": return .deleted
        case "BOOKMARK": return .bookmark
        case "ERROR": return .error
        default: return .unknown
        }
    }

    private mutating func event(_ type: WatchEventType, of kind: ObjectKind) throws(JSONError) -> WatchEvent {
        let start = offset
        switch type {
        case .upserted:
            let object = try clusterObject(as: kind)
            return .upsert(object, resourceVersion: object.metadata.resourceVersion)
        case .deleted:
            let metadata = try metadataOnly(of: kind)
            if metadata.name.isEmpty { throw .unusable("an object without a name", at: start) }
            let reference = ObjectReference(kind: kind, namespace: metadata.namespace, name: metadata.name)
            return .deleted(reference, uid: metadata.uid, resourceVersion: metadata.resourceVersion)
        case .bookmark:
            return try bookmark()
        case .error:
            return .error(try status(code: 500).status)
        case .unknown:
            throw .unusable("an event of a type that is not known", at: start)
        }
    }

    /// Reads a bookmark, which is an object without content; only its version and one annotation are used.
    private mutating func bookmark() throws(JSONError) -> WatchEvent {
        let start = offset
        var version: String?
        var isInitialEventsEnd = false
        guard try enterObject() else { throw .unusable("expected an object", at: start) }
        while let key = try nextKey() {
            guard "metadata" ~= key else {
                try skip()
                continue
            }
            guard try enterObject() else { continue }
            while let key = try nextKey() {
                switch key {
                case "resourceVersion": version = try nonEmptyString()
                case "annotations": isInitialEventsEnd = try marksInitialEventsEnd()
                default: try skip()
                }
            }
        }
        guard let version else { throw .unusable("a bookmark without a version", at: start) }
        return .bookmark(resourceVersion: version, isInitialEventsEnd: isInitialEventsEnd)
    }

    private mutating func marksInitialEventsEnd() throws(JSONError) -> Bool {
        var found = false
        guard try enterObject() else { return false }
        while let key = try nextKey() {
            switch key {
            case "k8s.io/initial-events-end": found = try string() == "true"
            default: try skip()
            }
        }
        return found
    }
}
