import ClusterModel

/// The name of an object, unique among objects of its kind and source.
struct ObjectName: TableKey, Hashable {
    /// The namespace; nil for kinds that are not in one.
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

/// Distinguishes an object from an earlier one of the same name: 64 bits of a seeded hash of `metadata.uid`, which is all that
/// comparing needs.
struct ObjectUID: Sendable {
    /// 0 where the uid is not known, as in files.
    private let hash: UInt64

    init(_ text: String?) {
        hash = text.map { UInt64(bitPattern: Int64($0.hashValue)) | 1 } ?? 0
    }

    /// Whether two objects of the same name are certainly not the same.
    func isAnother(than other: ObjectUID) -> Bool {
        hash != 0 && other.hash != 0 && hash != other.hash
    }

    /// Returns this identifier, or the other one where this is unknown.
    func or(_ other: ObjectUID) -> ObjectUID {
        hash == 0 ? other : self
    }
}
