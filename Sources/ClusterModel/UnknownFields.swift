/// A member of an object that its API does not define, such as `soruce` of a policy's rule.
///
/// Weir ignores the member. An API server refuses the object, or drops the member.
public struct UnknownField: Sendable, Hashable {
    /// The path in the object, as in `spec.ingress[0].soruce`; long keys are truncated.
    public var path: String
    /// The member that is probably meant; nil if no name is similar.
    public var suggestion: String?

    /// Takes all members.
    public init(path: String, suggestion: String? = nil) {
        self.path = path
        self.suggestion = suggestion
    }

    /// The reason, as a text for people.
    public var reason: String {
        let hint = suggestion.map { "; did you mean '\($0)'?" } ?? "."
        return "no such field here\(hint) It counts for nothing; an API server refuses or drops it"
    }
}

/// The members of an object that its API does not define, up to a limit.
public struct UnknownFields: Sendable, Hashable {
    /// The most fields that are kept for one object.
    public static let limit = 8

    /// The first unknown fields, in the order of the text.
    public var fields: [UnknownField]
    /// The number of further fields.
    public var omitted: Int

    /// Takes all members.
    public init(_ fields: [UnknownField] = [], omitted: Int = 0) {
        self.fields = fields
        self.omitted = omitted
    }

    /// Whether there are no unknown fields.
    public var isEmpty: Bool { fields.isEmpty }
}
