import FlowModel

@testable import FlowLog

/// A reference for the aggregator, written for certainty: flows are objects in a list, everything else is a set or a
/// dictionary, and names are text.
struct ReferenceFlowLog {
    /// An end of a flow; it differs if the address has another owner.
    struct FlowEndpoint: Hashable {
        var address: IPAddress
        var object: UInt64
    }

    /// The owner of an address when a flow begins.
    private struct End {
        var owner: Endpoint
        var isUnknown: Bool
        var object: UInt64 { owner.kind == .network ? 0 : owner.object }
    }

    /// A 5-tuple from the view of its reporting end.
    struct Tuple: Hashable {
        var local: FlowEndpoint
        var remote: FlowEndpoint
        var ports: [UInt16]
        var proto: UInt8
    }

    /// Everything a record shows but its times and numbers, labels and translated ports.
    struct Group: Hashable {
        var source: String
        var destination: String
        var service: String
        var proto: String
        var reporter: String
        /// The ends, where addresses are shown.
        var endpoints: [FlowEndpoint]
    }

    private final class Flow {
        let tuple: Tuple
        let group: Group
        let view: ReferenceView
        var numbers: Set<UInt32> = []
        var started = false
        var completed = false
        var natPort: UInt16?

        init(tuple: Tuple, group: Group, view: ReferenceView) {
            self.tuple = tuple
            self.group = group
            self.view = view
        }
    }

    private enum Standing {
        case reported(Flow, localIsNear: Bool)
        case waiting(generation: UInt64)
        case held(ingress: TrafficCounters, egress: TrafficCounters, generation: UInt64)
    }

    private struct Number {
        var view: ReferenceView
        var standing: Standing
    }

    private typealias Renamed = (number: UInt32, view: ReferenceView, localIsNear: Bool, ends: [End])

    private struct Traffic {
        var inbound = TrafficCounters.zero
        var outbound = TrafficCounters.zero
    }

    private let level: Int
    private let tracker: FakeTracker
    private var resolver: FakeResolver
    private var start: Int64
    private var numbers: [UInt32: Number] = [:]
    /// Flows that are active or were in this interval.
    private var flows: [Flow] = []
    private var traffic: [Group: Traffic] = [:]
    /// All versions of an endpoint's owner that were seen in the interval.
    private var versions: [FlowEndpoint: [Endpoint]] = [:]
    private var unknown: Set<FlowEndpoint> = []
    /// The sum of the traffic of all flows that are reported.
    private(set) var reported = TrafficCounters.zero

    init(level: AggregationLevel, resolver: FakeResolver, tracker: FakeTracker, startTime: Int64) {
        self.level = level.rawValue
        self.resolver = resolver
        self.tracker = tracker
        start = startTime
    }

    var live: Int { flows.count { !$0.numbers.isEmpty } }

    var unreported: Int {
        numbers.values.count { if case .waiting = $0.standing { true } else { false } }
    }

    var held: Int {
        numbers.values.count { if case .held = $0.standing { true } else { false } }
    }

    mutating func use(_ resolver: FakeResolver) {
        self.resolver = resolver
    }

    mutating func process(_ batch: FlowBatch) {
        let guess = ServerGuess(batch.births, by: resolver)
        for birth in batch.births { begin(birth, guess) }
        for delta in batch.deltas { add(delta) }
        for number in batch.ends { end(number) }
    }
}

// MARK: - Numbers

extension ReferenceFlowLog {
    private mutating func begin(_ birth: FlowBirth, _ guess: ServerGuess) {
        end(birth.flowID)
        var view = ReferenceView(birth, guess)
        let localIsNear = view.settleLocalEnd(by: resolver, tracker)
        let unnamed = [view.near, view.far].map(resolver.mayBecomeKnown)
        if localIsNear == nil ? unnamed[0] : unnamed[0] || unnamed[1] {
            let standing = Standing.held(ingress: .zero, egress: .zero, generation: resolver.generation)
            numbers[birth.flowID] = Number(view: view, standing: standing)
        } else {
            settle(birth.flowID, view, localIsNear)
        }
    }

    private mutating func add(_ delta: FlowDelta) {
        guard var number = numbers[delta.flowID] else { return }
        switch number.standing {
        case .reported(let flow, let localIsNear):
            count(delta.ingress, delta.egress, for: flow, localIsNear)
        case .held(let ingress, let egress, let generation):
            number.standing = .held(
                ingress: ingress + delta.ingress,
                egress: egress + delta.egress,
                generation: resolver.generation
            )
            numbers[delta.flowID] = number
            let isNamed = ![number.view.near, number.view.far].contains(where: resolver.mayBecomeKnown)
            if generation != resolver.generation, isNamed { release(delta.flowID) }
        case .waiting(let generation):
            guard generation != resolver.generation else { return }
            let localIsNear = number.view.settleLocalEnd(by: resolver, tracker)
            settle(delta.flowID, number.view, localIsNear)
            if case .reported = numbers[delta.flowID]?.standing { add(delta) }
        }
    }

    private mutating func end(_ number: UInt32) {
        release(number)
        guard case .reported(let flow, _) = numbers.removeValue(forKey: number)?.standing else { return }
        flow.numbers.remove(number)
        if flow.numbers.isEmpty { flow.completed = true }
    }

    /// Settles a number that is held back.
    private mutating func release(_ number: UInt32) {
        guard var held = numbers[number], case .held(let ingress, let egress, _) = held.standing else { return }
        let localIsNear = held.view.settleLocalEnd(by: resolver, tracker)
        settle(number, held.view, localIsNear)
        guard let localIsNear, case .reported(let flow, _) = numbers[number]?.standing else { return }
        count(ingress, egress, for: flow, localIsNear)
    }

    private mutating func count(
        _ ingress: TrafficCounters,
        _ egress: TrafficCounters,
        for flow: Flow,
        _ localIsNear: Bool
    ) {
        traffic[flow.group, default: Traffic()].inbound += localIsNear ? egress : ingress
        traffic[flow.group, default: Traffic()].outbound += localIsNear ? ingress : egress
        reported += ingress
        reported += egress
    }

    private mutating func settle(_ number: UInt32, _ view: ReferenceView, _ localIsNear: Bool?) {
        guard let localIsNear else {
            numbers[number] = Number(view: view, standing: .waiting(generation: resolver.generation))
            return
        }
        let owners = resolver.endpoints(source: view.source, destination: view.destination)
        let ends = (
            source: End(owner: owners.source, isUnknown: resolver.mayBecomeKnown(view.source)),
            destination: End(owner: owners.destination, isUnknown: resolver.mayBecomeKnown(view.destination))
        )
        report(number, view, localIsNear, ends, service: view.service(by: resolver))
    }
}

// MARK: - Flows

extension ReferenceFlowLog {
    private mutating func report(
        _ number: UInt32,
        _ view: ReferenceView,
        _ localIsNear: Bool,
        _ ends: (source: End, destination: End),
        service: ServicePort?
    ) {
        let localIsSource = localIsNear == view.nearIsSource
        let source = note(ends.source, at: view.source)
        let destination = note(ends.destination, at: view.destination)
        let inOrder = localIsSource || view.isICMP
        let ports = [view.sourcePort, view.destinationPort]
        let tuple = Tuple(
            local: localIsSource ? source : destination,
            remote: localIsSource ? destination : source,
            ports: inOrder ? ports : ports.reversed(),
            proto: view.proto.rawValue
        )
        let group = Group(
            source: text(view.source, ports[0], ends.source.owner, portUpTo: 0),
            destination: text(view.destination, ports[1], ends.destination.owner, portUpTo: 2),
            service: text(service),
            proto: view.proto.name,
            reporter: localIsSource ? "src" : "dst",
            endpoints: level < 2 ? [source, destination] : []
        )
        let running = flows.first { $0.tuple == tuple && !$0.numbers.isEmpty }
        let ended = flows.first { $0.tuple == tuple && $0.group == group }
        let flow = running ?? ended ?? Flow(tuple: tuple, group: group, view: view.with(service: service))
        if running == nil {
            flow.started = true
            if ended == nil { flows.append(flow) }
        }
        flow.numbers.insert(number)
        flow.natPort = view.natPort ?? flow.natPort
        numbers[number] = Number(view: view, standing: .reported(flow, localIsNear: localIsNear))
    }

    /// Notes an end and the version of its owner.
    private mutating func note(_ end: End, at address: IPAddress) -> FlowEndpoint {
        let endpoint = FlowEndpoint(address: address, object: end.object)
        versions[endpoint, default: []].append(end.owner)
        if end.isUnknown { unknown.insert(endpoint) }
        return endpoint
    }

    private func text(_ address: IPAddress, _ port: UInt16, _ owner: Endpoint, portUpTo: Int) -> String {
        let names = "\(owner.namespace ?? "-")/\(owner.aggregatedName)/\(level < 2 ? owner.name : "-")"
        let shownPort = level <= portUpTo ? String(port) : "*"
        return "\(level < 2 ? address.description : "*"):\(shownPort) \(owner.kind.rawValue)(\(names))"
    }

    private func text(_ service: ServicePort?) -> String {
        guard let service else { return "-" }
        let portName = level < 3 ? service.portName ?? "-" : "-"
        return "\(service.namespace)/\(service.name)/\(portName)/\(service.port)"
    }
}

// MARK: - Intervals

extension ReferenceFlowLog {
    mutating func flush(at time: Int64) -> [RecordText] {
        for number in numbers.keys.sorted() { release(number) }
        for (endpoint, owners) in versions {
            guard let newest = owners.last, newest.kind != .network else { continue }
            versions[endpoint]?.append(resolver.refreshed(newest, at: endpoint.address))
        }
        let renamed = endRenamed()
        let end = max(start, time)
        let records = Set(flows.map(\.group)).map { record(of: $0, until: end) }
        start = end
        beginInterval()
        for (number, view, localIsNear, ends) in renamed {
            report(number, view, localIsNear, (ends[0], ends[1]), service: view.calledService)
        }
        return records.sorted()
    }

    private mutating func beginInterval() {
        flows.removeAll { $0.numbers.isEmpty }
        for flow in flows { (flow.started, flow.completed) = (false, false) }
        traffic = [:]
        let endpoints = Set(flows.flatMap { [$0.tuple.local, $0.tuple.remote] })
        unknown.formIntersection(endpoints)
        versions = versions.filter { endpoints.contains($0.key) }.mapValues { $0.suffix(1) }
    }

    /// Ends flows of which an end has become known; returns the flows that replace them.
    private mutating func endRenamed() -> [Renamed] {
        let known = unknown.filter { !resolver.mayBecomeKnown($0.address) }
        unknown.subtract(known)
        var renamed: [Renamed] = []
        for (number, content) in numbers.sorted(by: { $0.key < $1.key }) {
            guard case .reported(let flow, let localIsNear) = content.standing else { continue }
            let view = flow.view
            let localIsSource = flow.group.reporter == "src"
            let endpoints =
                localIsSource ? [flow.tuple.local, flow.tuple.remote] : [flow.tuple.remote, flow.tuple.local]
            let owners = resolver.endpoints(source: view.source, destination: view.destination)
            let ends = zip(endpoints, [owners.source, owners.destination]).map { endpoint, owner in
                let former = versions[endpoint]?.last ?? owner
                return known.contains(endpoint)
                    ? End(owner: owner, isUnknown: false)
                    : End(owner: former, isUnknown: unknown.contains(endpoint))
            }
            guard ends.map(\.object) != endpoints.map(\.object) else { continue }
            // A flow ID may have the ends of the flow swapped.
            let nearIsSource = localIsNear == localIsSource
            renamed.append((number, view.seen(nearIsSource: nearIsSource, natPort: flow.natPort), localIsNear, ends))
            flow.numbers.remove(number)
            if flow.numbers.isEmpty { flow.completed = true }
        }
        return renamed
    }

    private func record(of group: Group, until end: Int64) -> RecordText {
        let members = flows.filter { $0.group == group }
        let carried = traffic[group] ?? Traffic()
        let local = labels(of: members.map(\.tuple.local))
        let remote = labels(of: members.map(\.tuple.remote))
        let (source, destination) = group.reporter == "src" ? (local, remote) : (remote, local)
        return RecordText(
            """
            \(start)-\(end) level \(level) \(group.proto) \(group.source) \(source) > \(group.destination) \
            \(destination) \(group.service) \(natPorts(of: members)) \(group.reporter) allow \
            in \(carried.inbound.packets)/\(carried.inbound.bytes) out \(carried.outbound.packets)/\(carried.outbound.bytes) \
            flows \(members.count)/\(members.count { $0.started })/\(members.count { $0.completed })
            """
        )
    }

    private func labels(of endpoints: [FlowEndpoint]) -> String {
        let sets = endpoints.flatMap { versions[$0] ?? [] }.compactMap { $0.labels.map { Set($0.labels) } }
        guard let first = sets.first else { return "no labels" }
        return "\(sets.reduce(first) { $0.intersection($1) }.sorted())"
    }

    private func natPorts(of members: [Flow]) -> [UInt16] {
        let active = Set(members.filter { !$0.numbers.isEmpty }.compactMap(\.natPort)).sorted()
        let ended = Set(members.filter(\.numbers.isEmpty).compactMap(\.natPort)).subtracting(active).sorted()
        return (active.prefix(3) + ended).prefix(3).sorted()
    }
}
