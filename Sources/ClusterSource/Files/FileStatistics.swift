/// Counts of files and objects of an inventory.
package struct FileStatistics: Sendable, Hashable {
    /// Files that are used.
    package var files = 0
    /// Files that are broken now; their earlier objects stay in use.
    package var brokenFiles = 0
    /// Objects that are used.
    package var objects = 0
    /// Objects that are unusable.
    package var unusableObjects = 0
    /// Objects of kinds that Weir does not use.
    package var otherObjects = 0

    /// Creates an empty value.
    package init() {}
}
