/// A capability of Linux that a run uses (capabilities(7)), and the functions that are lost without it.
///
/// This table is the only list: `weir doctor`, the log and ``Privileges`` use it.
struct Capability: Sendable {
    /// The name, as in `CAP_BPF`.
    let name: String
    /// The number (linux/capability.h).
    let number: Int
    /// Whether a run cannot start without it.
    let isRequired: Bool
    /// Whether `CAP_SYS_ADMIN` includes it.
    let isImplied: Bool
    /// The functions that are lost without it.
    let cost: String

    /// The capability's place in a set.
    var bit: UInt64 { 1 << UInt64(number) }

    /// `CAP_SYS_ADMIN`, which includes the younger ones.
    static let everything: UInt64 = 1 << 21

    /// All capabilities that a run uses.
    static let all = [
        // Load programs, make and read maps.
        Capability(name: "CAP_BPF", number: 39, isRequired: true, isImplied: true, cost: "Weir does not start"),
        // Load programs that read kernel memory, as the one for drops does.
        Capability(name: "CAP_PERFMON", number: 38, isRequired: true, isImplied: true, cost: "Weir does not start"),
        // Attach to interfaces; read connection tracking and log groups.
        Capability(name: "CAP_NET_ADMIN", number: 12, isRequired: true, isImplied: false, cost: "Weir does not start"),
        // Read the addresses of the kernel's functions.
        Capability(
            name: "CAP_SYSLOG",
            number: 34,
            isRequired: false,
            isImplied: true,
            cost: "what XDP programs and nfqueues drop is not seen as denied"
        ),
        // Read and write files that belong to others.
        Capability(
            name: "CAP_DAC_OVERRIDE",
            number: 1,
            isRequired: false,
            isImplied: false,
            cost: "files of outputs, reports and tokens must belong to the user that Weir runs as, or let it in"
        ),
    ]
}
