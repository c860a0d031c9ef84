import CWeir
import Glibc

/// The functions of the kernel that drop packets by decision without a reason (`NOT_SPECIFIED`).
///
/// They are identified by their addresses.
enum DropPlaces {
    /// The reason that a drop in each function has.
    static let reasons = [
        // XDP_DROP of a generic XDP program (net/core/dev.c); inlining determines which of the two functions exists.
        "do_xdp_generic": "XDP",
        "netif_receive_generic_xdp": "XDP",
        // XDP_DROP of a program on a veth device (drivers/net/veth.c).
        "veth_xdp_rcv_skb": "XDP",
        // The verdict of a program behind an nfqueue (net/netfilter/nfnetlink_queue.c, before that nf_queue.c).
        "nfqnl_reinject": "NETFILTER_DROP",
        "nf_reinject": "NETFILTER_DROP",
    ]

    /// The address ranges of these functions in the running kernel; nil if the kernel hides its addresses.
    static func read() -> [String: Range<UInt64>]? {
        guard let file = unsafe fopen("/proc/kallsyms", "re") else { return nil }
        defer { unsafe fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { unsafe free(line) }
        var starts: [String: UInt64] = [:]
        // The function ends at the next higher symbol, which may be anywhere in the list.
        var addresses: [UInt64] = []
        while true {
            let length = unsafe getline(&line, &capacity, file)
            guard length > 0, let text = unsafe line else { break }
            var end: UnsafeMutablePointer<CChar>?
            let address = unsafe strtoull(text, &end, 16)
            guard address != 0, let name = unsafe end else { continue }
            addresses.append(address)
            if let wanted = unsafe wantedName(name) { starts[wanted] = address }
        }
        guard !addresses.isEmpty else { return nil }
        var ranges: [String: Range<UInt64>] = [:]
        for (name, start) in starts {
            let next = addresses.reduce(UInt64.max) { $1 > start ? min($0, $1) : $0 }
            // No function is longer than this; there may be no symbol after the last one.
            ranges[name] = start..<min(next, start + 0x4000)
        }
        return ranges
    }

    /// The first characters of the names.
    private static let initials = Set(reasons.keys.compactMap { $0.utf8.first.map { CChar(bitPattern: $0) } })

    /// The function's name in ` t name[.suffix][\tmodule]`, if it is one of those.
    private static func wantedName(_ text: UnsafePointer<CChar>) -> String? {
        let name = unsafe text + 3
        // The first letter rules out most of them.
        guard initials.contains(unsafe name[0]) else { return nil }
        var length = 0
        while length < 64, unsafe isNamePart(name[length]) { length += 1 }
        guard length > 8, unsafe name[length] != CChar(UInt8(ascii: ".")) || !isCold(name + length) else { return nil }
        let found = unsafe String(decoding: UnsafeRawBufferPointer(start: name, count: length), as: UTF8.self)
        return reasons[found] == nil ? nil : found
    }

    private static func isNamePart(_ character: CChar) -> Bool {
        switch UInt8(bitPattern: character) {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// Whether a suffix marks a cold part that the compiler split off the function.
    private static func isCold(_ suffix: UnsafePointer<CChar>) -> Bool {
        unsafe strncmp(suffix, ".cold", 5) == 0
    }
}

extension weir_drop_place {
    /// Takes a function's addresses, and the meaning of its drops.
    init(_ addresses: Range<UInt64>, reason: Int, _ treatment: DropTreatment) {
        self.init()
        start = addresses.lowerBound
        end = addresses.upperBound
        self.reason = UInt16(reason)
        kind = treatment.bits
    }
}
