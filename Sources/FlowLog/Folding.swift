import FlowModel

/// Folds flows into groups by the configured levels, and unfolds groups into records.
///
/// Holds what tuples and group keys have numbers for: every address and every endpoint identity once, for as long as a
/// flow or a group names it. Who got a tuple or a key from here gives it back with `release`.
struct Folding {
    private let configuration: FlowLogConfiguration
    private var addresses = InternTable<IPAddress>()
    private var endpoints = EndpointTable()

    /// Folds to the levels of a configuration.
    init(configuration: FlowLogConfiguration) {
        self.configuration = configuration
    }

    /// Forgets which endpoint objects were seen in the interval before.
    mutating func beginInterval() {
        endpoints.forgetRecent()
    }

    /// How many addresses and identities are in use.
    var counts: (addresses: Int, identities: Int) { (addresses.count, endpoints.count) }
}

// MARK: - Tuples

extension Folding {
    /// The tuple of a conversation as one of its ends sees it.
    mutating func tuple(of conversation: Conversation, localEnd: InterfaceEnd) -> FlowTuple {
        // ICMP's two numbers are not the ends': they keep their places.
        let firstEnd = conversation.proto.isICMP ? .near : localEnd
        return FlowTuple(
            localAddress: addresses.acquire(conversation.address(of: localEnd)).number,
            remoteAddress: addresses.acquire(conversation.address(of: localEnd.other)).number,
            localPort: conversation.port(of: firstEnd),
            remotePort: conversation.port(of: firstEnd.other),
            proto: conversation.proto
        )
    }

    /// Gives a tuple back.
    mutating func release(_ tuple: FlowTuple) {
        addresses.release(tuple.localAddress)
        addresses.release(tuple.remoteAddress)
    }
}

// MARK: - Groups

extension Folding {
    /// The key of the group that a flow counts for.
    ///
    /// - Parameters:
    ///   - tuple: the flow's tuple.
    ///   - local: who owns the local address.
    ///   - remote: who owns the remote address.
    ///   - reporter: source if the local end began.
    ///   - action: what happened to the packets.
    /// - Returns: the key, without what the action's level folds away.
    mutating func key(
        of tuple: FlowTuple,
        local: Endpoint,
        remote: Endpoint,
        reporter: FlowReporter,
        action: FlowAction
    ) -> GroupKey {
        let level = configuration.level(for: action)
        let keepsAddresses = level < .podPrefix
        let localBegan = reporter == .source
        let inOrder = localBegan || tuple.proto.isICMP
        let sourcePort = inOrder ? tuple.localPort : tuple.remotePort
        let destinationPort = inOrder ? tuple.remotePort : tuple.localPort
        let key = GroupKey(
            sourceAddress: keepsAddresses ? (localBegan ? tuple.localAddress : tuple.remoteAddress) : GroupKey.folded,
            destinationAddress: keepsAddresses
                ? (localBegan ? tuple.remoteAddress : tuple.localAddress) : GroupKey.folded,
            source: endpoints.acquire(localBegan ? local : remote, named: keepsAddresses),
            destination: endpoints.acquire(localBegan ? remote : local, named: keepsAddresses),
            sourcePort: level < .sourcePort ? sourcePort : 0,
            destinationPort: level < .noDestinationPort ? destinationPort : 0,
            proto: tuple.proto,
            reporter: reporter,
            action: action
        )
        if keepsAddresses {
            addresses.retain(key.sourceAddress)
            addresses.retain(key.destinationAddress)
        }
        return key
    }

    /// Gives a key back.
    mutating func release(_ key: GroupKey) {
        endpoints.release(key.source)
        endpoints.release(key.destination)
        if key.sourceAddress != GroupKey.folded {
            addresses.release(key.sourceAddress)
            addresses.release(key.destinationAddress)
        }
    }
}

// MARK: - Records

extension Folding {
    /// The record of a group.
    func record(of report: GroupReport, in interval: ClosedRange<Int64>) -> FlowRecord {
        let key = report.key
        let level = configuration.level(for: key.action)
        return FlowRecord(
            startTime: interval.lowerBound,
            endTime: interval.upperBound,
            level: level,
            source: FlowRecord.End(
                address: address(key.sourceAddress),
                port: level < .sourcePort ? key.sourcePort : nil,
                endpoint: endpoints[key.source]
            ),
            destination: FlowRecord.End(
                address: address(key.destinationAddress),
                port: level < .noDestinationPort ? key.destinationPort : nil,
                endpoint: endpoints[key.destination]
            ),
            proto: key.proto,
            action: key.action,
            reporter: key.reporter,
            inbound: report.traffic.inbound,
            outbound: report.traffic.outbound,
            flows: FlowCounts(
                total: UInt64(report.counts.total),
                started: UInt64(report.counts.started),
                completed: UInt64(report.counts.completed)
            )
        )
    }

    private func address(_ number: UInt32) -> IPAddress? {
        number == GroupKey.folded ? nil : addresses[number]
    }
}
