import Logging

extension Agent {
    /// The longest time that the threads of a run may take to apply settings, beside the time in which removed outputs write
    /// their queues.
    private static let reloadLimit = Duration.seconds(60)

    /// Listens for changed settings until the run ends.
    ///
    /// - Parameters:
    ///   - outputs: the outputs of the run.
    ///   - sources: the sources of objects.
    ///   - desk: passes reloads to the thread that reads the kernel.
    func listenForReloads(_ outputs: LiveOutputs, _ sources: InventorySources, _ desk: ReloadDesk) {
        let (limit, logger) = (Self.reloadLimit + configuration.finishLimit, logger)
        configuration.reloads.onReload { new throws(AgentError) in
            let isInventoryLive = try sources.check(new.inventory.paths)
            let reload = Reload(new, outputs: try outputs.plan(new.outputs))
            guard desk.put(reload) else {
                for output in reload.outputs.opened.values { output.stop(by: .now) }
                throw .reload("the run is ending")
            }
            guard let faults = reload.wait(atMost: limit) else {
                throw .reload("the run is ending, or its threads are stuck")
            }
            for fault in faults { logger.error("\(fault)") }
            if isInventoryLive { sources.use(new.inventory.paths) }
            return isInventoryLive ? [] : ["inventory"]
        }
    }
}
