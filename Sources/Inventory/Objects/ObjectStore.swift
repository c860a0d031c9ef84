import ClusterModel

/// The stored parts of the objects of one kind, by source and name.
struct ObjectStore<Record: Sendable>: Sendable {
    /// An object of a source.
    struct Known: Sendable {
        /// Distinguishes it from an earlier object of the same name.
        var uid: ObjectUID
        /// The number of the source's replace operation that last delivered the object.
        var round: UInt32
        var record: Record
    }

    private struct Reported: Sendable {
        var objects = ShardedTable<ObjectName, Known>()
        var round: UInt32 = 0
        var isReplacing = false
    }

    private var sources: [SourceID: Reported] = [:]

    /// The number of objects of each source.
    var counts: [SourceID: Int] {
        sources.mapValues(\.objects.count).filter { $0.value > 0 }
    }

    /// The object with a name; nil if the source has none.
    func known(_ name: ObjectName, from source: SourceID) -> Known? {
        sources[source]?.objects[name]
    }

    /// Stores an object of a source.
    mutating func report(_ name: ObjectName, uid: ObjectUID, _ record: Record, from source: SourceID) {
        let round = sources[source]?.round ?? 0
        sources[source, default: Reported()].objects[name] = Known(uid: uid, round: round, record: record)
    }

    /// Removes an object.
    mutating func remove(_ name: ObjectName, from source: SourceID) {
        sources[source]?.objects[name] = nil
        forgetIfUnused(source)
    }

    /// Begins a replace of a source's objects; cancels one that is in progress.
    mutating func beginReplace(from source: SourceID) {
        sources[source, default: Reported()].round &+= 1
        sources[source]?.isReplacing = true
    }

    /// Ends a replace and returns the objects that it did not deliver; empty if no replace is in progress.
    mutating func endReplace(from source: SourceID) -> [ObjectName] {
        guard let reported = sources[source], reported.isReplacing else { return [] }
        var gone: [ObjectName] = []
        reported.objects.forEach { name, known in
            if known.round != reported.round { gone.append(name) }
        }
        sources[source]?.isReplacing = false
        forgetIfUnused(source)
        return gone
    }

    /// Calls a closure for each object, in no particular order.
    func forEach(_ body: (SourceID, ObjectName, Record) -> Void) {
        for (source, reported) in sources {
            reported.objects.forEach { body(source, $0, $1.record) }
        }
    }

    private mutating func forgetIfUnused(_ source: SourceID) {
        guard let reported = sources[source], reported.objects.count == 0, !reported.isReplacing else { return }
        sources[source] = nil
    }
}
