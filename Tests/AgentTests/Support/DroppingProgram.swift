import CWeir
import Glibc
import Lab
import Testing

/// Programs and filters of others that drop everything.
enum DroppingProgram: Sendable, Hashable {
    /// `return TC_ACT_SHOT` on the clsact qdisc of an interface.
    case clsact(isEgress: Bool)
    /// `return TCX_DROP`, behind all programs that are there.
    case tcx(isEgress: Bool)
    /// `return XDP_DROP`, in the driver or in the kernel's generic path.
    case xdp(isGeneric: Bool)

    /// Attaches it to an interface; it stays as long as the namespace, or as what is returned is open.
    func attach(to interface: String, in namespace: NetworkNamespace) throws -> AttachedProgram {
        let index = try namespace.index(of: interface)
        let program: Int32
        var link: Int32 = -1
        let result: Int32
        switch self {
        case .clsact(let isEgress):
            program = try Self.load(BPF_PROG_TYPE_SCHED_CLS, verdict: 2)
            result = try namespace.run { Self.attachClsact(program, index, isEgress: isEgress) }
        case .tcx(let isEgress):
            program = try Self.load(BPF_PROG_TYPE_SCHED_CLS, verdict: 2)
            let direction = isEgress ? WEIR_EGRESS : WEIR_INGRESS
            link = try namespace.run { weir_tcx_attach(program, index, direction) }
            result = link < 0 ? link : 0
        case .xdp(let isGeneric):
            program = try Self.load(BPF_PROG_TYPE_XDP, verdict: 1)
            // linux/if_link.h: XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE.
            let flags: UInt32 = isGeneric ? 2 : 4
            result = try namespace.run { bpf_xdp_attach(Int32(bitPattern: index), program, flags, nil) }
        }
        close(program)
        try #require(result == 0, "\(self) on \(interface): \(result)")
        return AttachedProgram(link)
    }

    private static func attachClsact(_ program: Int32, _ index: UInt32, isEgress: Bool) -> Int32 {
        var hook = bpf_tc_hook()
        hook.sz = MemoryLayout<bpf_tc_hook>.size
        hook.ifindex = Int32(bitPattern: index)
        hook.attach_point = isEgress ? BPF_TC_EGRESS : BPF_TC_INGRESS
        let created = bpf_tc_hook_create(&hook)
        guard created == 0 || created == -EEXIST else { return created }
        var options = bpf_tc_opts()
        options.sz = MemoryLayout<bpf_tc_opts>.size
        options.prog_fd = program
        options.priority = 7
        options.handle = 1
        return bpf_tc_attach(&hook, &options)
    }

    private static func load(_ type: bpf_prog_type, verdict: UInt64) throws -> Int32 {
        // r0 = verdict; exit (linux/bpf.h: code, registers, offset, number).
        let instructions: [UInt64] = [verdict << 32 | 0xb7, 0x95]
        let program = instructions.withUnsafeBytes { bytes in
            bpf_prog_load(
                type,
                "drop",
                "GPL",
                bytes.baseAddress?.assumingMemoryBound(to: bpf_insn.self),
                instructions.count,
                nil
            )
        }
        try #require(program >= 0)
        return program
    }
}

extension DroppingProgram {
    /// Opens a UDP socket that refuses every packet by a filter of its own.
    static func refusingSocket(port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        try #require(descriptor >= 0)
        // BPF_RET | BPF_K: take 0 bytes.
        var instruction = sock_filter(code: 0x06, jt: 0, jf: 0, k: 0)
        let result = withUnsafeMutablePointer(to: &instruction) { filter in
            var program = sock_fprog(len: 1, filter: filter)
            let size = socklen_t(MemoryLayout<sock_fprog>.size)
            return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, size)
        }
        try #require(result == 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(bound == 0)
        return descriptor
    }
}

/// Keeps a program attached.
final class AttachedProgram {
    private let link: Int32

    fileprivate init(_ link: Int32) {
        self.link = link
    }

    deinit {
        if link >= 0 { close(link) }
    }
}
