import Glibc

/// What the calling thread takes of a processor for something: the same on a machine that is busy with other things,
/// where a test may wait for its turn longer than it runs.
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
