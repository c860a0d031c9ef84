/// The time limits and intervals of the source; tests shorten them.
struct KubernetesTimes: Sendable {
    /// The time limit for a connection, with TLS.
    var connect = Duration.seconds(10)
    /// The time limit until the response to a list begins, which takes long for a large cluster.
    var listAnswer = Duration.seconds(60)
    /// The time limit until the next bytes of a list.
    var listIdle = Duration.seconds(60)
    /// The time limit until the response to a watch or another request begins; API servers send headers at once.
    var answer = Duration.seconds(30)
    /// The time limit until the next event or bookmark of a watch.
    ///
    /// A watch from a version that the server does not have yet never sends an event. Bookmarks arrive each minute, but
    /// not before the first event of the watch.
    var watchSilence = Duration.seconds(120)
    /// The range of `timeoutSeconds` of a watch, chosen at random so that not all watches end at once.
    var watchSeconds = 300...600

    /// The first pause between attempts; each further one is twice as long.
    var backoff = Duration.milliseconds(500)
    /// The longest pause between attempts.
    var longestBackoff = Duration.seconds(30)
    /// The time over which the requests for all resources are spread when the server is back.
    var comeback = Duration.milliseconds(500)
    /// The duration from which on a stream counts as successful.
    var steady = Duration.seconds(10)

    /// The time after which a 403 is logged as a missing right; RBAC needs half a second after the start of a server.
    var forbiddenNamed = Duration.seconds(5)
    /// The pause before a request with a missing right is repeated.
    var forbiddenRetry = Duration.seconds(60)
    /// The time for which known objects of a resource are used while the server responds without them.
    ///
    /// The right or the credentials were withdrawn, or something else responds.
    var stale = KubernetesSource.defaultStaleness
    /// The time after which a 404 means that a resource no longer exists.
    ///
    /// Custom resources may need a moment after the start of a server.
    var absentConfirmed = Duration.seconds(10)
    /// The approximate interval between queries for a resource that is not served.
    var absentRetry = Duration.seconds(60)
    /// The time for which the server's response about a group is cached.
    var discoveryFreshness = Duration.milliseconds(500)
    /// The time for which a group may be unavailable before its other version is used.
    var unavailable = Duration.seconds(10)
    /// The time limit for a whole list, or for the initial objects of a watch-list.
    var wholeList = Duration.seconds(900)
    /// The time for which a resource may fail, while the server responds, before the failure is logged.
    var failureNamed = Duration.seconds(30)

    /// The interval at which the available part of a list is delivered to the observer.
    var batch = Duration.milliseconds(100)
}
