/// How much the files of an inventory say.
public struct FileStatistics: Sendable, Hashable {
    /// Files that are used.
    public var files = 0
    /// Of these, those that are broken now: their earlier contents stay in use.
    public var brokenFiles = 0
    /// Objects that are used.
    public var objects = 0
    /// Objects that cannot be used.
    public var unusableObjects = 0
    /// Objects of kinds that Weir does not use.
    public var otherObjects = 0

    /// No files.
    public init() {}
}
