public import FlowModel

extension FlowAggregator {
    /// The amount of kept state, and the counts of faults.
    public struct Statistics: Sendable, Equatable {
        /// Active flows that are reported.
        public var liveFlows = 0
        /// Groups for which the next flush emits a record.
        public var groups = 0
        /// Datapath flows that are not reported because neither end belongs to this node.
        public var unreportedFlows = 0
        /// Datapath flows that are held back, at most until the next flush, because a name may become known.
        public var heldFlows = 0
        /// Flows that ended in this interval; they are kept until its end.
        public var endedFlows = 0
        /// Deltas, drops and ends of unknown flow identifiers, since the beginning.
        public var unknownFlowIDs: UInt64 = 0
        /// Datapath flows with denied packets.
        public var deniedFlows = 0
        /// Denied packets that are in no record, since the beginning.
        ///
        /// Neither end belongs to this node, or fewer packets were counted than denied.
        public var unrecordedDenials: UInt64 = 0
        /// Connections that are in no record with `reporter` `fwd` although policies govern them, since the beginning.
        ///
        /// The cause is too many different traces of policies. A connection counts again each time that names change.
        public var untracedForwards: UInt64 = 0
        /// Traffic that the datapath counted in no flow, since the beginning; its records have no other end.
        public var remainder = TrafficCounters.zero
        /// Flows that were counted in the remainder of their endpoint for lack of memory, since the beginning.
        public var foldedFlows: UInt64 = 0
        /// The traffic of folded flows, since the beginning.
        public var folded = TrafficCounters.zero
        /// Flows in records with less detail than their level, for lack of memory, since the beginning.
        public var coarseFlows: UInt64 = 0
        /// The estimated memory of all kept state, bytes.
        public var memory = 0
        /// Traffic that is in no record, since the beginning; for active flows, until the last flush.
        public var unrecorded = UnrecordedTraffic()
        /// Connections that policies allow and the datapath denied, since the beginning.
        public var unexpectedDenials: UInt64 = 0
        /// Connections that policies deny and the datapath allowed, since the beginning.
        public var unexpectedAllowances: UInt64 = 0
        /// Packets that workloads sent with source addresses of other endpoints, since the beginning.
        public var foreignPackets: UInt64 = 0
    }

    /// The number of names that flows and groups need.
    var nameCounts: NameCounts { ledger.nameCounts }

    /// The amount of state that is kept now; O(1).
    public var statistics: Statistics {
        Statistics(
            liveFlows: ledger.liveFlows,
            groups: ledger.groupCount,
            unreportedFlows: waiting.count,
            heldFlows: held.count,
            endedFlows: ledger.endedFlows,
            unknownFlowIDs: unknownFlowIDs,
            deniedFlows: deniedFlows.count,
            unrecordedDenials: unrecordedDenials + logged.lost,
            untracedForwards: forwardTraces.refused,
            remainder: uncountedFlows,
            foldedFlows: foldedFlows,
            folded: folded,
            coarseFlows: ledger.coarseFlows,
            memory: usedMemory,
            unrecorded: unrecorded,
            unexpectedDenials: mismatches.denied,
            unexpectedAllowances: mismatches.allowed,
            foreignPackets: foreign.packets
        )
    }
}
