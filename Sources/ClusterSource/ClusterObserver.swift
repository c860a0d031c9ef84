public import ClusterModel

/// Who hears what happens to the objects of all sources.
public protocol ClusterObserver: Sendable {
    /// Takes changes in order; called from any thread, for one source at a time from one.
    func observe(_ changes: [ClusterChange], from source: SourceID)
}
