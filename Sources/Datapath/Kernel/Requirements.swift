import CWeir
import Glibc

/// What the datapath needs of the kernel and of its privileges, checked before anything is loaded.
enum Requirements {
    /// The oldest kernel: ring buffer, atomics with results, BTF, all of it in every distribution that ships 5.15.
    private static let minimumKernel = (major: 5, minor: 15)

    private static let btfPath = "/sys/kernel/btf/vmlinux"

    /// Checks all requirements.
    ///
    /// - Parameter tableSlots: the slots that the flow table is going to have.
    /// - Throws: the first one that is not met.
    static func check(tableSlots: Int) throws(DatapathError) {
        try checkKernel()
        try checkPrivileges()
        guard unsafe access(selfPath, R_OK) == 0 else {
            throw .unsuitable(
                reason: "/proc is not mounted, or not of this process",
                advice: "mount -t proc proc /proc, or give the container its own"
            )
        }
        try checkAddressSpace(tableSlots)
        guard let start = readStart(of: btfPath) else {
            throw .unsupportedKernel(
                feature: "type information (\(btfPath))",
                since: "5.2, with CONFIG_DEBUG_INFO_BTF",
                advice: "use a distribution kernel that has it"
            )
        }
        guard start == btfMagic else {
            throw .unsupportedKernel(
                feature: "type information (\(btfPath) has none: something else is mounted over it)",
                since: "5.2, with CONFIG_DEBUG_INFO_BTF",
                advice: "unmount it, or mount the host's /sys"
            )
        }
    }

    /// Without a limit for the address space nothing is checked.
    private static func checkAddressSpace(_ tableSlots: Int) throws(DatapathError) {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { return }
        guard limit.rlim_cur != UInt64.max, let used = usedAddressSpace() else { return }
        let needed = used + UInt64(tableSlots) * bytesOfSlot + bytesOfRest
        guard limit.rlim_cur < needed else { return }
        throw .unsuitable(
            reason: "the address space is limited to \(limit.rlim_cur >> 20) MiB, and \(needed >> 20) MiB are needed",
            advice: "raise the limit (ulimit -v, LimitAS=), or make the flow table smaller (--table-slots)"
        )
    }

    /// Of the flow table with its drops and its bits.
    private static let bytesOfSlot: UInt64 = 264
    /// Of the ring, which is mapped twice, the accounts, the kernel's type information, and threads' stacks.
    private static let bytesOfRest: UInt64 = 80 << 20

    /// The bytes of address space that this process has (proc(5), statm).
    private static func usedAddressSpace() -> UInt64? {
        guard let file = unsafe fopen("/proc/self/statm", "re") else { return nil }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard unsafe fgets(&line, Int32(line.count), file) != nil else { return nil }
        let digits = line.prefix { $0 >= 0x30 && $0 <= 0x39 }.map { UInt8(bitPattern: $0) }
        return UInt64(String(decoding: digits, as: UTF8.self)).map { $0 * UInt64(sysconf(Int32(_SC_PAGESIZE))) }
    }

    private static let selfPath = "/proc/self/ns/net"
    /// `BTF_MAGIC` (linux/btf.h), in the order of this machine.
    private static let btfMagic: UInt16 = 0xeb9f

    /// The first two bytes of a file, 0 if it is shorter; nil if it cannot be read.
    private static func readStart(of path: String) -> UInt16? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var start: UInt16 = 0
        return unsafe read(descriptor, &start, 2) == 2 ? start : 0
    }

    private static func checkKernel() throws(DatapathError) {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return }
        let release = unsafe withUnsafeBytes(of: name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) < minimumKernel else { return }
        throw .unsupportedKernel(
            feature: "BPF as Weir needs it (this is Linux \(release))",
            since: "5.15",
            advice: "run Weir on a newer kernel"
        )
    }

    private static func checkPrivileges() throws(DatapathError) {
        // Numbers of capabilities(7), linux/capability.h.
        let needed: [(bit: UInt64, name: String)] = [(12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")]
        let everything: UInt64 = 21  // CAP_SYS_ADMIN stands for the two younger ones
        let held = weir_effective_capabilities()
        let missing = needed.filter { capability in
            let isHeld = held & 1 << capability.bit != 0
            let isImplied = capability.bit >= 38 && held & 1 << everything != 0
            return !isHeld && !isImplied
        }
        guard missing.isEmpty else { throw .missingPrivilege(capabilities: missing.map(\.name)) }
    }
}
