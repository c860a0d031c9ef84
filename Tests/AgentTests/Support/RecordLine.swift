import Foundation
import Testing

/// Packets and bytes, as a test counts them.
struct Count: Hashable, CustomStringConvertible {
    var packets: UInt64 = 0
    var bytes: UInt64 = 0

    init(_ packets: UInt64 = 0, _ bytes: UInt64 = 0) {
        (self.packets, self.bytes) = (packets, bytes)
    }

    static func += (left: inout Count, right: Count) {
        left.packets += right.packets
        left.bytes += right.bytes
    }

    static func + (left: Count, right: Count) -> Count {
        Count(left.packets + right.packets, left.bytes + right.bytes)
    }

    var description: String { "\(packets) packets, \(bytes) bytes" }
}

/// The fields of a line of the flow log that tests read, with a foreign decoder.
struct RecordLine: Decodable {
    var startTime: Int
    var endTime: Int
    var sourceAddress: String?
    var sourcePort: UInt16?
    var destinationAddress: String?
    var destinationPort: UInt16?
    var proto: String
    var reporter: String
    var packetsIn: UInt64
    var packetsOut: UInt64
    var bytesIn: UInt64
    var bytesOut: UInt64
    var flows: Int
    var flowsStarted: Int
    var flowsCompleted: Int

    enum CodingKeys: String, CodingKey {
        case startTime = "start_time"
        case endTime = "end_time"
        case sourceAddress = "source_ip"
        case sourcePort = "source_port"
        case destinationAddress = "dest_ip"
        case destinationPort = "dest_port"
        case proto, reporter
        case packetsIn = "packets_in"
        case packetsOut = "packets_out"
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
        case flows = "num_flows"
        case flowsStarted = "num_flows_started"
        case flowsCompleted = "num_flows_completed"
    }

    init(_ line: some StringProtocol) throws {
        self = try JSONDecoder().decode(RecordLine.self, from: Data(line.utf8))
    }

    /// Traffic to the reporting end.
    var inbound: Count { Count(packetsIn, bytesIn) }
    /// Traffic from the reporting end.
    var outbound: Count { Count(packetsOut, bytesOut) }

    /// Traffic of the initiator.
    var forward: Count { reporter == "src" ? outbound : inbound }
    /// The answers.
    var backward: Count { reporter == "src" ? inbound : outbound }

    /// The packets of the initiator, as a counter on the wire would name them.
    var forwardTuple: WireTuple {
        WireTuple(
            proto: proto,
            source: sourceAddress ?? "",
            sourcePort: sourcePort ?? 0,
            destination: destinationAddress ?? "",
            destinationPort: destinationPort ?? 0
        )
    }
}

/// Packets of one direction of one flow.
struct WireTuple: Hashable, CustomStringConvertible {
    var proto: String
    var source: String
    var sourcePort: UInt16 = 0
    var destination: String
    var destinationPort: UInt16 = 0

    /// The packets of the other direction.
    var reversed: WireTuple {
        WireTuple(
            proto: proto,
            source: destination,
            sourcePort: destinationPort,
            destination: source,
            destinationPort: sourcePort
        )
    }

    /// The same for all ports.
    var withoutPorts: WireTuple { WireTuple(proto: proto, source: source, destination: destination) }

    var description: String { "\(proto) \(source).\(sourcePort) > \(destination).\(destinationPort)" }
}

/// Both directions of an interface according to records, by packet as a counter on the wire can have it.
struct RecordSums {
    /// Traffic to the node.
    var received: [WireTuple: Count] = [:]
    /// Traffic from the node.
    var sent: [WireTuple: Count] = [:]

    init(_ records: [RecordLine]) {
        for record in records {
            let (forward, backward) = (record.forwardTuple, record.forwardTuple.reversed)
            let isSource = record.reporter == "src"
            received[isSource ? backward : forward, default: Count()] += record.inbound
            sent[isSource ? forward : backward, default: Count()] += record.outbound
        }
        received = received.filter { $0.value != Count() }
        sent = sent.filter { $0.value != Count() }
    }

    /// Everything that came to the node.
    var totalReceived: Count { received.values.reduce(Count(), +) }
    /// Everything that the node sent.
    var totalSent: Count { sent.values.reduce(Count(), +) }
}

extension [WireTuple: Count] {
    /// Sums over the ports.
    var withoutPorts: Self {
        var sums: Self = [:]
        for (tuple, count) in self { sums[tuple.withoutPorts, default: Count()] += count }
        return sums
    }
}
