package import ClusterModel

/// Receives the changes of the objects of all sources.
package protocol ClusterObserver: Sendable {
    /// Takes changes in order; called from any thread, for one source at a time from one.
    func observe(_ changes: [ClusterChange], from source: SourceID)
}
