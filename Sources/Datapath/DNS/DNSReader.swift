package import CWeir
import Glibc

/// Reads the copies that BPF programs make of the DNS messages of clients behind the interfaces (bpf/dns.bpf.c).
///
/// The flow counter passes packets with a DNS port to these programs, which count the packets, too. After the reader is
/// released, the flow counter counts these packets itself.
///
/// `@safe`: a message is copied before its space in the ring is released.
@safe
package final class DNSReader {
    private let ring: SharedRing

    /// Maps that the programs share with the flow counter.
    private static let sharedMaps = [
        "flows", "flow_rest", "occupied", "interfaces", "table_use", "accounts", "overflow", "fragments", "last_skb",
        "handshakes", "handshaken",
    ]
    private static let parts = SharedRing.Parts(
        content: "DNS messages",
        ring: "dns_messages",
        bytes: Int(WEIR_DNS_RING),
        shares: "dns_shares",
        places: "dns_programs",
        programs: [(WEIR_INGRESS, "weir_dns_ingress"), (WEIR_EGRESS, "weir_dns_egress")]
    )

    /// Loads the programs, and lets the flow counter pass DNS messages to them.
    ///
    /// - Throws: ``DatapathError`` if the kernel rejects a program; the flow counter then counts as before.
    package init(beside counter: borrowing KernelPrograms) throws(DatapathError) {
        let object = try ProgramObject(.dns)
        var configuration = counter.configuration
        configuration.handshakes = counter.timesHandshakes ? 1 : 0
        try object.setConstant(configuration, named: "config")
        if counter.handsOnDatagrams {
            try object.setConstant(UInt32(1), named: "datagrams_are_on")
            try object.share(counter.map("datagram_programs"), as: "datagram_programs")
        } else {
            try object.leaveOut(map: "datagram_programs")
        }
        for name in Self.sharedMaps { try object.share(counter.map(name), as: name) }
        // Declared for the agent; no program reads it.
        try object.leaveOut(map: "fence")
        try object.load()
        ring = try SharedRing(Self.parts, of: object, beside: counter)
        try ring.begin(object)
    }

    /// Readable when messages fill the ring.
    var descriptor: Int32 { ring.descriptor }

    /// The number of messages of interfaces at these positions that were lost because the ring was full.
    func lost(at positions: Set<Int>) -> UInt64 { ring.lost(at: positions) }

    /// Assigns each interface its share of the ring.
    func divide(among positions: Set<Int>) { ring.divide(among: positions) }

    /// Clears the loss count of a position after the programs of its interface were detached.
    func release(position: Int) { ring.release(position: position) }

    /// Takes messages until the ring is empty, or `body` returns false.
    package func drain(positions: Set<Int>, _ body: (weir_dns_message, UnsafeRawBufferPointer) -> Bool) {
        let head = MemoryLayout<weir_dns_message>.size
        unsafe ring.drain(positions: positions) { record in
            let message = unsafe record.load(as: weir_dns_message.self)
            let copied = min(Int(message.copied), max(0, record.count - head))
            return unsafe body(message, UnsafeRawBufferPointer(rebasing: record[head..<head + copied]))
        }
    }
}
