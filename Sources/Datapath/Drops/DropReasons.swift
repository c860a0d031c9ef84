package import CWeir
package import FlowModel
import Glibc

/// The drop reasons of the running kernel, by number.
///
/// Numbers differ between kernels, so they are looked up by name in the kernel's own type information
/// (enum `skb_drop_reason`).
package struct DropReasons: Sendable {
    /// The reason of each number; nil where there is none, or where it is ignored.
    package let byNumber: [DropReason?]
    /// The treatment of each reason by the programs (`WEIR_DROP_*`), by the kernel's number.
    package let bits: [UInt8]

    /// The kernel functions that drop packets without a reason.
    package let places: [weir_drop_place]
    /// Whether ``places`` is empty because the kernel hides the addresses of its functions.
    package let hidesPlaces: Bool

    /// Takes reasons by number, without the prefix of their names, and the addresses of the kernel's functions by name.
    ///
    /// Numbers above the limit of the programs are left out.
    package init(names: [Int: String], functions: [String: Range<UInt64>]? = [:]) {
        let known = names.filter { (0..<Int(WEIR_DROP_REASONS)).contains($0.key) }
        let treatments = known.mapValues { DropTreatment(of: $0) }
        let last = treatments.filter { $0.value != .ignored }.keys.max() ?? 0
        var byNumber = [DropReason?](repeating: nil, count: last + 1)
        var bits = [UInt8](repeating: 0, count: Int(WEIR_DROP_REASONS))
        for (number, name) in known {
            guard let treatment = treatments[number], treatment != .ignored else { continue }
            bits[number] = treatment.bits
            if treatment == .byPlace { continue }
            byNumber[number] = DropReason(name: name, isDecision: treatment.isDecision)
        }
        self.byNumber = byNumber
        self.bits = bits
        hidesPlaces = functions == nil
        places = (functions ?? [:]).compactMap { name, addresses in
            guard let reason = DropPlaces.reasons[name] else { return nil }
            let number = known.first { $0.value == reason }?.key
            return number.map { weir_drop_place(addresses, reason: $0, DropTreatment(of: reason)) }
        }
    }

    /// Whether the running kernel gives reasons for drops, and the reasons if so.
    package enum Support: Sendable {
        /// The kernel reports drops.
        case available(DropReasons)
        /// The kernel does not report drops, for a reason in plain words.
        case unavailable(String)
    }

    /// Reads the reasons of the running kernel.
    package static func read() -> Support {
        guard let btf = unsafe btf__load_vmlinux_btf() else {
            return .unavailable("the kernel's type information cannot be read: \(DatapathError.text(of: errno))")
        }
        defer { unsafe btf__free(btf) }
        let types = unsafe KernelTypes(btf: btf)
        // The first parameter is the tracepoint's own.
        guard types.parameterCount(ofTracepoint: "kfree_skb") >= 4 else {
            return .unavailable("this kernel gives no reason for dropped packets (Linux does since 5.17)")
        }
        let names = types.enumerators(of: "skb_drop_reason")
        guard !names.isEmpty else { return .unavailable("this kernel has no names for the reasons of drops") }
        return .available(DropReasons(names: names.mapValues(Self.shortened), functions: DropPlaces.read()))
    }

    /// A name without its prefix.
    static func shortened(_ name: String) -> String {
        for prefix in ["SKB_DROP_REASON_", "SKB_"] where name.hasPrefix(prefix) {
            return String(name.dropFirst(prefix.count))
        }
        return name
    }
}

/// Access to the kernel's type information (linux/btf.h).
///
/// `@safe`: used only while the information is loaded.
@safe
private struct KernelTypes {
    let btf: OpaquePointer

    // Kinds of linux/btf.h, which Swift imports twice, so that their C names are ambiguous.
    private static let pointer: UInt32 = 2
    private static let enumeration: UInt32 = 6
    private static let typedef: UInt32 = 8
    private static let functionPrototype: UInt32 = 13

    init(btf: OpaquePointer) {
        unsafe self.btf = btf
    }

    /// Parameters of the function that is called at a raw tracepoint; 0 if there is none.
    func parameterCount(ofTracepoint name: String) -> Int {
        let found = unsafe btf__find_by_name_kind(btf, "btf_trace_\(name)", Self.typedef)
        guard found > 0, let typedef = unsafe btf__type_by_id(btf, UInt32(found)),
            let pointer = unsafe btf__type_by_id(btf, typedef.pointee.type),
            unsafe Self.kind(of: pointer) == Self.pointer,
            let prototype = unsafe btf__type_by_id(btf, pointer.pointee.type),
            unsafe Self.kind(of: prototype) == Self.functionPrototype
        else { return 0 }
        return unsafe Self.count(of: prototype)
    }

    /// Names of an enum's values; those beyond 31 bits are left out.
    func enumerators(of name: String) -> [Int: String] {
        let found = unsafe btf__find_by_name_kind(btf, name, Self.enumeration)
        guard found > 0, let type = unsafe btf__type_by_id(btf, UInt32(found)) else { return [:] }
        let values = unsafe UnsafeRawPointer(type + 1).assumingMemoryBound(to: btf_enum.self)
        var names: [Int: String] = [:]
        for index in unsafe 0..<Self.count(of: type) {
            let value = unsafe values[index]
            guard value.val >= 0, let text = unsafe btf__name_by_offset(btf, value.name_off) else { continue }
            names[Int(value.val)] = unsafe String(cString: text)
        }
        return names
    }

    private static func kind(of type: UnsafePointer<btf_type>) -> UInt32 {
        unsafe type.pointee.info >> 24 & 0x1f
    }

    private static func count(of type: UnsafePointer<btf_type>) -> Int {
        Int(unsafe type.pointee.info & 0xffff)
    }
}
