public import FlowModel

extension Datapath {
    /// An event of an interface, or of the datapath as a whole.
    public enum Notice: Sendable, Hashable {
        /// Watching began, in a role that the interface has for a reason.
        case attached(name: String, index: UInt32, role: InterfaceRole, reason: RoleReason, mechanism: String)
        /// Flows that are born from now on have another role; those that are counted keep theirs.
        case roleChanged(name: String, index: UInt32, role: InterfaceRole, reason: RoleReason)
        /// Watching ended: the interface is gone, or no longer selected.
        case detached(name: String, index: UInt32)
        /// The interface was renamed.
        case renamed(from: String, to: String)
        /// Another program had removed the programs, and they are attached again.
        ///
        /// The traffic of the interface in between, by the kernel's counters, is in no flow.
        case reattached(name: String, index: UInt32, ingress: TrafficCounters, egress: TrafficCounters)
        /// Another program has removed the programs, and they cannot be attached again; each scan tries again.
        case removed(name: String, reason: String)
        /// Maps and links end with the process, for a reason in plain words: packets are not counted while no agent runs.
        case unpinned(reason: String)
        /// The flow table of a previous agent stays in use, with so many flows and interfaces.
        case resumed(flows: Int, interfaces: Int)
        /// The flow table of a previous agent has another layout; it is read to its end, and then removed.
        case draining(layout: String)
        /// The flow table of a previous agent is of another version: its counts that are in no record are reported without
        /// flows, and then it is removed.
        case drainingTotals(layout: String)
        /// The flow table of a previous agent cannot be read by this version.
        ///
        /// Counts that it has and that were not reported are lost with it, unless `weir` of the previous version reads them.
        case unreadable(layout: String)
        /// The interface cannot be watched; each change of interfaces tries again.
        case failed(name: String, reason: String)
        /// The interface is selected but not watched, because its packets are counted elsewhere; reported once.
        case leftOut(name: String, because: LeftOutReason)
        /// One interface is stacked on the other and both are watched: packets that cross both are counted twice. Reported
        /// once.
        case countedTwice(upper: String, lower: String)
        /// The kernel's drops are not counted, for a reason in plain words; everything else is.
        case dropsUnavailable(reason: String)
        /// Sockets are not read, for a reason in plain words; everything else is.
        case socketsUnavailable(reason: String)
        /// Sockets are read, but not those that are older than the run, or not all of these, for a reason in plain words.
        case olderSocketsUnavailable(reason: String)
        /// Sockets that listen get no owner, nor do those that they accept, for a reason in plain words.
        case ownersUnavailable(reason: String)
        /// Processes that are older than the run have neither path nor arguments, for a reason in plain words.
        case olderProcessesUnavailable(reason: String)
        /// Programs of processes are not remembered when they begin, for a reason in plain words: short-lived processes have neither path nor
        /// arguments.
        case processesUnavailable(reason: String)
        /// Owners of UDP sockets are not read, or not those of new sockets, for a reason in plain words.
        case datagramsUnavailable(reason: String)
        /// DNS messages are not read, for a reason in plain words; everything else is.
        case dnsUnavailable(reason: String)
        /// The kernel hides the addresses of its functions, so drops without a reason cannot be identified.
        ///
        /// These are drops by XDP programs and by nfqueues.
        case addressesHidden
        /// The agent attaches to or detaches from many interfaces without expedited grace periods, for a reason in plain words:
        /// it takes longer.
        case notExpedited(reason: String)
        /// `/sys/kernel/rcu_expedited` was still 1 for a run that was killed, and is 0 again.
        case expeditedPutBack
        /// `/sys/kernel/rcu_expedited` is 1 for Weir and cannot be set to 0, for a reason in plain words.
        case stillExpedited(reason: String)
    }
}
