/// The numbers of files and objects of an inventory.
package struct FileStatistics: Sendable, Hashable {
    /// Files that are used.
    package var files = 0
    /// Files that are broken now: their earlier contents stay in use.
    package var brokenFiles = 0
    /// Objects that are used.
    package var objects = 0
    /// Objects that cannot be used.
    package var unusableObjects = 0
    /// Objects of kinds that Weir does not use.
    package var otherObjects = 0

    /// No files.
    package init() {}
}
