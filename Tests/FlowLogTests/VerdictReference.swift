import FlowModel

@testable import FlowLog

/// A reference for the aggregator's treatment of denied packets, written for certainty: every flow ID examines its
/// whole batch alone, flows are objects in a list, and every 5-tuple is a record of its own.
///
/// It supports names that do not change, no translation, and no packets that are denied at the exit through another
/// interface than their entrance.
struct VerdictReference {
    /// A record, as far as verdicts make a difference.
    struct Line: Hashable, Comparable, CustomStringConvertible {
        let description: String
        static func < (left: Line, right: Line) -> Bool { left.description < right.description }
    }

    private final class Flow {
        let packets: TrackedConnection.Tuple
        let reporter: FlowReporter
        let action: FlowAction
        let policies: PolicyTrace?
        var flowIDs: Set<UInt32> = []
        var isStarted = false
        var isCompleted = false
        var inbound = TrafficCounters.zero
        var outbound = TrafficCounters.zero
        var drops: (inbound: UInt64, outbound: UInt64, reason: String)?

        init(
            _ packets: TrackedConnection.Tuple,
            _ reporter: FlowReporter,
            _ action: FlowAction,
            _ policies: PolicyTrace?
        ) {
            self.packets = packets
            self.reporter = reporter
            self.action = action
            self.policies = policies
        }

        /// Adds the packets of both ends.
        func add(sent: TrafficCounters, answers: TrafficCounters) {
            inbound += reporter == .source ? answers : sent
            outbound += reporter == .source ? sent : answers
        }

        func drop(sent: UInt64, answers: UInt64, _ reason: String) {
            guard sent > 0 || answers > 0 else { return }
            let former = drops ?? (0, 0, "")
            let isSource = reporter == .source
            drops = (
                former.inbound + (isSource ? answers : sent), former.outbound + (isSource ? sent : answers), reason
            )
        }
    }

    /// The end to which a denial belongs.
    private enum Decider: Equatable { case own, other(FlowReporter), nobody }

    private final class Number {
        let flowID: UInt32
        let packets: TrackedConnection.Tuple
        let nearBegan: Bool
        /// Nil if the flow is not reported.
        let reporter: FlowReporter?
        var own: Flow?
        var other: Flow?
        var decider = Decider.own
        /// Packets that were reported as denied and are not counted yet.
        var owed = (forward: TrafficCounters.zero, backward: TrafficCounters.zero)
        /// The reason of the last denial.
        var reason: String?
        /// Whether the flow had a denial, so that each batch evaluates its policies again.
        var isWatched = false

        init(_ flowID: UInt32, _ packets: TrackedConnection.Tuple, nearBegan: Bool, reporter: FlowReporter?) {
            self.flowID = flowID
            self.packets = packets
            self.nearBegan = nearBegan
            self.reporter = reporter
        }
    }

    private let resolver: FakeResolver
    private var evaluator: FakeEvaluator?
    private var flowIDs: [UInt32: Number] = [:]
    private var flows: [Flow] = []
    private(set) var unrecorded: UInt64 = 0

    init(resolver: FakeResolver) {
        self.resolver = resolver
    }

    /// Returns the policies' decisions at both ends; policies never forbid a host's packets to its own workloads.
    private func traces(of packets: TrackedConnection.Tuple) -> FakeEvaluator.Traces? {
        guard packets.source != packets.destination, !Self.isBeyondPolicies(packets) else { return nil }
        guard var traces = evaluator?.decide(packets) else { return nil }
        if resolver.own.contains(packets.source), resolver.localWorkloads.contains(packets.destination) {
            traces.ingress = nil
        }
        return traces
    }

    /// Whether packets are ICMP errors or link-local messages, as far as the world has them.
    private static func isBeyondPolicies(_ packets: TrackedConnection.Tuple) -> Bool {
        let type = packets.destinationPort / 256
        return packets.proto.rawValue == 1 && [3, 5, 11].contains(type)
            || packets.proto.rawValue == 58 && (type < 128 || (133...137).contains(type))
    }

    mutating func use(_ evaluator: FakeEvaluator) {
        self.evaluator = evaluator
    }

    mutating func process(_ batch: FlowBatch) {
        for birth in batch.births {
            end(birth.flowID)
            begin(birth, isDenied: batch.drops.contains { $0.flowID == birth.flowID && $0.isDenied })
        }
        var mentioned: [UInt32] = []
        for flowID in batch.drops.filter(\.isDenied).map(\.flowID) + batch.deltas.map(\.flowID)
        where !mentioned.contains(flowID) {
            mentioned.append(flowID)
        }
        for flowID in mentioned {
            guard let known = flowIDs[flowID] else { continue }
            settle(
                known,
                batch.deltas.first { $0.flowID == flowID },
                batch.drops.filter { $0.flowID == flowID && $0.isDenied }
            )
        }
        for drop in batch.drops {
            guard let reason = drop.failureReason, let flowID = flowIDs[drop.flowID], let own = flowID.own else {
                continue
            }
            let (sent, answers) =
                flowID.nearBegan
                ? (drop.failures.ingress, drop.failures.egress) : (drop.failures.egress, drop.failures.ingress)
            own.drop(sent: sent, answers: answers, reason.name)
        }
        for flowID in batch.ends { end(flowID) }
    }

    mutating func flush() -> [Line] {
        // A denied flow completes when it starts, and one without denied packets is not reported.
        for flow in flows where flow.action == .deny { flow.isCompleted = flow.isStarted }
        let silent = flows.filter {
            $0.action == .deny && $0.drops == nil && $0.inbound == .zero && $0.outbound == .zero
        }
        let lines = flows.filter { flow in !silent.contains { $0 === flow } }.map(line)
        flows.removeAll(where: \.flowIDs.isEmpty)
        for flow in flows {
            let isUntold = silent.contains { $0 === flow }
            (flow.isStarted, flow.isCompleted, flow.drops) = (isUntold && flow.isStarted, false, nil)
            (flow.inbound, flow.outbound) = (.zero, .zero)
        }
        return lines.sorted()
    }
}

// MARK: - Numbers

extension VerdictReference {
    private mutating func begin(_ birth: FlowBirth, isDenied: Bool) {
        let key = birth.key
        let nearBegan = birth.initiator == .near
        let inOrder = nearBegan || [1, 58].contains(key.proto.rawValue)
        let packets = TrackedConnection.Tuple(
            source: nearBegan ? key.near : key.far,
            destination: nearBegan ? key.far : key.near,
            sourcePort: inOrder ? key.nearPort : key.farPort,
            destinationPort: inOrder ? key.farPort : key.nearPort,
            proto: key.proto
        )
        var localIsNear: Bool?
        if birth.role == .workload {
            localIsNear = true
        } else if resolver.own.contains(key.far) {
            localIsNear = false
        } else if resolver.own.contains(key.near) || resolver.localWorkloads.contains(key.near) {
            localIsNear = true
        }
        let reporter = localIsNear.map { $0 == nearBegan ? FlowReporter.source : .destination }
        let flowID = Number(birth.flowID, packets, nearBegan: nearBegan, reporter: reporter)
        flowIDs[birth.flowID] = flowID
        if let reporter, !isDenied { flowID.own = begin(flowID, reporter, .allow) }
    }

    private mutating func end(_ flowID: UInt32) {
        guard let known = flowIDs.removeValue(forKey: flowID) else { return }
        leave(known, &known.own)
        leave(known, &known.other)
        if known.decider == .own || known.decider == .nobody { unrecorded += known.owed.forward.packets }
        unrecorded += known.owed.backward.packets
    }

    private mutating func begin(_ flowID: Number, _ reporter: FlowReporter, _ action: FlowAction) -> Flow {
        let traces = self.traces(of: flowID.packets)
        let trace = (reporter == .source ? traces?.egress : traces?.ingress) ?? nil
        let same = flows.filter { $0.packets == flowID.packets && $0.reporter == reporter && $0.action == action }
        let alike = same.filter { $0.policies?.enforced == trace?.enforced }
        let running = (action == .allow ? same : alike).first { !$0.flowIDs.isEmpty }
        let flow =
            running ?? alike.first
            ?? Flow(flowID.packets, reporter, action, trace)
        if !flows.contains(where: { $0 === flow }) { flows.append(flow) }
        if flow.flowIDs.isEmpty { flow.isStarted = true }
        flow.flowIDs.insert(flowID.flowID)
        return flow
    }

    private func leave(_ flowID: Number, _ flow: inout Flow?) {
        guard let left = flow else { return }
        flow = nil
        left.flowIDs.remove(flowID.flowID)
        if left.flowIDs.isEmpty { left.isCompleted = true }
    }
}

// MARK: - Verdicts

extension VerdictReference {
    private func isLocal(_ address: IPAddress) -> Bool {
        resolver.own.contains(address) || resolver.localWorkloads.contains(address)
    }

    private func decider(_ flowID: Number) -> Decider {
        let traces = self.traces(of: flowID.packets)
        let egressDenies = traces?.egress?.action == .deny
        let ingressDenies = traces?.ingress?.action == .deny
        let isDestinations = isLocal(flowID.packets.destination) && !egressDenies && ingressDenies
        switch flowID.reporter {
        case .source: return isDestinations ? .other(.destination) : .own
        // No host endpoint is in this world.
        case .forward: return .own
        case .destination:
            return resolver.own.contains(flowID.packets.source) && !isDestinations ? .other(.source) : .own
        case nil: return isLocal(flowID.packets.destination) ? .other(.destination) : .nobody
        }
    }

    /// Returns the denied part of the counted packets.
    private func split(
        _ counted: TrafficCounters,
        _ owed: inout TrafficCounters,
        isDenied: Bool
    ) -> (allowed: TrafficCounters, denied: TrafficCounters) {
        if counted.packets == 0 { return isDenied || owed.packets > 0 ? (.zero, counted) : (counted, .zero) }
        var denied = TrafficCounters.zero
        denied.packets = min(owed.packets, counted.packets)
        if denied.packets > 0 { denied.bytes = min(owed.bytes, counted.bytes) }
        if denied.packets == counted.packets { denied.bytes = counted.bytes }
        owed.packets -= denied.packets
        owed.bytes = owed.packets == 0 ? 0 : owed.bytes - min(owed.bytes, denied.bytes)
        let allowed = TrafficCounters(
            packets: counted.packets - denied.packets,
            bytes: counted.bytes - denied.bytes
        )
        return (allowed, denied)
    }

    private mutating func settle(_ flowID: Number, _ delta: FlowDelta?, _ drops: [FlowDrop]) {
        let (ingress, egress) = (delta?.ingress ?? .zero, delta?.egress ?? .zero)
        let (sent, answered) = flowID.nearBegan ? (ingress, egress) : (egress, ingress)
        guard flowID.isWatched || !drops.isEmpty else {
            if flowID.reporter != nil { flowID.own?.add(sent: sent, answers: answered) }
            return
        }
        flowID.isWatched = true
        let counted = drops.filter(\.isIngressCounted).reduce(TrafficCounters.zero) { $0 + $1.deniedIngress }
        let uncounted = drops.filter { !$0.isIngressCounted }.reduce(TrafficCounters.zero) { $0 + $1.deniedIngress }
        let left = drops.reduce(TrafficCounters.zero) { $0 + $1.deniedEgress }
        var forward = flowID.nearBegan ? (counted: counted, uncounted: uncounted) : (counted: .zero, uncounted: left)
        let backward = flowID.nearBegan ? (counted: .zero, uncounted: left) : (counted: counted, uncounted: uncounted)
        let reason = drops.last { $0.decision != nil }?.decision?.name ?? flowID.reason
        flowID.reason = reason

        change(flowID, to: decider(flowID), &forward.counted)
        let told = forward.counted + forward.uncounted
        if flowID.decider == .nobody { unrecorded += told.packets } else { flowID.owed.forward += forward.counted }
        var isDenied = flowID.own?.action == .deny
        if case .other = flowID.decider { isDenied = flowID.other != nil }
        var (allowed, denied) = split(sent, &flowID.owed.forward, isDenied: isDenied)
        if case .other(let reporter) = flowID.decider {
            mirror(flowID, reporter, told, reason)
            if told == .zero, allowed.packets > 0, denied.packets == 0 { leave(flowID, &flowID.other) }
            (allowed, denied) = (sent, .zero)
        } else {
            denied += forward.uncounted
        }
        if let reporter = flowID.reporter {
            record(flowID, reporter, allowed, denied, answered, backward, reason)
        } else {
            unrecorded += backward.counted.packets + backward.uncounted.packets
        }
        let isQuiet = flowID.other == nil && flowID.owed.forward == .zero && flowID.owed.backward == .zero
        if isQuiet, flowID.reporter == nil || flowID.own?.action == .allow {
            // From now on the reference does not evaluate the decider.
            flowID.isWatched = false
            (flowID.decider, flowID.reason) = (.own, nil)
        }
    }

    /// Moves denials that are reported and not counted yet to the new decider.
    private mutating func change(_ flowID: Number, to decider: Decider, _ told: inout TrafficCounters) {
        let isOthers = if case .other = decider { true } else { false }
        let wasOthers = if case .other = flowID.decider { true } else { false }
        flowID.decider = decider
        if isOthers != wasOthers {
            if isOthers { told += flowID.owed.forward }
            flowID.owed.forward = .zero
        }
        if !isOthers { leave(flowID, &flowID.other) }
        if isOthers, flowID.own?.action == .deny { leave(flowID, &flowID.own) }
    }

    private mutating func mirror(_ flowID: Number, _ reporter: FlowReporter, _ told: TrafficCounters, _ reason: String?)
    {
        guard told != .zero else { return }
        let traces = self.traces(of: flowID.packets)
        let trace = (reporter == .source ? traces?.egress : traces?.ingress) ?? nil
        if let other = flowID.other, other.reporter != reporter || other.policies?.enforced != trace?.enforced {
            leave(flowID, &flowID.other)
        }
        let flow = flowID.other ?? begin(flowID, reporter, .deny)
        flowID.other = flow
        flow.add(sent: told, answers: .zero)
        if let reason { flow.drop(sent: told.packets, answers: 0, reason) }
    }

    private mutating func record(
        _ flowID: Number,
        _ reporter: FlowReporter,
        _ allowed: TrafficCounters,
        _ denied: TrafficCounters,
        _ answered: TrafficCounters,
        _ backward: (counted: TrafficCounters, uncounted: TrafficCounters),
        _ reason: String?
    ) {
        flowID.owed.backward += backward.counted
        var (answers, deniedAnswers) = split(answered, &flowID.owed.backward, isDenied: false)
        deniedAnswers += backward.uncounted
        if allowed.packets > 0 {
            // A denied flow stays denied, though a few packets of the batch were allowed.
            let isShort = denied != .zero && flowID.own?.action == .deny
            if isShort {
                addOnce(flowID, reporter, .allow, sent: allowed, answers: answers, nil)
            } else {
                assign(flowID, reporter, .allow)
                flowID.own?.add(sent: allowed, answers: answers)
            }
            answers = .zero
        }
        if denied != .zero {
            assign(flowID, reporter, .deny)
            let half = allowed.packets > 0 ? .zero : allowed
            flowID.own?.add(sent: denied + half, answers: answers)
            if let reason { flowID.own?.drop(sent: denied.packets, answers: 0, reason) }
        } else if allowed.packets == 0 {
            let isOthers = flowID.decider != .own
            if flowID.own == nil, !isOthers || allowed != .zero || answers != .zero {
                assign(flowID, reporter, isOthers || flowID.owed.forward == .zero ? .allow : .deny)
            }
            flowID.own?.add(sent: allowed, answers: answers)
        }
        if deniedAnswers != .zero {
            addOnce(flowID, reporter, .deny, sent: .zero, answers: deniedAnswers, reason)
        }
    }

    /// Assigns a flow ID to its flow with a verdict; under other policies a denied flow begins anew.
    private mutating func assign(_ flowID: Number, _ reporter: FlowReporter, _ action: FlowAction) {
        if let own = flowID.own, own.action == action {
            let traces = self.traces(of: flowID.packets)
            let trace = (reporter == .source ? traces?.egress : traces?.ingress) ?? nil
            if action == .allow || own.policies?.enforced == trace?.enforced { return }
        }
        leave(flowID, &flowID.own)
        flowID.own = begin(flowID, reporter, action)
    }

    private mutating func addOnce(
        _ flowID: Number,
        _ reporter: FlowReporter,
        _ action: FlowAction,
        sent: TrafficCounters,
        answers: TrafficCounters,
        _ reason: String?
    ) {
        let flow = begin(flowID, reporter, action)
        flow.add(sent: sent, answers: answers)
        if action == .deny, let reason { flow.drop(sent: sent.packets, answers: answers.packets, reason) }
        guard flowID.own !== flow, flowID.other !== flow else { return }
        var visited: Flow? = flow
        leave(flowID, &visited)
    }
}

// MARK: - Records

extension VerdictReference {
    private func line(_ flow: Flow) -> Line {
        let traces = self.traces(of: flow.packets)
        let now = (flow.reporter == .source ? traces?.egress : traces?.ingress) ?? nil
        return Line(
            packets: flow.packets,
            reporter: flow.reporter,
            action: flow.action,
            policies: flow.policies.map { ($0.enforced, (now ?? $0).pending) },
            inbound: flow.inbound,
            outbound: flow.outbound,
            counts: FlowCounts(1, flow.isStarted ? 1 : 0, flow.isCompleted ? 1 : 0),
            drops: flow.drops
        )
    }
}

extension VerdictReference.Line {
    fileprivate init(
        packets: TrackedConnection.Tuple,
        reporter: FlowReporter,
        action: FlowAction,
        policies: (enforced: [String], pending: [String])?,
        inbound: TrafficCounters,
        outbound: TrafficCounters,
        counts: FlowCounts,
        drops: (inbound: UInt64, outbound: UInt64, reason: String)?
    ) {
        description = """
            \(packets.proto.name) \(packets.source):\(packets.sourcePort) > \
            \(packets.destination):\(packets.destinationPort) \(reporter.rawValue) \(action.rawValue) \
            \(policies.map { "\($0.enforced) \($0.pending)" } ?? "-") \
            in \(inbound.packets)/\(inbound.bytes) out \(outbound.packets)/\(outbound.bytes) \
            flows \(counts.total)/\(counts.started)/\(counts.completed) \
            drops \(drops.map { "\($0.inbound)/\($0.outbound) \($0.reason)" } ?? "-")
            """
    }

    /// A record of level 0.
    init?(_ record: borrowing FlowRecord) {
        guard let source = record.source.address, let destination = record.destination.address,
            let sourcePort = record.source.port, let destinationPort = record.destination.port
        else { return nil }
        self.init(
            packets: TrackedConnection.Tuple(
                source: source,
                destination: destination,
                sourcePort: sourcePort,
                destinationPort: destinationPort,
                proto: record.proto
            ),
            reporter: record.reporter,
            action: record.action,
            policies: record.policies.map { ($0.enforced.enforced, $0.pending.pending) },
            inbound: record.inbound,
            outbound: record.outbound,
            counts: record.flows,
            drops: record.drops.map { ($0.inbound, $0.outbound, $0.reason.name) }
        )
    }
}

extension FakeEvaluator {
    /// Returns the policies' decisions on packets, for any endpoints.
    func traces(of packets: TrackedConnection.Tuple) -> Traces {
        traces(
            of: packets,
            source: FakeResolver.privateNetwork,
            destination: FakeResolver.privateNetwork,
            domains: .unknown
        )
    }
}
