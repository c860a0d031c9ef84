import FlowModel

/// Makes batches as the datapath does, resolvers as the inventory does, and a tracker with some of the connections.
struct RandomWorld {
    var random: SplitMix64
    var resolver = FakeResolver()
    let tracker = FakeTracker()
    var time: Int64 = 1000
    /// Whether all interfaces are workloads', so that every flow is reported.
    let onlyWorkloads: Bool
    /// Whether the kernel tracks nothing.
    let tracksNothing: Bool
    /// Whether the host has no address of its own.
    let ownsNothing: Bool
    /// The sum of all deltas.
    private(set) var fed = TrafficCounters.zero
    private var connections: [TrackedConnection] = []
    private(set) var live: Set<UInt32> = []
    /// IDs of flows without a reported end: those of live flows, and those that a later birth uses again.
    private var open: Set<UInt32> = []

    private static let addresses = (1...5).map { IPAddress(10, 0, 0, $0) } + [IPAddress(ipv6High: 1, low: 1)]
    private static let protocols = [.tcp, .tcp, .tcp, .udp, .icmp, .icmp6, IPProtocol(rawValue: 47)]
    private static let labels = [nil, [], ["a=1"], ["a=1", "b=1"], ["a=1", "b=2"], ["a=1", "b=1", "c=1"]]
        .map { $0.map(LabelSet.init(sorted:)) }

    init(seed: UInt64, onlyWorkloads: Bool, tracksNothing: Bool = false, ownsNothing: Bool = false) {
        random = SplitMix64(seed: seed)
        self.onlyWorkloads = onlyWorkloads
        self.tracksNothing = tracksNothing
        self.ownsNothing = ownsNothing
        changeCluster()
        changeConnections()
    }

    private mutating func chance(_ parts: Int, of whole: Int) -> Bool {
        Int.random(in: 0..<whole, using: &random) < parts
    }

    private mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: 0..<values.count, using: &random)]
    }
}

// MARK: - The cluster

extension RandomWorld {
    /// Moves the clock, sometimes backwards.
    mutating func passTime() {
        time += Int64.random(in: -20..<300, using: &random)
    }

    /// A few addresses get another owner, or their owner other labels; the generation grows, now and then without
    /// reason.
    mutating func changeCluster() {
        resolver.generation += 1
        for address in Self.addresses where chance(1, of: 2) {
            if !ownsNothing { setMembership(of: address, in: \.own, chance(1, of: 4)) }
            setMembership(of: address, in: \.localWorkloads, chance(1, of: 4))
            changeOwner(of: address)
        }
        if chance(1, of: 2) {
            resolver.workloadRanges = chance(1, of: 2) ? [] : IPPrefix("10.0.0.0/29").map { [$0] } ?? []
        }
        if chance(1, of: 3) { changeServices() }
        if chance(1, of: 4) { changeNetworkSets() }
    }

    private mutating func setMembership(
        of address: IPAddress,
        in set: WritableKeyPath<FakeResolver, Set<IPAddress>>,
        _ isMember: Bool
    ) {
        if isMember { resolver[keyPath: set].insert(address) } else { resolver[keyPath: set].remove(address) }
    }

    private mutating func changeOwner(of address: IPAddress) {
        if chance(1, of: 3) {
            resolver.owners[address] = nil
        } else if let owner = resolver.owners[address], chance(1, of: 2) {
            // The names of an object do not change, but for those of a host.
            resolver.owners[address] = Endpoint(
                replacing: owner,
                kind: owner.kind,
                name: owner.name,
                aggregatedName: owner.kind == .host ? pick(["web-*", "api-*"]) : owner.aggregatedName,
                namespace: owner.namespace,
                labels: pick(Self.labels)
            )
        } else {
            resolver.owners[address] = endpoint(pick([.workload, .workload, .workload, .host]))
        }
    }

    private mutating func endpoint(_ kind: Endpoint.Kind) -> Endpoint {
        let aggregatedName = pick(["web-*", "api-*"])
        return Endpoint(
            kind: kind,
            name: aggregatedName + pick(["a", "b"]),
            aggregatedName: aggregatedName,
            namespace: chance(1, of: 2) ? "shop" : nil,
            labels: pick(Self.labels)
        )
    }

    private mutating func changeServices() {
        resolver.services = [:]
        resolver.backends = []
        for address in Self.addresses {
            for port in [80, 443] as [UInt16] {
                let place = ServiceAddress(address: address, port: port, proto: pick([.tcp, .udp]))
                if chance(1, of: 3) {
                    resolver.services[place] = ServicePort(
                        namespace: "shop",
                        name: pick(["web", "api"]),
                        portName: pick([nil, "http", "alt"]),
                        port: port
                    )
                }
                if chance(1, of: 3) { resolver.backends.insert(place) }
            }
        }
    }

    private mutating func changeNetworkSets() {
        resolver.networkSets = ["10.0.0.0/30", "10.0.0.4/30"].compactMap { IPPrefix($0) }.compactMap { prefix in
            chance(1, of: 2) ? (prefix, endpoint(.networkSet)) : nil
        }
    }

    /// The kernel tracks other connections now: some as they were seen, some translated at one end or at both.
    mutating func changeConnections() {
        tracker.removeAll()
        connections = []
        for _ in 0..<50 {
            let original = tuple(pick(Self.protocols))
            var reply = original
            (reply.source, reply.destination) = (original.destination, original.source)
            if chance(1, of: 2) { reply.source = pick(Self.addresses) }
            if chance(1, of: 2) { reply.destination = pick(Self.addresses) }
            if [1, 58].contains(original.proto.rawValue) {
                reply.destinationPort = original.destinationPort == 8 << 8 ? 0 : 129 << 8
            } else {
                (reply.sourcePort, reply.destinationPort) = (original.destinationPort, original.sourcePort)
                if chance(1, of: 2) { reply.sourcePort = pick([80, 443]) }
                if chance(1, of: 2) { reply.destinationPort = UInt16.random(in: 1000..<1006, using: &random) }
            }
            connections.append(TrackedConnection(original: original, reply: reply))
            if chance(1, of: 4) { addCrowd(behind: pick(Self.addresses)) }
            // Only some of the connections are tracked.
            if !tracksNothing, chance(3, of: 4) { tracker.add(TrackedConnection(original: original, reply: reply)) }
        }
    }

    /// Several connections from one end to another one, all with another source port after source NAT.
    private mutating func addCrowd(behind gateway: IPAddress) {
        var original = tuple(.tcp)
        for port in 1000..<1006 as Range<UInt16> where chance(2, of: 3) {
            original.sourcePort = port &+ 40000
            var reply = original
            (reply.source, reply.destination) = (original.destination, gateway)
            (reply.sourcePort, reply.destinationPort) = (original.destinationPort, port)
            connections.append(TrackedConnection(original: original, reply: reply))
            if !tracksNothing { tracker.add(TrackedConnection(original: original, reply: reply)) }
        }
    }

    private mutating func tuple(_ proto: IPProtocol) -> TrackedConnection.Tuple {
        let ports = ports(of: proto)
        return TrackedConnection.Tuple(
            source: pick(Self.addresses),
            destination: pick(Self.addresses),
            sourcePort: ports.0,
            destinationPort: ports.1,
            proto: proto
        )
    }

    private mutating func ports(of proto: IPProtocol) -> (UInt16, UInt16) {
        switch proto {
        case .icmp: (pick([7, 8]), pick([8 << 8, 3 << 8]))
        case .icmp6: (pick([7, 8]), pick([128 << 8, 135 << 8]))
        case IPProtocol(rawValue: 47): (0, 0)
        default: (pick([80, 443, 40000]), pick([80, 443, 40000]))
        }
    }
}

// MARK: - The datapath

extension RandomWorld {
    mutating func batch() -> FlowBatch {
        var batch = FlowBatch()
        let before = live
        for flowID in 0..<12 as Range<UInt32> where !before.contains(flowID) {
            guard chance(1, of: 3) else { continue }
            batch.births.append(birth(flowID))
            live.insert(flowID)
            open.insert(flowID)
        }
        for flowID in live.sorted() where chance(1, of: 2) {
            let delta = delta(flowID)
            batch.deltas.append(delta)
            fed += delta.ingress
            fed += delta.egress
        }
        for flowID in live.sorted() where chance(1, of: 4) {
            // Most flows that end lived longer than one batch.
            guard before.contains(flowID) || chance(1, of: 2) else { continue }
            // Sometimes the end is not reported, and a later birth uses the ID again.
            if chance(9, of: 10) {
                batch.ends.append(flowID)
                open.remove(flowID)
            }
            live.remove(flowID)
        }
        return batch
    }

    mutating func lastBatch() -> FlowBatch {
        var batch = FlowBatch()
        batch.ends = open.sorted()
        (live, open) = ([], [])
        return batch
    }

    private mutating func birth(_ flowID: UInt32) -> FlowBirth {
        var packets = tuple(pick(Self.protocols))
        let nearBegan = chance(1, of: 2)
        if chance(2, of: 3) { packets = seen(pick(connections), isTranslated: !nearBegan) }
        let inOrder = nearBegan || [1, 58].contains(packets.proto.rawValue)
        let key = FlowKey(
            interfaceIndex: UInt32.random(in: 1...3, using: &random),
            near: nearBegan ? packets.source : packets.destination,
            far: nearBegan ? packets.destination : packets.source,
            nearPort: inOrder ? packets.sourcePort : packets.destinationPort,
            farPort: inOrder ? packets.destinationPort : packets.sourcePort,
            proto: packets.proto
        )
        // Mostly the marks are right.
        let marks: FlowMarks = nearBegan ? .openedIngress : [.openedEgress, .firstEgress]
        var birth = FlowBirth(
            flowID: flowID,
            key: key,
            role: onlyWorkloads || chance(1, of: 2) ? .workload : .host,
            marks: chance(2, of: 3) ? marks : FlowMarks(rawValue: UInt32.random(in: 0..<32, using: &random) << 16),
            joined: chance(1, of: 2)
        )
        // An answer alone waits for its opening, at a workload's interface; the reference has no such flows.
        if birth.marks.isLoneAnswer(of: key.proto) { birth.marks.insert(.openedIngress) }
        return birth
    }

    /// Packets of the originator: where they enter the node, or where they leave it after the translation; sometimes
    /// the other way round.
    private mutating func seen(_ connection: TrackedConnection, isTranslated: Bool) -> TrackedConnection.Tuple {
        guard chance(1, of: 8) != isTranslated else { return connection.original }
        let reply = connection.reply
        var packets = reply
        (packets.source, packets.destination) = (reply.destination, reply.source)
        if [1, 58].contains(reply.proto.rawValue) {
            packets.destinationPort = connection.original.destinationPort
        } else {
            (packets.sourcePort, packets.destinationPort) = (reply.destinationPort, reply.sourcePort)
        }
        return packets
    }

    private mutating func delta(_ flowID: UInt32) -> FlowDelta {
        FlowDelta(flowID: flowID, ingress: counters(), egress: counters())
    }

    private mutating func counters() -> TrafficCounters {
        TrafficCounters(
            packets: UInt64.random(in: 0..<10, using: &random),
            bytes: UInt64.random(in: 0..<10000, using: &random)
        )
    }
}
