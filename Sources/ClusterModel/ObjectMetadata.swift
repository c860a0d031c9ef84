public import FlowModel

/// The metadata that every object has (`metadata`).
public struct ObjectMetadata: Sendable, Hashable {
    /// The name; empty in the objects of bookmarks.
    public var name: String
    /// The namespace; nil for kinds without one.
    public var namespace: String?
    /// Distinguishes this object from an earlier one of the same name.
    public var uid: String?
    /// The prefix from which the server generated the name; nil if the name was given.
    public var generateName: String?
    /// The labels, sorted by key, without duplicates.
    public var labels: [Label]
    /// The version of this state of the object.
    public var resourceVersion: String?
    /// Whether the object is marked to be deleted (`deletionTimestamp`).
    public var isDeleting: Bool
    /// The creation time (`creationTimestamp`), in seconds since 1970 in UTC; nil if the field is absent.
    public var created: Int64?
    /// The last write, for kinds that affect policies; nil if the object does not record it.
    public var lastWrite: LastWrite?

    /// Takes all members.
    public init(
        name: String,
        namespace: String? = nil,
        uid: String? = nil,
        generateName: String? = nil,
        labels: [Label] = [],
        resourceVersion: String? = nil,
        isDeleting: Bool = false,
        created: Int64? = nil,
        lastWrite: LastWrite? = nil
    ) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.generateName = generateName
        self.labels = labels
        self.resourceVersion = resourceVersion
        self.isDeleting = isDeleting
        self.created = created
        self.lastWrite = lastWrite
    }
}

/// The last write of an object except its status (`managedFields`); it identifies a program, not a user.
public final class LastWrite: Sendable, Hashable {
    /// The name that the program reports, such as `kubectl-edit`.
    public let manager: String
    /// `Apply` or `Update`.
    public let operation: String
    /// The time in seconds since 1970 in UTC.
    public let time: Int64

    /// Takes all members.
    public init(manager: String, operation: String, time: Int64) {
        (self.manager, self.operation, self.time) = (manager, operation, time)
    }

    /// Whether all members are equal.
    public static func == (left: LastWrite, right: LastWrite) -> Bool {
        (left.manager, left.operation, left.time) == (right.manager, right.operation, right.time)
    }

    /// Hashes all members.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(manager)
        hasher.combine(operation)
        hasher.combine(time)
    }
}
