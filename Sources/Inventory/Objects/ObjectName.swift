import ClusterModel

/// The name of an object, unique within its kind and source.
struct ObjectName: TableKey, Hashable {
    /// The namespace; nil for kinds without one.
    var namespace: String?
    var name: String

    init(_ metadata: ObjectMetadata) {
        namespace = metadata.namespace
        name = metadata.name
    }

    init(_ reference: ObjectReference) {
        namespace = reference.namespace
        name = reference.name
    }

    func hash(_ seed: TableSeed) -> UInt64 {
        UInt64(bitPattern: Int64(hashValue))
    }
}

/// Distinguishes an object from an earlier one of the same name by `metadata.uid`.
///
/// Only 64 bits of a seeded hash are stored, which suffice for comparisons.
struct ObjectUID: Sendable {
    /// 0 if the UID is unknown, as in files.
    private let hash: UInt64

    init(_ text: String?) {
        hash = text.map { UInt64(bitPattern: Int64($0.hashValue)) | 1 } ?? 0
    }

    /// Whether two objects of the same name are known to be different objects.
    func isAnother(than other: ObjectUID) -> Bool {
        hash != 0 && other.hash != 0 && hash != other.hash
    }

    /// Returns this identifier; the other one if this is unknown.
    func or(_ other: ObjectUID) -> ObjectUID {
        hash == 0 ? other : self
    }
}
