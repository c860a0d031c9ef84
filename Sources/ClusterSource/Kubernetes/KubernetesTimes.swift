/// The times for which the source waits; tests shorten them.
struct KubernetesTimes: Sendable {
    /// The time for a connection, with TLS.
    var connect = Duration.seconds(10)
    /// The time until the answer to a list begins: a large cluster's takes a while.
    var listAnswer = Duration.seconds(60)
    /// The time until the next bytes of a list.
    var listIdle = Duration.seconds(60)
    /// The time until the answer to a watch, or to any other request, begins; API servers send headers at once.
    var answer = Duration.seconds(30)
    /// The time until the next event or bookmark of a watch.
    ///
    /// A version that the server does not know yet gives a watch that says nothing for ever. Bookmarks come each
    /// minute, but not while nothing has happened since the watch began.
    var watchSilence = Duration.seconds(120)
    /// The range of `timeoutSeconds` of a watch, chosen at random so that not all watches end at once.
    var watchSeconds = 300...600

    /// The first pause between attempts; each next one is twice as long.
    var backoff = Duration.milliseconds(500)
    /// The longest pause between attempts.
    var longestBackoff = Duration.seconds(30)
    /// The time within which all resources are requested when the server is back.
    var comeback = Duration.milliseconds(500)
    /// A stream that lasted as long was no failed attempt.
    var steady = Duration.seconds(10)

    /// The time after which a 403 counts as a missing right; RBAC needs half a second after the start of a server.
    var forbiddenNamed = Duration.seconds(5)
    /// The pause after which a missing right is tried again.
    var forbiddenRetry = Duration.seconds(60)
    /// The time for which the known objects of a resource are used while the server answers without them: the right or the
    /// credentials were withdrawn, or something else answers.
    var stale = KubernetesSource.defaultStaleness
    /// The time after which a 404 means that a resource is gone.
    ///
    /// Custom resources may need a moment after the start of a server.
    var absentConfirmed = Duration.seconds(10)
    /// About how often a resource that is not served is looked for.
    var absentRetry = Duration.seconds(60)
    /// The time for which the server's answer about its groups is cached.
    var discoveryFreshness = Duration.milliseconds(500)
    /// The time for which a group may be out of service before its other version is used.
    var unavailable = Duration.seconds(10)
    /// The time for a whole list, or for the objects at the beginning of a watch.
    var wholeList = Duration.seconds(900)
    /// The time for which a resource may fail, while the server answers, before it is logged.
    var failureNamed = Duration.seconds(30)

    /// After how long the part of a list that has arrived is delivered to the observer.
    var batch = Duration.milliseconds(100)
}
