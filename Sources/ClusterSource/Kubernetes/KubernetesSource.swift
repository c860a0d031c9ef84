package import ClusterModel
package import Logging

/// Delivers the objects of an API server, and their changes, to an observer.
///
/// A complete list of a kind, at the start and after a watch could not continue, is delivered between
/// ``ClusterModel/ClusterChange/beginReplace(_:)`` and ``ClusterModel/ClusterChange/endReplace(_:)``. Otherwise the
/// observer receives changes. It is called on a thread of its own, and may block.
package final class KubernetesSource: Sendable {
    /// The default time for which objects are used that the server no longer returns.
    package static let defaultStaleness = Duration.seconds(900)

    private let resources: [WatchedResource]
    private let context: ReflectorContext

    /// Creates a source without connecting.
    ///
    /// - Parameters:
    ///   - configuration: the server and the credentials.
    ///   - observer: receives the changes.
    ///   - source: the source of the objects.
    ///   - staleness: the time for which objects are used that the server no longer returns, because rights or
    ///     credentials were withdrawn or something else responds in its place; there is no limit while the server does
    ///     not respond.
    ///   - userAgent: the name of the client in the server's log, as in `weir/0.2.0 (linux/amd64)`.
    ///   - logger: logs messages for operators; repeated ones in growing intervals.
    /// - Throws: ``KubernetesError`` if certificates, keys or the token are unreadable.
    package convenience init(
        configuration: KubernetesConfiguration,
        observer: any ClusterObserver,
        source: SourceID,
        staleness: Duration = KubernetesSource.defaultStaleness,
        userAgent: String,
        logger: Logger
    ) throws(KubernetesError) {
        var times = KubernetesTimes()
        times.stale = staleness
        try self.init(
            configuration: configuration,
            observer: observer,
            source: source,
            userAgent: userAgent,
            logger: logger,
            resources: WatchedResource.all,
            times: times
        )
    }

    /// Creates a source with other resources, times and pauses, for tests.
    init(
        configuration: KubernetesConfiguration,
        observer: any ClusterObserver,
        source: SourceID,
        userAgent: String,
        logger: Logger,
        resources: [WatchedResource],
        times: KubernetesTimes,
        sleeper: Sleeper = Sleeper()
    ) throws(KubernetesError) {
        self.resources = resources
        context = ReflectorContext(
            client: try KubernetesClient(
                configuration: configuration,
                userAgent: userAgent,
                connectLimit: times.connect,
                logger: logger
            ),
            delivery: Delivery(observer: observer, source: source),
            report: SourceReport(
                server: configuration.server,
                kinds: resources.map(\.kind),
                times: times,
                logger: logger
            ),
            sleeper: sleeper,
            traits: ServerTraits(),
            times: times,
            user: configuration.userPlace
        )
    }

    /// Follows the server until the task is cancelled, then returns within a second.
    ///
    /// It must be called only once. Failures of the network or the server do not end it: the observer keeps its objects,
    /// and is updated when the server is back.
    package func run() async {
        let discovery = Discovery(context: context)
        await withTaskGroup(of: Void.self) { group in
            for resource in resources {
                group.addTask { [context] in
                    var follower = ResourceFollower(resource, context: context, discovery: discovery)
                    await follower.run()
                }
            }
        }
        await context.client.shutdown(within: .milliseconds(700))
    }

    /// The state and the counts of each kind.
    package var statistics: KubernetesStatistics { context.report.statistics }

    /// Waits until the observer has received all objects of all kinds, except those that are not served or forbidden.
    ///
    /// - Parameter timeout: the longest wait.
    /// - Returns: true if it has; false after the timeout, or if the task is cancelled.
    package func waitUntilSynced(timeout: Duration) async -> Bool {
        let deadline = ContinuousClock.now + timeout
        while !Task.isCancelled {
            if statistics.kinds.values.allSatisfy(\.isSettled) { return true }
            guard ContinuousClock.now < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}
