extension Reflector {
    /// Starts a timer for the machine's limit, so that it takes effect in time: during a pause, and while a request hangs.
    func awaitLimit() {
        let limit = machine.limit
        guard limit != limitAwaited else { return }
        limitAlarm?.cancel()
        limitAwaited = limit
        limitAlarm = limit.map { limit in
            Task { [weak self] in
                try? await Task.sleep(until: limit, clock: .continuous)
                if !Task.isCancelled { await self?.reachLimit() }
            }
        }
    }

    /// Cancels the timer.
    func endLimit() {
        limitAlarm?.cancel()
        limitAlarm = nil
    }

    private func reachLimit() async {
        limitAwaited = nil
        // A list that delivers objects shows their present state; if it ends early, the limit is checked again.
        guard !(machine.isReplacing && listed > 0) else { return }
        follow(machine.expired(at: .now))
        await deliver()
    }
}
