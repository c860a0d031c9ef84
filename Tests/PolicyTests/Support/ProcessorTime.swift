import Glibc

/// Returns the processor time of the calling thread for a function: the same on a busy machine, where a test may wait for its
/// turn longer than it runs.
func processorTime(of body: () throws -> Void) rethrows -> Duration {
    let start = processorTime()
    try body()
    return processorTime() - start
}

private func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}
