extension Reflector {
    /// Waits for the limit, so that it takes effect on time: during a pause, and while a request hangs.
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

    /// Stops waiting for it.
    func endLimit() {
        limitAlarm?.cancel()
        limitAlarm = nil
    }

    private func reachLimit() async {
        limitAwaited = nil
        // A list that brings objects shows their present state; if it ends early, this is evaluated again.
        guard !(machine.isReplacing && listed > 0) else { return }
        follow(machine.expired(at: .now))
        await deliver()
    }
}
