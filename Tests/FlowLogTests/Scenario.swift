import Encoding
import FlowModel
import Foundation
import Inventory

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
        var inventory = ScenarioInventory(hostName: configuration.hostName)
        var aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(levelForAllowed: allowed, levelForDenied: denied),
            resolver: inventory.snapshot(),
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
                try inventory.apply(event)
                aggregator.use(inventory.snapshot())
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

    /// A workload that has an address from now on.
    struct Workload: Decodable {
        var address: String
        var name: String
        var aggregatedName: String
        var namespace: String
    }

    var birth: Birth?
    var delta: Delta?
    var end: UInt32?
    var flush: Int64?
    var own: String?
    var disown: String?
    var workload: Workload?

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
        guard let near = IPAddress(text: near) else { throw ScenarioError.badAddress(near) }
        guard let far = IPAddress(text: far) else { throw ScenarioError.badAddress(far) }
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

/// The inventory of a scenario: the real one of the host, and workloads by address.
private struct ScenarioInventory {
    private struct Snapshot: EndpointResolver {
        var generation: UInt64
        var host: HostSnapshot
        var workloads: [IPAddress: Endpoint]

        func endpoint(at address: IPAddress) -> Endpoint {
            workloads[address] ?? host.endpoint(at: address)
        }

        func isOwn(_ address: IPAddress) -> Bool {
            host.isOwn(address)
        }
    }

    private var host: HostInventory
    private var workloads: [IPAddress: Endpoint] = [:]
    private var changes: UInt64 = 0

    init(hostName: String) {
        host = HostInventory(hostName: hostName)
    }

    mutating func apply(_ event: ScenarioEvent) throws {
        if let own = event.own {
            host.add(try Self.address(own))
        } else if let disown = event.disown {
            host.remove(try Self.address(disown))
        } else if let workload = event.workload {
            workloads[try Self.address(workload.address)] = Endpoint(
                id: UInt32.max - UInt32(workloads.count),
                kind: .workload,
                name: workload.name,
                aggregatedName: workload.aggregatedName,
                namespace: workload.namespace
            )
        } else {
            throw ScenarioError.badLine("an event without a known member")
        }
        changes += 1
    }

    func snapshot() -> any EndpointResolver {
        Snapshot(generation: changes, host: host.snapshot(), workloads: workloads)
    }

    private static func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text: text) else { throw ScenarioError.badAddress(text) }
        return address
    }
}
