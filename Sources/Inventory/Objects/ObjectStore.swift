import ClusterModel

/// What is kept of the objects of one kind, by source and name.
struct ObjectStore<Record: Sendable>: Sendable {
    /// An object that a source has told.
    struct Known: Sendable {
        /// What tells it from an earlier object of the same name.
        var uid: ObjectUID
        /// The round of the source's replaces in which it was told last.
        var round: UInt32
        var record: Record
    }

    private struct Told: Sendable {
        var objects = ShardedTable<ObjectName, Known>()
        var round: UInt32 = 0
        var isReplacing = false
    }

    private var sources: [SourceID: Told] = [:]

    /// How many objects each source has told.
    var counts: [SourceID: Int] {
        sources.mapValues(\.objects.count).filter { $0.value > 0 }
    }

    /// The object of a name, nil if the source has told none.
    func known(_ name: ObjectName, from source: SourceID) -> Known? {
        sources[source]?.objects[name]
    }

    /// Keeps what a source told of an object.
    mutating func tell(_ name: ObjectName, uid: ObjectUID, _ record: Record, from source: SourceID) {
        let round = sources[source]?.round ?? 0
        sources[source, default: Told()].objects[name] = Known(uid: uid, round: round, record: record)
    }

    /// Forgets an object.
    mutating func remove(_ name: ObjectName, from source: SourceID) {
        sources[source]?.objects[name] = nil
        forgetIfUnused(source)
    }

    /// Begins to note what a source tells; a replace that was begun before is as if it never was.
    mutating func beginReplace(from source: SourceID) {
        sources[source, default: Told()].round &+= 1
        sources[source]?.isReplacing = true
    }

    /// Ends a replace and returns the objects that were not told since it began, none without a beginning.
    mutating func endReplace(from source: SourceID) -> [ObjectName] {
        guard let told = sources[source], told.isReplacing else { return [] }
        var gone: [ObjectName] = []
        told.objects.forEach { name, known in
            if known.round != told.round { gone.append(name) }
        }
        sources[source]?.isReplacing = false
        forgetIfUnused(source)
        return gone
    }

    /// Calls for each object, in no order.
    func forEach(_ body: (SourceID, ObjectName, Record) -> Void) {
        for (source, told) in sources {
            told.objects.forEach { body(source, $0, $1.record) }
        }
    }

    private mutating func forgetIfUnused(_ source: SourceID) {
        guard let told = sources[source], told.objects.count == 0, !told.isReplacing else { return }
        sources[source] = nil
    }
}
