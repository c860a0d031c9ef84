import CWeir
import Glibc
package import Lab

/// Programs and sockets of others that drop packets, for the tests of several targets.
package enum DroppingProgram: Sendable, Hashable {
    /// `return TC_ACT_SHOT` on the clsact qdisc of an interface.
    case clsact(isEgress: Bool)
    /// `return TCX_DROP`, first of all programs on ingress and last on egress.
    case tcx(isEgress: Bool)
    /// `return XDP_DROP`, in the driver or in the kernel's generic path.
    case xdp(isGeneric: Bool)

    /// Attaches it to an interface; a TCX program stays as long as the result exists, the others as long as the namespace.
    @discardableResult
    package func attach(to interface: String, in namespace: NetworkNamespace) throws -> AttachedProgram {
        let index = try namespace.index(of: interface)
        let program = AttachedProgram(try load())
        let attached: AttachedProgram? = try namespace.run {
            switch self {
            case .clsact(let isEgress):
                try Self.attachClsact(program.descriptor, index, isEgress: isEgress)
                return nil
            case .tcx(let isEgress):
                let direction = isEgress ? WEIR_EGRESS : WEIR_INGRESS
                let link = weir_tcx_attach(program.descriptor, index, direction)
                return AttachedProgram(try LabError.unwrap("attach a TCX program", link))
            case .xdp(let isGeneric):
                // linux/if_link.h: XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE.
                let result = bpf_xdp_attach(Int32(bitPattern: index), program.descriptor, isGeneric ? 2 : 4, nil)
                _ = try LabError.unwrap("attach an XDP program", result)
                return nil
            }
        }
        return attached ?? program
    }

    private static func attachClsact(_ program: Int32, _ index: UInt32, isEgress: Bool) throws {
        var hook = bpf_tc_hook()
        hook.sz = MemoryLayout<bpf_tc_hook>.size
        hook.ifindex = Int32(bitPattern: index)
        hook.attach_point = isEgress ? BPF_TC_EGRESS : BPF_TC_INGRESS
        let created = bpf_tc_hook_create(&hook)
        _ = try LabError.unwrap("make a clsact qdisc", created == -EEXIST ? 0 : created)
        var options = bpf_tc_opts()
        options.sz = MemoryLayout<bpf_tc_opts>.size
        options.prog_fd = program
        options.priority = 7
        options.handle = 1
        _ = try LabError.unwrap("attach a clsact filter", bpf_tc_attach(&hook, &options))
    }

    private func load() throws -> Int32 {
        let type: bpf_prog_type
        let verdict: UInt64
        switch self {
        case .clsact, .tcx: (type, verdict) = (BPF_PROG_TYPE_SCHED_CLS, 2)
        case .xdp: (type, verdict) = (BPF_PROG_TYPE_XDP, 1)
        }
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
        return try LabError.unwrap("load a program that drops", program)
    }
}

/// Keeps a program attached by its link, or only loaded.
package final class AttachedProgram: Sendable {
    fileprivate let descriptor: Int32

    fileprivate init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}
