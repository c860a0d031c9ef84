package import ClusterModel
package import Logging

/// Delivers the objects of an API server, and their changes, to an observer.
///
/// The observer gets the objects of each kind between ``ClusterModel/ClusterChange/beginReplace(_:)`` and
/// ``ClusterModel/ClusterChange/endReplace(_:)`` when all its objects are listed (at the start, and when the thread was
/// lost), and of what changes otherwise. It is called on a thread of its own, and may take its time.
package final class KubernetesSource: Sendable {
    /// The default time for which objects are used that the server does not show any more.
    package static let defaultStaleness = Duration.seconds(900)

    private let resources: [WatchedResource]
    private let context: ReflectorContext

    /// Prepares everything; nothing is connected yet.
    ///
    /// - Parameters:
    ///   - configuration: the server and the credentials.
    ///   - observer: receives the changes.
    ///   - source: as what.
    ///   - staleness: for how long objects are used that the server does not show any more, because rights or credentials
    ///     were withdrawn or something else answers in its place; a server that does not answer has no such limit.
    ///   - userAgent: what the server's log shows, as in `weir/0.2.0 (linux/amd64)`.
    ///   - logger: gets messages for operators; repeated ones in growing periods.
    /// - Throws: ``KubernetesError`` if certificates, keys or token cannot be read.
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

    /// Creates a source with other resources, times and pauses.
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
    /// To be called once. Failures of the network or the server never end it: the observer keeps its objects, and is
    /// brought up to date when the server is back.
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

    /// The state and the numbers of each kind.
    package var statistics: KubernetesStatistics { context.report.statistics }

    /// Waits until the observer has got all objects of all kinds, but those that are not served or not allowed.
    ///
    /// - Parameter timeout: the longest wait.
    /// - Returns: whether it has; false after the timeout, or when the task is cancelled.
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
