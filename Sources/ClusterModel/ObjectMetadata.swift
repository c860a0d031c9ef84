public import FlowModel

/// What every object says of itself (`metadata`).
public struct ObjectMetadata: Sendable, Hashable {
    /// The name; empty in the hollow objects of bookmarks.
    public var name: String
    /// The namespace; nil for kinds that are not in one.
    public var namespace: String?
    /// Distinguishes this object from an earlier one of the same name.
    public var uid: String?
    /// What the server made the name from; nil if the name was given.
    public var generateName: String?
    /// Labels, ascending by key, each key once.
    public var labels: [Label]
    /// The version of this state of the object.
    public var resourceVersion: String?
    /// Whether the object is marked to be deleted (`deletionTimestamp`).
    public var isDeleting: Bool
    /// When the object was made (`creationTimestamp`), seconds since 1970 in UTC; nil without that field.
    public var created: Int64?

    /// Takes all members.
    public init(
        name: String,
        namespace: String? = nil,
        uid: String? = nil,
        generateName: String? = nil,
        labels: [Label] = [],
        resourceVersion: String? = nil,
        isDeleting: Bool = false,
        created: Int64? = nil
    ) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.generateName = generateName
        self.labels = labels
        self.resourceVersion = resourceVersion
        self.isDeleting = isDeleting
        self.created = created
    }
}
