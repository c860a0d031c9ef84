import CWeir
import Glibc

/// The requirements of the datapath on the kernel and on its privileges, checked before anything is loaded.
enum Requirements {
    /// The oldest kernel: ring buffer, atomics with results, BTF, all of it in every distribution that ships 5.15.
    private static let minimumKernel = (major: 5, minor: 15)

    private static let btfPath = "/sys/kernel/btf/vmlinux"

    /// Checks all requirements.
    ///
    /// - Parameter tableSlots: the slots of the flow table.
    /// - Throws: the first requirement that is not met.
    static func check(tableSlots: Int) throws(DatapathError) {
        try checkKernel()
        try checkPrivileges()
        guard unsafe access(selfPath, R_OK) == 0 else {
            throw .unsuitable(
                reason: "/proc is not mounted, or not of this process",
                advice: "mount -t proc proc /proc, or give the container its own"
            )
        }
        try checkLimits()
        try checkAddressSpace(tableSlots)
        try checkTypeInformation()
    }

    /// Checks the limits that do not depend on the watched interfaces.
    static func checkLimits() throws(DatapathError) {
        for (resource, least, what, options) in [
            (RLIMIT_NOFILE, leastFiles, "open files", "ulimit -n, LimitNOFILE="),
            (RLIMIT_DATA, leastData, "bytes of data", "ulimit -d, LimitDATA="),
            (RLIMIT_STACK, leastStack, "bytes of stack", "ulimit -s, LimitSTACK="),
        ] {
            var limit = rlimit()
            guard unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur < least else {
                continue
            }
            throw .unsuitable(
                reason: "the limit of \(what) is \(limit.rlim_cur), and at least \(least) are needed",
                advice: "raise it (\(options))"
            )
        }
    }

    /// A run that watches one interface has 100 maps, programs, sockets and clients.
    private static let leastFiles: UInt64 = 128
    /// A run has 40 MiB, and each of its threads a stack.
    private static let leastData: UInt64 = 128 << 20
    /// This is twice the necessary stack.
    private static let leastStack: UInt64 = 256 << 10

    private static func checkTypeInformation() throws(DatapathError) {
        guard unsafe access("/sys/kernel", F_OK) == 0 else {
            throw .unsuitable(reason: "/sys is not mounted", advice: "mount -t sysfs sys /sys, or mount the host's")
        }
        switch BTFHeader.state(of: btfPath) {
        case .whole: return
        case .unreadable(ENOENT):
            throw .unsupportedKernel(
                feature: "type information (\(btfPath))",
                since: "5.2, with CONFIG_DEBUG_INFO_BTF",
                advice: "use a distribution kernel that has it"
            )
        case .unreadable(let code):
            throw .system(operation: "open \(btfPath)", errno: code, advice: "it must be readable")
        case .foreign:
            throw .unsuitable(
                reason: "\(btfPath) has no type information: something else is mounted over it",
                advice: "unmount it, or mount the host's /sys"
            )
        case .cutOff:
            throw .unsuitable(
                reason: "the type information in \(btfPath) is cut off: something else is mounted over it",
                advice: "unmount it, or mount the host's /sys"
            )
        }
    }

    /// Checks a limit of the address space, if there is one.
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

    /// Address space for a slot of the flow table, with its drops and bits.
    private static let bytesOfSlot: UInt64 = 264
    /// Address space for the ring, which is mapped twice, the accounts, the kernel's type information, and threads' stacks.
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
