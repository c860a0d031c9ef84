import ClusterModel
import FlowModel

/// Finds changes in the objects that sources deliver, for which no audit log contains a request.
///
/// An object may contain the name of the program that wrote it last (`managedFields`), but not the user.
struct SeenChanges {
    private struct Key: Hashable {
        let source: SourceID
        let object: ObjectReference
    }

    /// The last state of an object, with the fields by which changes are found.
    private struct Known {
        let version: String?
        let labels: [Label]
        let uid: String?
    }

    private var known: [Key: Known] = [:]
    /// The objects received so far from incomplete lists.
    private var listed: [SourceID: [ObjectKind: Set<ObjectReference>]] = [:]
    /// Whether all objects of the start have been delivered; until then, no object counts as a change.
    var isComplete = false

    /// The maximum number of objects that are kept; changes of others are not found.
    private static let limit = 50_000
    /// The delivery delay, in s, above which the present time counts as the time of a write.
    private static let longestDelay: Int64 = 60

    /// Creates an empty record.
    init() {}

    /// Examines the objects that a source delivered.
    ///
    /// - Parameters:
    ///   - changes: objects of all kinds.
    ///   - source: the source.
    ///   - now: Unix time in µs.
    /// - Returns: the changes.
    mutating func note(_ changes: [ClusterChange], from source: SourceID, at now: Int64) -> [ChangeMark] {
        var marks: [ChangeMark] = []
        for change in changes {
            switch change {
            case .upsert(let object) where object.kind.hasLastWrite:
                let reference = object.reference
                listed[source]?[object.kind]?.insert(reference)
                if let mark = upsert(object, Key(source: source, object: reference), now) { marks.append(mark) }
            case .delete(let reference, let uid) where reference.kind.hasLastWrite:
                if let mark = delete(Key(source: source, object: reference), uid: uid, now) { marks.append(mark) }
            case .beginReplace(let kind) where kind.hasLastWrite:
                listed[source, default: [:]][kind] = []
            case .endReplace(let kind) where kind.hasLastWrite:
                guard let present = listed[source]?.removeValue(forKey: kind) else { continue }
                let gone = known.keys.filter {
                    $0.source == source && $0.object.kind == kind && !present.contains($0.object)
                }
                marks += gone.compactMap { delete($0, uid: nil, now) }
            case .upsert, .delete, .beginReplace, .endReplace, .forget: break
            }
        }
        return marks
    }

    private mutating func upsert(_ object: ClusterObject, _ key: Key, _ now: Int64) -> ChangeMark? {
        let metadata = object.metadata
        let before = known[key]
        guard before != nil || known.count < Self.limit else { return nil }
        known[key] = Known(version: metadata.resourceVersion, labels: metadata.labels, uid: metadata.uid)
        // Files have no versions, and their changes belong to no request of the API server.
        guard isComplete, let version = metadata.resourceVersion, before?.version != version else { return nil }
        // Only the labels of namespaces matter, which other writes do not change.
        if key.object.kind == .namespace, let before, before.uid == metadata.uid, before.labels == metadata.labels {
            return nil
        }
        let write = metadata.lastWrite
        let isRecent =
            write.map { now / 1_000_000 - $0.time <= Self.longestDelay && $0.time * 1_000_000 <= now } ?? false
        return ChangeMark(
            seen: key.object,
            id: "resourceVersion=\(version)",
            verb: before == nil || before?.uid != metadata.uid ? "create" : "update",
            writer: write.map { "manager=\($0.manager) operation=\($0.operation)" } ?? "",
            time: isRecent ? (write?.time ?? 0) * 1_000_000 : now
        )
    }

    private mutating func delete(_ key: Key, uid: String?, _ now: Int64) -> ChangeMark? {
        guard let before = known[key], uid == nil || before.uid == nil || uid == before.uid else { return nil }
        known[key] = nil
        guard isComplete, let version = before.version else { return nil }
        let id = "deleted after resourceVersion=\(version)"
        return ChangeMark(seen: key.object, id: id, verb: "delete", writer: "", time: now)
    }
}
