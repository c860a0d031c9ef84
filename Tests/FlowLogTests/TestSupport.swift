import FlowModel

/// Random numbers that are the same in every run (SplitMix64).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

/// The fields that distinguish a record from others, as a value and as text.
struct RecordText: Hashable, Comparable, CustomStringConvertible {
    let description: String

    init(_ record: borrowing FlowRecord) {
        func end(_ end: FlowRecord.End) -> String {
            let address = end.address.map(\.description) ?? "*"
            let port = end.port.map(String.init) ?? "*"
            let owner = end.endpoint
            let name = end.address == nil ? "-" : owner.name
            let names = "\(owner.namespace ?? "-")/\(owner.aggregatedName)/\(name)"
            let labels = end.labels.map { "\($0.labels)" } ?? "no labels"
            return "\(address):\(port) \(owner.kind.rawValue)(\(names)) \(labels)"
        }
        var service = "-"
        if let port = record.service {
            let portName = record.level < .noDestinationPort ? port.portName ?? "-" : "-"
            service = "\(port.namespace)/\(port.name)/\(portName)/\(port.port)"
        }
        description = """
            \(record.startTime)-\(record.endTime) level \(record.level.rawValue) \(record.proto.name) \
            \(end(record.source)) > \(end(record.destination)) \(service) \(record.natOutgoingPorts) \
            \(record.reporter.rawValue) \(record.action.rawValue) \
            in \(record.inbound.packets)/\(record.inbound.bytes) out \(record.outbound.packets)/\(record.outbound.bytes) \
            flows \(record.flows.total)/\(record.flows.started)/\(record.flows.completed)
            """
    }

    init(_ description: String) {
        self.description = description
    }

    static func < (left: RecordText, right: RecordText) -> Bool {
        left.description < right.description
    }
}
