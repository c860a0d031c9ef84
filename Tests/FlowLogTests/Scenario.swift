import Encoding
import FlowModel
import Foundation

@testable import FlowLog

/// Errors in the files of a scenario.
enum ScenarioError: Error {
    case badAddress(String)
    case badValue(String)
    case badLine(String)
}

/// The files of one scenario.
struct Scenario {
    private struct Configuration: Decodable {
        var hostName: String
        var startTime: Int64
        var levelForAllowed: Int
        var levelForDenied: Int?
        /// Whether records have Weir's own fields.
        var extended: Bool?
        /// Whether host endpoints report forwarded traffic.
        var forwarded: Bool?
    }

    private let configuration: Configuration
    private let events: [ScenarioEvent]

    /// Reads `configuration.json` and `input.jsonl`; empty lines are allowed.
    init(folder: URL) throws {
        let decoder = JSONDecoder()
        let settings = try Data(contentsOf: folder.appending(path: "configuration.json"))
        configuration = try decoder.decode(Configuration.self, from: settings)
        let input = try String(contentsOf: folder.appending(path: "input.jsonl"), encoding: .utf8)
        events = try input.split(separator: "\n").map { line in
            try decoder.decode(ScenarioEvent.self, from: Data(line.utf8))
        }
    }

    /// Plays the events and returns the lines of all flushes.
    func run() throws -> String {
        guard let allowed = AggregationLevel(rawValue: configuration.levelForAllowed),
            let denied = AggregationLevel(rawValue: configuration.levelForDenied ?? 0)
        else { throw ScenarioError.badValue("level") }
        var cluster = ScenarioCluster(hostName: configuration.hostName)
        var aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(levelForAllowed: allowed, levelForDenied: denied),
            resolver: cluster.resolver,
            tracker: cluster.tracker,
            startTime: configuration.startTime
        )
        if configuration.forwarded ?? false {
            let node = configuration.hostName
            aggregator.hostInterface = { HostInterface(node: node, name: "eth\($0)", addresses: []) }
        }
        var policies = ScenarioPolicies()
        var encoder = JSONLineEncoder(extendedFields: configuration.extended ?? false)
        var buffer = ByteBuffer()
        for event in events {
            if let time = event.flush {
                aggregator.flush(at: time) { encoder.encode($0, into: &buffer) }
            } else if let entries = event.policy {
                aggregator.use(try policies.evaluator(entries))
            } else if let batch = try event.datapathBatch() {
                aggregator.process(batch)
            } else {
                try cluster.apply(event)
                aggregator.use(cluster.resolver)
            }
        }
        return String(decoding: buffer.take(), as: UTF8.self)
    }
}

/// One line of `input.jsonl`: an object with exactly one of these members.
struct ScenarioEvent: Decodable {
    /// The birth of a flow; `opened`, `accepted` and `first` name a direction: ingress or egress, `opened` also both.
    struct Birth: Decodable {
        var number: UInt32
        var interface: UInt32
        var role: String
        var near: String
        var nearPort: UInt16
        var far: String
        var farPort: UInt16
        var proto: UInt8
        var opened: String?
        var accepted: String?
        var first: String?
        var joined: Bool?
    }

    /// The packets of a flow; a direction is [packets, bytes].
    struct Delta: Decodable {
        var number: UInt32
        var ingress: [UInt64]?
        var egress: [UInt64]?
    }

    /// A workload that has an address from now on; the same name at the same address is the same workload.
    struct Workload: Decodable {
        var address: String
        var name: String
        var aggregatedName: String
        var namespace: String
        var labels: [String]?
        /// Whether it runs on this host.
        var local: Bool?
    }

    /// A network set; without a namespace a global one.
    struct NetworkSet: Decodable {
        var prefix: String
        var name: String
        var namespace: String?
        var labels: [String]?
    }

    /// A port of a service, and the addresses that it sends connections to, each `address port`.
    struct Service: Decodable {
        var address: String
        var port: UInt16
        var proto: UInt8?
        var namespace: String
        var name: String
        var portName: String?
        var backends: [String]?
    }

    /// A connection that the kernel tracks, each direction as `address port > address port`.
    struct Connection: Decodable {
        var original: String
        var reply: String
        var proto: UInt8?
    }

    /// The dropped packets of a flow; a direction is [packets, bytes], failures [packets in, packets out].
    struct Drop: Decodable {
        var number: UInt32
        var ingress: [UInt64]?
        var egress: [UInt64]?
        /// Whether the ingress is in the flow's deltas too; true by default.
        var counted: Bool?
        var reason: String?
        /// Behind destination NAT, as `address port`.
        var destination: String?
        var failures: [UInt64]?
        var failureReason: String?
    }

    var birth: Birth?
    var delta: Delta?
    var drop: Drop?
    var end: UInt32?
    /// The datapath's events of one batch, in any order.
    var batch: [ScenarioEvent]?
    var policy: [ScenarioPolicies.Entry]?
    var flush: Int64?
    var own: String?
    var disown: String?
    var workload: Workload?
    var gone: String?
    var networkSet: NetworkSet?
    var service: Service?
    var connection: Connection?
    var workloadRange: String?

    /// Returns the batch of this event, or nil if the event is not of the datapath.
    func datapathBatch() throws -> FlowBatch? {
        var batch = FlowBatch()
        for event in self.batch ?? [self] { try event.add(to: &batch) }
        return batch.isEmpty ? nil : batch
    }

    private func add(to batch: inout FlowBatch) throws {
        if let birth { batch.births.append(try birth.value()) }
        if let delta { batch.deltas.append(try delta.value()) }
        if let drop { batch.drops.append(try drop.value()) }
        if let end { batch.ends.append(end) }
    }
}

extension ScenarioEvent.Birth {
    func value() throws -> FlowBirth {
        let (near, far) = (try ScenarioCluster.address(near), try ScenarioCluster.address(far))
        guard let role = InterfaceRole.allCases.first(where: { $0.name == role }) else {
            throw ScenarioError.badValue(role)
        }
        var marks: FlowMarks = []
        marks.formUnion(try Self.marks(opened, .openedIngress, .openedEgress))
        marks.formUnion(try Self.marks(accepted, .acceptedIngress, .acceptedEgress))
        marks.formUnion(try Self.marks(first, [], .firstEgress))
        let key = FlowKey(
            interfaceIndex: interface,
            near: near,
            far: far,
            nearPort: nearPort,
            farPort: farPort,
            proto: IPProtocol(rawValue: proto)
        )
        return FlowBirth(flowID: number, key: key, role: role, marks: marks, joined: joined ?? false)
    }

    private static func marks(_ direction: String?, _ ingress: FlowMarks, _ egress: FlowMarks) throws -> FlowMarks {
        switch direction {
        case nil: []
        case "ingress": ingress
        case "egress": egress
        case "both": ingress.union(egress)
        case .some(let other): throw ScenarioError.badValue(other)
        }
    }
}

extension ScenarioEvent.Delta {
    func value() throws -> FlowDelta {
        FlowDelta(flowID: number, ingress: try TrafficCounters(ingress), egress: try TrafficCounters(egress))
    }
}

extension ScenarioEvent.Drop {
    func value() throws -> FlowDrop {
        FlowDrop(
            flowID: number,
            deniedIngress: try TrafficCounters(ingress),
            deniedEgress: try TrafficCounters(egress),
            isIngressCounted: counted ?? true,
            destination: try destination.map(Self.destination),
            decision: reason.map { DropReason(name: $0, isDecision: true) },
            failures: (failures?.first ?? 0, failures?.last ?? 0),
            failureReason: failureReason.map { DropReason(name: $0, isDecision: false) }
        )
    }

    private static func destination(_ text: String) throws -> FlowDrop.Destination {
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 2, let port = UInt16(words[1]) else { throw ScenarioError.badValue(text) }
        return FlowDrop.Destination(address: try ScenarioCluster.address(words[0]), port: port)
    }
}

extension TrafficCounters {
    /// [packets, bytes], or nothing.
    fileprivate init(_ pair: [UInt64]?) throws {
        guard let pair else {
            self = .zero
            return
        }
        guard pair.count == 2 else { throw ScenarioError.badValue("\(pair)") }
        self.init(packets: pair[0], bytes: pair[1])
    }
}
