/// The unknown members of an object, collected during reading with the data that messages need.
struct UnknownMembers {
    /// The members: the offsets of their values, and the field sets that do not contain them.
    private(set) var members: [(offset: Int, fields: FieldSet)] = []
    /// The number of members beyond the limit.
    private(set) var omitted = 0

    /// Adds a member; false if it is only counted.
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
    /// Skips the value of an unused member, and notes the member if its API does not define it.
    ///
    /// The cost is a comparison with each defined name; used members cost nothing.
    mutating func skip(_ key: borrowing JSONText, of fields: FieldSet) throws(JSONError) {
        if !fields.contains(key) { noteUnknown(at: offset, fields) }
        try skip()
    }

    /// Returns and removes the noted members, with their paths in the object, which one pass over it finds.
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
    /// Creates an unknown field at a path, with a suggestion from the defined fields.
    package init(path: [PathComponent], among fields: FieldSet) {
        var key = ""
        if case .key(let last)? = path.last { key = last }
        self.init(path: PathComponent.text(path), suggestion: fields.suggestion(for: key))
    }
}
