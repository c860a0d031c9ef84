import ClusterModel

/// Objects of one kind by name; if several sources have an object of a name, the one that was added last is used.
struct NamedObjects<Name: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        var source: SourceID
        var uid: Int?
        var value: Value
    }

    private var entries: [Name: [Entry]] = [:]
    /// The names that each source has delivered since it began to replace its objects.
    private var replacing: [SourceID: Set<Name>] = [:]

    /// The names.
    var names: Set<Name> { Set(entries.keys) }

    /// The object of a name; nil if no source has it.
    subscript(name: Name) -> Value? { entries[name]?.last?.value }

    /// The source of the object of a name; nil if no source has it.
    func source(of name: Name) -> SourceID? { entries[name]?.last?.source }

    /// The objects in use, by name.
    var all: [Name: Value] { entries.compactMapValues { $0.last?.value } }

    /// Stores an object of a source.
    ///
    /// - Returns: the source's previous object of this name; nil if there was none.
    @discardableResult
    mutating func set(_ name: Name, uid: String?, _ value: Value, _ source: SourceID) -> Value? {
        replacing[source]?.insert(name)
        let entry = Entry(source: source, uid: uid?.hashValue, value: value)
        guard let known = entries[name] else {
            entries[name] = [entry]
            return nil
        }
        guard let place = known.firstIndex(where: { $0.source == source }) else {
            entries[name]?.append(entry)
            return nil
        }
        entries[name]?[place] = entry
        return known[place].value
    }

    /// Removes an object of a source, unless a newer object has its name.
    ///
    /// - Returns: the object; nil if nothing was removed.
    @discardableResult
    mutating func remove(_ name: Name, uid: String?, _ source: SourceID) -> Value? {
        guard let known = entries[name]?.first(where: { $0.source == source }) else { return nil }
        if let uid = uid?.hashValue, let own = known.uid, uid != own { return nil }
        replacing[source]?.remove(name)
        forget(name, source)
        return known.value
    }

    /// Begins to replace the objects of a source.
    mutating func beginReplace(_ source: SourceID) { replacing[source] = [] }

    /// Removes the objects of a source that it has not delivered since the replacement began.
    ///
    /// - Returns: the removed objects; none if no replacement was begun.
    @discardableResult
    mutating func endReplace(_ source: SourceID) -> [(name: Name, value: Value)] {
        guard let listed = replacing.removeValue(forKey: source) else { return [] }
        let gone = entries.compactMap { name, all in
            listed.contains(name) ? nil : all.first { $0.source == source }.map { (name, $0.value) }
        }
        for (name, _) in gone { forget(name, source) }
        return gone
    }

    private mutating func forget(_ name: Name, _ source: SourceID) {
        entries[name]?.removeAll { $0.source == source }
        if entries[name]?.isEmpty == true { entries[name] = nil }
    }
}
