import ClusterModel
import Foundation

@testable import ClusterSource

/// A source that follows some resources of a scripted server, with its observer and its log.
struct SourceHarness: Sendable {
    let server: ScriptedServer
    let observer: RecordingObserver
    let log: RecordingLog
    let source: KubernetesSource

    static let pods = WatchedResource.all.filter { $0.kind == .pod }
    static let podsPath = "/api/v1/pods"

    /// Makes a server and a source for it; the script is only asked for pods unless other resources are given.
    init(
        resources: [WatchedResource] = pods,
        times: KubernetesTimes = .short,
        sleeper: Sleeper = Sleeper(),
        observer: RecordingObserver = RecordingObserver(),
        script: @escaping @Sendable (ScriptedServer.Request) -> [Piece]
    ) throws {
        server = try ScriptedServer(script)
        self.observer = observer
        log = RecordingLog()
        source = try Self.source(server.port, resources, times, sleeper, observer, log)
    }

    /// Uses an existing server, observer, log and source.
    init(server: ScriptedServer, observer: RecordingObserver, log: RecordingLog, source: KubernetesSource) {
        self.server = server
        self.observer = observer
        self.log = log
        self.source = source
    }

    private static func source(
        _ port: UInt16,
        _ resources: [WatchedResource],
        _ times: KubernetesTimes,
        _ sleeper: Sleeper,
        _ observer: RecordingObserver,
        _ log: RecordingLog
    ) throws -> KubernetesSource {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            """
            clusters: [{name: c, cluster: {server: "http://127.0.0.1:\(port)"}}]
            contexts: [{name: x, context: {cluster: c}}]
            current-context: x
            """,
            to: "kubeconfig"
        )
        return try KubernetesSource(
            configuration: KubernetesConfiguration(kubeconfig: path),
            observer: observer,
            source: SourceID(rawValue: 7),
            userAgent: "weir/test (linux/test)",
            logger: log.logger,
            resources: resources,
            times: times,
            sleeper: sleeper
        )
    }

    /// Runs the source during `body`, and then ends the source and the server.
    func run<Value: Sendable>(_ body: @Sendable (SourceHarness) async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await source.run() }
            defer { server.stop() }
            let value = try await body(self)
            group.cancelAll()
            return value
        }
    }

    var pods: KindStatistics { source.statistics.kinds[.pod] ?? KindStatistics() }

    /// The requests for pods, as in `list`, `list t`, `watch 7`, `watch-list`.
    var asked: [String] { server.requests.filter { $0.path == Self.podsPath }.map(\.short) }
}

extension ScriptedServer.Request {
    /// As in `list`, `list t` (a page by its token), `watch 7`, `watch-list`.
    var short: String {
        if isWatchList { return "watch-list" }
        if isWatch { return "watch \(query["resourceVersion"] ?? "")" }
        return ["list", query["continue"] ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
    }
}

/// A folder that is removed with its owner.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "weir-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file, and returns its path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        let file = path + "/" + name
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
