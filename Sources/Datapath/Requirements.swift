import CWeir
import Glibc

/// What the datapath needs of the kernel and of its privileges, checked before anything is loaded.
enum Requirements {
    /// The oldest kernel: ring buffer, atomics with results, BTF, all of it in every distribution that ships 5.15.
    private static let minimumKernel = (major: 5, minor: 15)

    private static let btfPath = "/sys/kernel/btf/vmlinux"

    /// Throws the first requirement that is not met.
    static func check() throws(DatapathError) {
        try checkKernel()
        try checkPrivileges()
        guard unsafe access(btfPath, R_OK) == 0 else {
            throw .unsupportedKernel(
                feature: "type information (\(btfPath))",
                since: "5.2, with CONFIG_DEBUG_INFO_BTF",
                advice: "use a distribution kernel that has it"
            )
        }
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
