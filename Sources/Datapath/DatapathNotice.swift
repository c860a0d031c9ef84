public import FlowModel

extension Datapath {
    /// What happened to an interface, or to the datapath as a whole.
    public enum Notice: Sendable, Hashable {
        /// Watching began, in a role that it has for a reason.
        case attached(name: String, index: UInt32, role: InterfaceRole, reason: RoleReason, mechanism: String)
        /// Flows that are born from now on have another role; those that are counted keep theirs.
        case roleChanged(name: String, index: UInt32, role: InterfaceRole, reason: RoleReason)
        /// Watching ended: the interface is gone, or no longer selected.
        case detached(name: String, index: UInt32)
        /// It was given another name.
        case renamed(from: String, to: String)
        /// Somebody had removed the programs, and they are back; what the interface carried meanwhile, by its own counters, is
        /// in no flow.
        case reattached(name: String, index: UInt32, ingress: TrafficCounters, egress: TrafficCounters)
        /// Somebody has removed the programs, and they cannot be put back; tried again with each scan.
        case removed(name: String, reason: String)
        /// Maps and links end with the process, for a reason in plain words: what is counted while no agent runs is lost.
        case unpinned(reason: String)
        /// The flow table of an agent before goes on, with so many flows and interfaces.
        case resumed(flows: Int, interfaces: Int)
        /// The flow table of an agent before has another layout; it is read to its end, and removed then.
        case draining(layout: String)
        /// The flow table of an agent before cannot be read by this version: what was counted there and not reported is lost
        /// with it, or `weir` of the version before reads it.
        case unreadable(layout: String)
        /// It cannot be watched; tried again when the interfaces change.
        case failed(name: String, reason: String)
        /// It is selected and not watched, because its packets are counted elsewhere; said once.
        case leftOut(name: String, because: LeftOutReason)
        /// One stands on the other and both are watched: packets that cross both are counted twice. Said once.
        case countedTwice(upper: String, lower: String)
        /// The kernel's drops are not counted, for a reason in plain words; everything else is.
        case dropsUnavailable(reason: String)
        /// Sockets are not read, for a reason in plain words; everything else is.
        case socketsUnavailable(reason: String)
        /// Sockets are read, but not those that are older than the run, or not all of these, for a reason in plain words.
        case olderSocketsUnavailable(reason: String)
        /// The kernel keeps the addresses of its functions to itself, so drops without a reason are not told apart: those of
        /// XDP programs and of nfqueues.
        case addressesHidden
    }
}
