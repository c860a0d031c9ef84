import FlowModel

/// What the aggregator must do, written for certainty: everything is a set or a dictionary, and names are text.
struct ReferenceFlowLog {
    /// One 5-tuple as its reporting end sees it.
    private struct Tuple: Hashable {
        var local: IPAddress
        var remote: IPAddress
        var ports: [UInt16]
        var proto: UInt8
    }

    /// Everything a record shows but its times and numbers.
    private struct Group: Hashable {
        var text: String
        var reporter: String
    }

    private struct Content {
        var active: Set<Tuple> = []
        var seen: Set<Tuple> = []
        var started: Set<Tuple> = []
        var completed: Set<Tuple> = []
        var inbound = TrafficCounters.zero
        var outbound = TrafficCounters.zero
    }

    private struct Numbered {
        var birth: FlowBirth
        var generation: UInt64
        var tuple: Tuple?
        var localIsNear = false
    }

    private let level: Int
    private var resolver: TableResolver
    private var start: Int64
    private var numbers: [UInt32: Numbered] = [:]
    private var running: [Tuple: (group: Group, numbers: Set<UInt32>)] = [:]
    private var groups: [Group: Content] = [:]
    /// The sum of the deltas of all flows that were reported when they came.
    private(set) var reported = TrafficCounters.zero

    init(level: AggregationLevel, resolver: TableResolver, startTime: Int64) {
        self.level = level.rawValue
        self.resolver = resolver
        start = startTime
    }

    var unreported: Int { numbers.values.filter { $0.tuple == nil }.count }
    var live: Int { running.count }

    mutating func use(_ resolver: TableResolver) {
        self.resolver = resolver
    }

    mutating func process(_ batch: FlowBatch) {
        for birth in batch.births {
            numbers[birth.number] = Numbered(birth: birth, generation: resolver.generation, tuple: nil)
            report(birth.number)
        }
        for delta in batch.deltas { add(delta) }
        for number in batch.ends { end(number) }
    }

    mutating func flush(at time: Int64) -> [RecordText] {
        let end = max(start, time)
        let records = groups.map { group, content in
            RecordText(
                """
                \(start)-\(end) level \(level) \(group.text) \(group.reporter) allow \
                in \(content.inbound.packets)/\(content.inbound.bytes) \
                out \(content.outbound.packets)/\(content.outbound.bytes) \
                flows \(content.seen.count)/\(content.started.count)/\(content.completed.count)
                """
            )
        }
        start = end
        groups = groups.compactMapValues { content in
            content.active.isEmpty ? nil : Content(active: content.active, seen: content.active)
        }
        return records.sorted()
    }

    private mutating func add(_ delta: FlowDelta) {
        guard var numbered = numbers[delta.number] else { return }
        if numbered.tuple == nil, resolver.generation > numbered.generation {
            numbers[delta.number]?.generation = resolver.generation
            report(delta.number)
            numbered = numbers[delta.number] ?? numbered
        }
        guard let tuple = numbered.tuple, let group = running[tuple]?.group else { return }
        let localIsNear = numbered.localIsNear
        groups[group]?.inbound += localIsNear ? delta.egress : delta.ingress
        groups[group]?.outbound += localIsNear ? delta.ingress : delta.egress
        reported += delta.ingress
        reported += delta.egress
    }

    private mutating func end(_ number: UInt32) {
        guard let tuple = numbers.removeValue(forKey: number)?.tuple, var flow = running[tuple] else { return }
        flow.numbers.remove(number)
        running[tuple] = flow.numbers.isEmpty ? nil : flow
        if flow.numbers.isEmpty {
            groups[flow.group]?.active.remove(tuple)
            groups[flow.group]?.completed.insert(tuple)
        }
    }

    private mutating func report(_ number: UInt32) {
        guard let birth = numbers[number]?.birth, let localIsNear = localIsNear(birth) else { return }
        let key = birth.key
        let isICMP = [1, 58].contains(key.proto.rawValue)
        let tuple = Tuple(
            local: localIsNear ? key.near : key.far,
            remote: localIsNear ? key.far : key.near,
            ports: localIsNear || isICMP ? [key.nearPort, key.farPort] : [key.farPort, key.nearPort],
            proto: key.proto.rawValue
        )
        numbers[number]?.tuple = tuple
        numbers[number]?.localIsNear = localIsNear
        if running[tuple] != nil {
            running[tuple]?.numbers.insert(number)
            return
        }
        let group = group(birth, reporter: localIsNear == nearBegan(birth) ? "src" : "dst")
        running[tuple] = (group, [number])
        groups[group, default: Content()].active.insert(tuple)
        groups[group]?.seen.insert(tuple)
        groups[group]?.started.insert(tuple)
    }
}

// MARK: - Rules

extension ReferenceFlowLog {
    private func localIsNear(_ birth: FlowBirth) -> Bool? {
        if birth.role == .workload { return true }
        switch (resolver.own.contains(birth.key.near), resolver.own.contains(birth.key.far)) {
        case (_, true): return false
        case (true, false): return true
        case (false, false): return nil
        }
    }

    private func nearBegan(_ birth: FlowBirth) -> Bool {
        let nearSpokeFirst = !birth.marks.contains(.firstEgress)
        let seen = [FlowMarks.openedIngress, .openedEgress, .acceptedIngress, .acceptedEgress].map {
            birth.marks.contains($0)
        }
        switch (seen[0], seen[1], seen[2], seen[3]) {
        case (true, false, _, _): return true
        case (false, true, _, _): return false
        case (true, true, _, _): return nearSpokeFirst
        case (false, false, true, false): return false
        case (false, false, false, true): return true
        default:
            let (near, far) = (birth.key.nearPort, birth.key.farPort)
            let portsTell = birth.joined && near != far && [6, 17, 132].contains(birth.key.proto.rawValue)
            return portsTell ? near > far : nearSpokeFirst
        }
    }

    private func group(_ birth: FlowBirth, reporter: String) -> Group {
        let key = birth.key
        let isICMP = [1, 58].contains(key.proto.rawValue)
        let nearBegan = nearBegan(birth)
        let ports = nearBegan || isICMP ? [key.nearPort, key.farPort] : [key.farPort, key.nearPort]
        func end(_ address: IPAddress, _ port: UInt16, portUpTo: Int) -> String {
            let owner = resolver.endpoint(at: address)
            let names = "\(owner.namespace ?? "-")/\(owner.aggregatedName)/\(level < 2 ? owner.name : "-")"
            let shownPort = level <= portUpTo ? String(port) : "*"
            return "\(level < 2 ? address.description : "*"):\(shownPort) \(owner.kind.rawValue)(\(names))"
        }
        let source = end(nearBegan ? key.near : key.far, ports[0], portUpTo: 0)
        let destination = end(nearBegan ? key.far : key.near, ports[1], portUpTo: 2)
        return Group(text: "\(key.proto.name) \(source) > \(destination)", reporter: reporter)
    }
}
