public import FlowModel

/// Socket statistics, TCP flags and DNS lookups of flows.
extension FlowAggregator {
    /// Adds TCP flags that flows did not have before.
    mutating func add(_ flags: borrowing [FlowFlags]) {
        for index in flags.indices {
            let (flowID, flags) = (flags[index].flowID, flags[index].flags)
            ledger.add(flags, of: flowID, to: ledgerFlow(of: flowID))
        }
    }

    /// Returns the ledger's flow that a datapath flow counts for.
    private func ledgerFlow(of flowID: UInt32) -> UInt32? {
        switch states[flowID] {
        case .reported(let flow): flow.flow
        case .denied(let place): deniedFlows[place].own?.flow
        case .held, .waiting, .folded, .unused: nil
        }
    }

    /// Adds the answered DNS queries of a scan to their flows, which have begun or begin with that scan.
    ///
    /// Lookups of an earlier call whose flows have not begun are discarded: the scan did not find these flows.
    public mutating func add(_ lookups: [FlowLookup]) {
        if !earlyLookups.isEmpty { earlyLookups.removeAll(keepingCapacity: true) }
        for lookup in lookups {
            if states[lookup.flowID] == .unused || heldEnds.contains(lookup.flowID) {
                earlyLookups[lookup.flowID, default: []].append(lookup)
            } else {
                add(FlowSocket(lookup))
            }
        }
    }

    /// Adds lookups that were received before their flows began.
    mutating func takeEarlyLookups(of births: borrowing [FlowBirth]) {
        guard !earlyLookups.isEmpty else { return }
        for index in births.indices {
            guard let early = earlyLookups.removeValue(forKey: births[index].flowID) else { continue }
            let key = births[index].key
            for lookup in early where key.proto == .udp {
                let port = lookup.isNear ? key.nearPort : key.farPort
                if port == lookup.clientPort { add(FlowSocket(lookup)) }
            }
        }
    }

    /// Adds socket statistics; statistics of the other end's socket are ignored.
    mutating func add(_ sockets: borrowing [FlowSocket]) {
        for index in sockets.indices { add(sockets[index]) }
    }

    /// Adds the statistics of one socket.
    mutating func add(_ socket: borrowing FlowSocket) {
        switch states[socket.flowID] {
        case .reported(let flow):
            guard (flow.localEnd == .near) == socket.isNear else { return }
            ledger.add(socket, to: flow.flow, in: flow.group)
        case .held(let place, _):
            held[place].add(copy socket)
        case .denied(let place):
            keep(copy socket, at: place)
        case .waiting, .folded, .unused:
            break
        }
    }

    /// Assigns a flow that has begun again to the process that it had before: an idle flow does not report it again.
    ///
    /// - Parameters:
    ///   - process: the process that owns the local end's socket; nil if it is not known.
    ///   - flowID: the datapath's identifier.
    ///   - localEnd: the end that the flow is reported for.
    mutating func handOn(_ process: FlowProcess?, to flowID: UInt32, localEnd: InterfaceEnd) {
        guard let process else { return }
        add(FlowSocket(flowID: flowID, isNear: localEnd == .near, statistics: nil, process: process))
    }
}

extension FlowSocket {
    fileprivate init(_ lookup: FlowLookup) {
        self.init(
            flowID: lookup.flowID,
            isNear: lookup.isNear,
            statistics: nil,
            lookups: TCPStatistics.Gauge(lookup.latency)
        )
    }
}
