import FlowModel

/// The few lowest of many ports, each once, ascending.
struct LowestPorts {
    private var ports = InlineArray<4, UInt16>(repeating: 0)
    private(set) var count = 0

    /// The largest number of ports that are kept.
    static var limit: Int { min(FlowRecord.natOutgoingPortLimit, 4) }

    /// The port at a position below ``count``.
    subscript(position: Int) -> UInt16 { ports[position] }

    /// Adds a port.
    mutating func add(_ port: UInt16) {
        var position = 0
        while position < count, ports[position] < port { position += 1 }
        if position == Self.limit || position < count && ports[position] == port { return }
        if count < Self.limit { count += 1 }
        var last = count - 1
        while last > position {
            ports[last] = ports[last - 1]
            last -= 1
        }
        ports[position] = port
    }

    /// Whether a port is kept.
    func contains(_ port: UInt16) -> Bool {
        (0..<count).contains { ports[$0] == port }
    }
}

/// The source ports after source NAT of a group's flows.
struct TranslatedPorts {
    private var active = LowestPorts()
    private var ended = LowestPorts()

    /// Adds the port of a flow.
    mutating func add(_ port: UInt16, isActive: Bool) {
        if isActive { active.add(port) } else { ended.add(port) }
    }

    /// The ports for a record, ascending: the lowest ports of active flows, then the lowest ports of flows that ended.
    var selection: [UInt16] {
        var chosen = (0..<active.count).map { active[$0] }
        for position in 0..<ended.count where chosen.count < LowestPorts.limit && !active.contains(ended[position]) {
            chosen.append(ended[position])
        }
        return chosen.sorted()
    }
}
