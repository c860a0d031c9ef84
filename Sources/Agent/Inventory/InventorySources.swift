package import ClusterModel
package import ClusterSource
import Foundation
import Logging

/// The configured sources of objects.
package struct InventoryConfiguration: Sendable {
    /// Files and folders with objects.
    package var paths: [String] = []
    /// The API server, if one is to be queried.
    package var cluster: KubernetesConfiguration?
    /// The time for which objects are used that the API server does not return any more.
    package var staleness = KubernetesSource.defaultStaleness
    /// The user agent of requests to the API server.
    package var userAgent = "weir"
    /// Objects that are known from the start.
    package var objects: [ClusterObject] = []

    /// No sources.
    package init() {}

    /// Whether there is any source of workloads.
    var hasSources: Bool { !paths.isEmpty || cluster != nil || !objects.isEmpty }
}

/// The sources of a run: files, which the inventory's thread polls, and the API server, which has tasks of its own.
final class InventorySources: Sendable {
    private let files: FileSource?
    private let cluster: KubernetesSource?
    private let task: Task<Void, Never>?

    /// The numbers of sources in the inventory; each file has its own.
    private enum Source {
        static let given = SourceID(rawValue: 0)
        static let cluster = SourceID(rawValue: 1)
        static let firstFile = SourceID(rawValue: 2)
    }

    /// Reads all files once and begins to query the API server.
    ///
    /// - Parameters:
    ///   - configuration: the sources of objects.
    ///   - observer: receives the changes.
    ///   - logger: for problems of the sources.
    ///   - onComplete: called once, from any thread, when the observer has got all objects.
    /// - Throws: ``AgentError/inventory(_:)`` if a file is missing or broken.
    init(
        _ configuration: InventoryConfiguration,
        observer: some ClusterObserver,
        logger: Logger,
        onComplete: @escaping @Sendable () -> Void
    ) throws(AgentError) {
        observer.observe(configuration.objects.map { .upsert($0) }, from: Source.given)
        files = configuration.hasSources ? try Self.load(configuration.paths, observer: observer, logger: logger) : nil
        cluster = try Self.connect(configuration, observer: observer, logger: logger)
        task = cluster.map { source in
            Task.detached {
                async let end: Void = source.run()
                await Self.logWhenSynced(source, to: logger, onComplete)
                await end
            }
        }
        if cluster == nil { onComplete() }
    }

    /// Logs once that all objects are known; checks once a second, because the server may be unreachable for long.
    private static func logWhenSynced(
        _ source: KubernetesSource,
        to logger: Logger,
        _ onComplete: () -> Void
    ) async {
        while !(await source.waitUntilSynced(timeout: .zero)) {
            guard !Task.isCancelled else { return }
            try? await Task.sleep(for: .seconds(1))
        }
        onComplete()
        let served = source.statistics.kinds.filter { $0.value.isSynced }
        logger.info(
            "API server: all objects are known",
            metadata: [
                "objects": "\(served.values.reduce(0) { $0 + $1.listedObjects })",
                "kinds": "\(served.keys.map(\.rawValue).sorted().joined(separator: ", "))",
            ]
        )
    }

    private static func load(
        _ paths: [String],
        observer: some ClusterObserver,
        logger: Logger
    ) throws(AgentError) -> FileSource {
        let files = FileSource(paths: paths, firstSource: Source.firstFile, observer: observer, logger: logger)
        do throws(FileSourceError) {
            try files.load()
        } catch {
            throw .inventory("\(error)")
        }
        return files
    }

    private static func connect(
        _ configuration: InventoryConfiguration,
        observer: some ClusterObserver,
        logger: Logger
    ) throws(AgentError) -> KubernetesSource? {
        guard let cluster = configuration.cluster else { return nil }
        do throws(KubernetesError) {
            return try KubernetesSource(
                configuration: cluster,
                observer: observer,
                source: Source.cluster,
                staleness: configuration.staleness,
                userAgent: configuration.userAgent,
                logger: logger
            )
        } catch {
            throw .inventory("\(error)")
        }
    }

    /// The statistics of the followed files; nil if there are none.
    var fileStatistics: FileStatistics? {
        guard let files, !files.paths.isEmpty else { return nil }
        return files.statistics
    }

    /// Checks whether the inventory can use these files and folders from now on.
    ///
    /// - Parameter paths: files and folders.
    /// - Returns: whether ``use(_:)`` may be called; false if the run began without any source and there is one now.
    /// - Throws: the reason why one of them cannot be used.
    func check(_ paths: [String]) throws(AgentError) -> Bool {
        guard files?.paths ?? [] != paths else { return true }
        let missing = paths.filter { access($0, R_OK) != 0 }
        guard missing.isEmpty else {
            throw .inventory("inventory: cannot read \(missing.joined(separator: ", ")); are the paths right?")
        }
        return files != nil
    }

    /// Reads the objects of these files and folders from the next ``poll()`` on; the objects of other files are removed.
    func use(_ paths: [String]) {
        files?.use(paths)
    }

    /// The statistics of the followed objects of the API server; nil if none is queried.
    var clusterStatistics: KubernetesStatistics? { cluster?.statistics }

    /// Checks whether files have changed; to be called about once a second, from one thread.
    func poll() {
        files?.poll()
    }

    /// Requests the end of the connection to the API server.
    func cancel() {
        task?.cancel()
    }

    /// Ends the connection to the API server.
    ///
    /// - Parameter limit: the longest wait; the run does not wait longer for an unresponsive server.
    func end(within limit: Duration) {
        guard let task else { return }
        task.cancel()
        let ended = WakeUp()
        Task.detached {
            await task.value
            ended.signal()
        }
        ended.wait(atMost: limit)
    }
}
