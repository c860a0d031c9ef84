import Encoding
import FlowModel
import Foundation

@testable import FlowLog

/// What may go wrong in the files of a scenario.
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
        var encoder = JSONLineEncoder()
        var buffer = ByteBuffer()
        for event in events {
            if let time = event.flush {
                aggregator.flush(at: time) { encoder.encode($0, into: &buffer) }
            } else if let batch = try event.batch() {
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

    /// What a flow carried; a direction is [packets, bytes].
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

    var birth: Birth?
    var delta: Delta?
    var end: UInt32?
    var flush: Int64?
    var own: String?
    var disown: String?
    var workload: Workload?
    var gone: String?
    var networkSet: NetworkSet?
    var service: Service?
    var connection: Connection?
    var workloadRange: String?

    /// The batch with the one thing that this event is about, or nil if it is not of the datapath.
    func batch() throws -> FlowBatch? {
        var batch = FlowBatch()
        if let birth { batch.births = [try birth.value()] }
        if let delta { batch.deltas = [try delta.value()] }
        if let end { batch.ends = [end] }
        return batch.isEmpty ? nil : batch
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
        return FlowBirth(number: number, key: key, role: role, marks: marks, joined: joined ?? false)
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
        FlowDelta(number: number, ingress: try Self.counters(ingress), egress: try Self.counters(egress))
    }

    private static func counters(_ pair: [UInt64]?) throws -> TrafficCounters {
        guard let pair else { return .zero }
        guard pair.count == 2 else { throw ScenarioError.badValue("\(pair)") }
        return TrafficCounters(packets: pair[0], bytes: pair[1])
    }
}
