import ClusterModel
import Logging
import Synchronization

@testable import ClusterSource

/// An observer that records changes in order, and the state that follows from them.
final class RecordingObserver: ClusterObserver {
    struct State: Sendable {
        /// As in `begin Pod`, `+shop/web@7`, `-shop/web`, `end Pod`.
        var log: [String] = []
        /// The current state of each object.
        var objects: [ObjectReference: ClusterObject] = [:]
        var batches = 0
        var largestBatch = 0
        fileprivate var stale: [ObjectKind: Set<ObjectReference>] = [:]
    }

    private let state = Mutex(State())
    /// Called before each batch is taken.
    private let hook: @Sendable () -> Void

    init(hook: @escaping @Sendable () -> Void = {}) {
        self.hook = hook
    }

    func observe(_ changes: [ClusterChange], from source: SourceID) {
        hook()
        state.withLock { state in
            state.batches += 1
            state.largestBatch = max(state.largestBatch, changes.count)
            for change in changes { Self.apply(change, to: &state) }
        }
    }

    private static func apply(_ change: ClusterChange, to state: inout State) {
        switch change {
        case .upsert(let object):
            let reference = object.reference
            state.log.append("+\(name(reference))@\(object.metadata.resourceVersion ?? "")")
            state.objects[reference] = object
            state.stale[reference.kind]?.remove(reference)
        case .delete(let reference, let uid):
            state.log.append("-\(name(reference))")
            if uid == nil || state.objects[reference]?.metadata.uid == uid { state.objects[reference] = nil }
        case .beginReplace(let kind):
            state.log.append("begin \(kind.rawValue)")
            state.stale[kind] = Set(state.objects.keys.filter { $0.kind == kind })
        case .endReplace(let kind):
            state.log.append("end \(kind.rawValue)")
            for reference in state.stale.removeValue(forKey: kind) ?? [] { state.objects[reference] = nil }
        case .forget(let kind):
            state.log.append("forget \(kind.rawValue)")
            state.objects = state.objects.filter { $0.key.kind != kind }
        }
    }

    private static func name(_ reference: ObjectReference) -> String {
        reference.namespace.map { "\($0)/\(reference.name)" } ?? reference.name
    }

    var snapshot: State { state.withLock { $0 } }

    var log: [String] { snapshot.log }

    /// The current objects, as in `shop/web@7`, in order.
    var objects: [String] {
        snapshot.objects.map { "\(Self.name($0.key))@\($0.value.metadata.resourceVersion ?? "")" }.sorted()
    }
}

/// A logger that records its messages.
final class RecordingLog: Sendable {
    private let lines = Mutex<[String]>([])

    /// Level, message and metadata.
    var all: [String] { lines.withLock { $0 } }

    func containing(_ text: String) -> [String] { all.filter { $0.contains(text) } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(log: self) }
        logger.logLevel = .info
        return logger
    }

    private struct Handler: LogHandler {
        let log: RecordingLog
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .info

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let line = (["\(event.level)", "\(event.message)"] + fields).joined(separator: " ")
            log.lines.withLock { $0.append(line) }
        }
    }
}
