/// Unknown members of an object, collected while it is read: as much as later messages need.
struct UnknownMembers {
    /// A member: where its value is, and what it could have been.
    private(set) var members: [(offset: Int, fields: FieldSet)] = []
    /// The number of further members.
    private(set) var omitted = 0

    /// Takes one; false if it is only counted.
    mutating func add(_ offset: Int, _ fields: FieldSet) -> Bool {
        guard members.count < UnknownFields.limit else {
            omitted += 1
            return false
        }
        members.append((offset, fields))
        return true
    }
}

extension JSONReader {
    /// Skips the value of a member that is not used, and notes the member if its API has none of that name.
    ///
    /// Costs nothing where all members are used, and for others a comparison with each name.
    mutating func skip(_ key: borrowing JSONText, of fields: FieldSet) throws(JSONError) {
        if !fields.contains(key) { noteUnknown(at: offset, fields) }
        try skip()
    }

    /// The noted members, with paths from the beginning of the object, which one pass over it finds.
    mutating func takeUnknownFields(from start: Int) -> UnknownFields {
        defer { unknownMembers = UnknownMembers() }
        guard !unknownMembers.members.isEmpty else { return UnknownFields() }
        var finder = JSONPathFinder(bytes, from: start)
        let fields = unknownMembers.members.map { member in
            UnknownField(path: finder.path(to: member.offset), among: member.fields)
        }
        return UnknownFields(fields, omitted: unknownMembers.omitted)
    }
}

extension UnknownField {
    /// A field at a path that should have been one of some.
    package init(path: [PathComponent], among fields: FieldSet) {
        var key = ""
        if case .key(let last)? = path.last { key = last }
        self.init(path: PathComponent.text(path), suggestion: fields.suggestion(for: key))
    }
}
