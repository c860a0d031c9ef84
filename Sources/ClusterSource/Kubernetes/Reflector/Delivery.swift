import ClusterModel
import Dispatch

/// Passes changes to the observer, in order, on a thread that may wait for it.
///
/// The sender continues when the observer has taken them: a slow observer slows down reading, and so the server.
final class Delivery: Sendable {
    private let observer: any ClusterObserver
    private let source: SourceID
    private let queue = DispatchQueue(label: "weir-kubernetes")

    /// Takes the observer, and the name of the source.
    init(observer: any ClusterObserver, source: SourceID) {
        self.observer = observer
        self.source = source
    }

    /// Returns when the observer has taken the changes.
    func deliver(_ changes: [ClusterChange]) async {
        guard !changes.isEmpty else { return }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            queue.async { [observer, source] in
                observer.observe(changes, from: source)
                continuation.resume()
            }
        }
    }
}
