package import ClusterModel

/// Receives the object changes of all sources.
package protocol ClusterObserver: Sendable {
    /// Receives changes in order; may be called on any thread, but only by one thread at a time for each source.
    func observe(_ changes: [ClusterChange], from source: SourceID)
}
