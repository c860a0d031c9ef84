import ClusterModel
import Dispatch

/// Delivers changes to the observer, in order, on a thread that may block.
///
/// The sender continues after the observer has returned, so a slow observer slows down the reading and, by flow control,
/// the server.
final class Delivery: Sendable {
    private let observer: any ClusterObserver
    private let source: SourceID
    private let queue = DispatchQueue(label: "weir-kubernetes")

    /// Takes the observer and the source of the changes.
    init(observer: any ClusterObserver, source: SourceID) {
        self.observer = observer
        self.source = source
    }

    /// Delivers changes, and returns after the observer has returned.
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
