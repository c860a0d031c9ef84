@testable import ClusterSource

extension KubernetesTimes {
    /// The default times, a hundred and more times shorter.
    static let short = {
        var times = KubernetesTimes()
        times.connect = .seconds(2)
        times.listAnswer = .seconds(2)
        times.listIdle = .seconds(60)
        times.answer = .seconds(2)
        times.watchSilence = .seconds(60)
        times.backoff = .milliseconds(5)
        times.longestBackoff = .milliseconds(50)
        times.comeback = .milliseconds(5)
        times.steady = .milliseconds(200)
        times.forbiddenNamed = .milliseconds(40)
        times.forbiddenRetry = .milliseconds(30)
        times.absentConfirmed = .milliseconds(20)
        times.absentRetry = .milliseconds(40)
        times.discoveryFreshness = .milliseconds(5)
        times.unavailable = .milliseconds(30)
        times.failureNamed = .milliseconds(50)
        times.batch = .milliseconds(1)
        return times
    }()

    /// These times with others.
    func with(_ change: (inout KubernetesTimes) -> Void) -> KubernetesTimes {
        var times = self
        change(&times)
        return times
    }
}

/// Waits until a condition is met.
///
/// - Returns: whether the condition was met in time.
func eventually(
    within limit: Duration = .seconds(60),
    _ condition: @Sendable () -> Bool
) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while !condition() {
        guard ContinuousClock.now < deadline else { return false }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return true
}
