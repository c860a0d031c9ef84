import CWeir
import Datapath
import Glibc

/// Examines everything that a run requires of its machine, without changing anything.
package struct Doctor: Sendable {
    let configuration: AgentConfiguration
    /// The shipping of audit logs that the run would start; nil if none.
    let audit: AuditShipping?
    /// The address at which a run of Weir already serves HTTP; nil if none does.
    let running: String?

    /// Takes the configuration of the run to examine.
    ///
    /// - Parameters:
    ///   - configuration: the configuration.
    ///   - audit: the shipping of audit logs that it would start; nil if none.
    ///   - running: the address at which a run of Weir already serves HTTP; nil if none does.
    package init(_ configuration: AgentConfiguration, audit: AuditShipping? = nil, running: String? = nil) {
        self.configuration = configuration
        self.audit = audit
        self.running = running
    }

    /// Examines everything; an API server that does not answer takes ten seconds.
    ///
    /// If files of the inventory are missing, nothing else is examined.
    package func examine() -> [Examination] {
        let inventory = inventoryFiles()
        if inventory.status == .missing { return inventory }
        let machine = [
            kernel, typeInformation, capabilities, programs, pinning, attaching, drops, sockets, owners, datagrams,
            processes, containers, dns, conntrack,
        ]
        let limits = [openFiles, lockedMemory, memoryLimit, clock]
        let outside = Waiting.run { [self] in await server() + auditing() + apiServer() }
        return inventory + (machine + limits).map { $0() } + hooks() + outputs() + outside
    }
}

// MARK: - Kernel

extension Doctor {
    private func kernel() -> Examination {
        var name = utsname()
        guard uname(&name) == 0 else { return Examination("kernel", .missing, "uname failed") }
        let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) >= (5, 15) else {
            return Examination(
                "kernel",
                .missing,
                "Linux \(release)",
                cost: "Weir does not start",
                fix: "use Linux 5.15 or later"
            )
        }
        return Examination("kernel", .ok, "Linux \(release)")
    }

    private func typeInformation() -> Examination {
        let path = "/sys/kernel/btf/vmlinux"
        guard access(path, R_OK) == 0 else {
            return Examination(
                "type information",
                .missing,
                "\(path): \(String(cString: strerror(errno)))",
                cost: "Weir does not start",
                fix: "use a kernel with CONFIG_DEBUG_INFO_BTF; in a container, mount the host's /sys"
            )
        }
        return Examination("type information", .ok, path)
    }

    private func capabilities() -> Examination {
        let held = DatapathSurvey.capabilities
        func lacks(_ capability: Capability) -> Bool {
            held & capability.bit == 0 && !(capability.isImplied && held & Capability.everything != 0)
        }
        let missing = Capability.all.filter(lacks)
        let needed = missing.filter(\.isRequired)
        guard missing.isEmpty else {
            return Examination(
                "capabilities",
                needed.isEmpty ? .degraded : .missing,
                "without \(missing.map(\.name).joined(separator: ", "))",
                cost: missing.map { "\($0.name): \($0.cost)" }.joined(separator: "; "),
                fix: "run as root (sudo), or give the container these capabilities"
            )
        }
        return Examination("capabilities", .ok, Capability.all.map(\.name).joined(separator: ", "))
    }

    private func programs() -> Examination {
        guard let error = DatapathSurvey.loadFailure() else {
            return Examination("programs", .ok, "the kernel's verifier accepts them")
        }
        return Examination("programs", .missing, "\(error)", cost: "Weir does not start", fix: "see the lines above")
    }

    private func pinning() -> Examination {
        guard DatapathSurvey.isBPFFS("/sys/fs/bpf") else {
            return Examination(
                "bpffs",
                .degraded,
                "no BPF file system at /sys/fs/bpf",
                cost: "nothing is counted while no agent runs",
                fix: "mount -t bpf bpf /sys/fs/bpf; in a container, mount the host's"
            )
        }
        return Examination("bpffs", .ok, "/sys/fs/bpf")
    }

    private func attaching() -> Examination {
        if HookSurvey.kernelHasTCX { return Examination("attaching", .ok, "TCX\(slowness)") }
        return Examination(
            "attaching",
            configuration.datapath.attachMode == .tcx ? .missing : .degraded,
            "no TCX: clsact filters are used",
            cost: "other programs' filters may run before Weir's",
            fix: "use Linux 6.6 or later"
        )
    }

    /// A note on the time to attach to many interfaces; empty if grace periods are expedited.
    private var slowness: String {
        let datapath = configuration.datapath
        let reason =
            datapath.expeditesAttaching
            ? DatapathSurvey.expeditingFailure(bpffs: datapath.bpffs) : "expedite-attach is off"
        return reason.map { "; some 25 ms an interface, since grace periods are not expedited (\($0))" } ?? ""
    }

    private func drops() -> Examination {
        guard let reason = DatapathSurvey.dropsFailure() else {
            return Examination("drops", .ok, "the kernel reports dropped packets with a reason")
        }
        return Examination(
            "drops",
            .degraded,
            reason,
            cost: "denied flows are missing, or those that XDP programs and nfqueues deny",
            fix: "Linux 5.17 or later; CAP_SYSLOG, with kernel.kptr_restrict at most 1; or log rules (--nflog-group)"
        )
    }

    /// Returns a reason why data cannot be collected, with a note if its collection is not requested.
    private static func reason(_ text: String, _ isAsked: Bool) -> String {
        isAsked ? text : "not collected; it would lack: \(text)"
    }

    /// The advice for processes that are hidden, or that the kernel's iterator cannot list.
    private static var showingProcesses: String {
        DatapathSurvey.olderProcessesFailure() == nil
            ? "see the reason" : "use the host's PID namespace (hostPID: true)"
    }

    private func sockets() -> Examination {
        let isAsked = !configuration.datapath.collects.isDisjoint(with: [.tcp, .process])
        if let error = DatapathSurvey.socketsFailure() {
            return Examination(
                "sockets",
                isAsked ? .degraded : .ok,
                Self.reason("\(error)", isAsked),
                cost: isAsked ? "the fields tcp_* and process_* stay empty" : "",
                fix: isAsked ? "use a kernel with type information (CONFIG_DEBUG_INFO_BTF); give CAP_PERFMON" : ""
            )
        }
        if let reason = DatapathSurvey.olderSocketsFailure() {
            return Examination(
                "sockets",
                isAsked ? .degraded : .ok,
                Self.reason(reason, isAsked),
                cost: isAsked ? "connections that are older than the run may have no fields tcp_* and process_*" : "",
                fix: isAsked ? Self.showingProcesses : ""
            )
        }
        return Examination("sockets", .ok, isAsked ? "they can be read" : "they can be read (--collect tcp,process)")
    }

    /// Examines whether listening sockets get an owner; ``sockets()`` reports that sockets cannot be read at all.
    private func owners() -> Examination {
        let name = "owners of sockets"
        guard configuration.datapath.collects.contains(.process) else { return Self.uncollected(name) }
        let seen: String
        do {
            guard let error = try DatapathSurvey.ownersFailure() else { return Examination(name, .ok, "they are kept") }
            seen = "\(error)"
        } catch {
            seen = "no socket can be read: \(error)"
        }
        let cost = "the fields process_* of connections that were accepted stay empty"
        return Examination(name, .degraded, seen, cost: cost, fix: "see the reason")
    }

    /// The line of what is examined only if processes are collected.
    private static func uncollected(_ name: String) -> Examination {
        Examination(name, .ok, "not collected (--collect process)")
    }

    private func datagrams() -> Examination {
        let name = "UDP sockets"
        guard configuration.datapath.collects.contains(.process) else { return Self.uncollected(name) }
        guard let error = DatapathSurvey.datagramsFailure() else {
            return Examination(name, .ok, "their owners can be read")
        }
        let cost = "the fields process_* of UDP stay empty, or those of sockets made during the run"
        return Examination(name, .degraded, "\(error)", cost: cost, fix: "see the reason")
    }

    private func processes() -> Examination {
        let isAsked = !configuration.datapath.collects.isDisjoint(with: [.processPath, .processArguments])
        if let error = DatapathSurvey.processesFailure() {
            return Examination(
                "programs of processes",
                isAsked ? .degraded : .ok,
                Self.reason("\(error)", isAsked),
                cost: isAsked ? "processes that end at once have neither path nor arguments" : "",
                fix: isAsked ? "use a kernel with type information (CONFIG_DEBUG_INFO_BTF); give CAP_PERFMON" : ""
            )
        }
        if let reason = DatapathSurvey.olderProcessesFailure() {
            return Examination(
                "programs of processes",
                isAsked ? .degraded : .ok,
                Self.reason(reason, isAsked),
                cost: isAsked ? "processes that are older than the run have neither path nor arguments" : "",
                fix: isAsked ? Self.showingProcesses : ""
            )
        }
        let ending = isAsked ? "" : " (--collect process-path,process-args)"
        return Examination("programs of processes", .ok, "they can be read\(ending)")
    }

    /// Examines whether the containers of processes can be found by the numbers of their cgroups.
    private func containers() -> Examination {
        let isAsked = configuration.datapath.collects.contains(.process)
        guard let root = DatapathSurvey.cgroupRoot else {
            return Examination(
                "containers",
                isAsked ? .degraded : .ok,
                Self.reason("the root of cgroup v2 is not visible, only a part of it or version 1", isAsked),
                cost: isAsked
                    ? "no container_id of processes that ended; no owners of UDP sockets that are made during the run"
                    : "",
                fix: isAsked ? "in a container, mount the host's /sys/fs/cgroup at /host/sys/fs/cgroup" : ""
            )
        }
        let ending = isAsked ? "" : " (--collect process)"
        return Examination("containers", .ok, "those of processes can be read in \(root)\(ending)")
    }

    private func dns() -> Examination {
        let isAsked = configuration.datapath.collects.contains(.dns)
        if let error = DatapathSurvey.dnsFailure() {
            return Examination(
                "DNS messages",
                isAsked ? .degraded : .ok,
                Self.reason("\(error)", isAsked),
                cost: isAsked ? "dest_domains and the DNS log stay empty" : "",
                fix: isAsked
                    ? "use a kernel whose JIT has tail calls in programs with functions (5.15; 6.0 on arm64)" : ""
            )
        }
        return Examination("DNS messages", .ok, isAsked ? "they can be read" : "they can be read (--collect dns)")
    }

    private func conntrack() -> Examination {
        if let error = DatapathSurvey.conntrackFailure() {
            return Examination(
                "connection tracking",
                .degraded,
                "\(error)",
                cost: "NAT is not resolved; services are named by the address that was called",
                fix: error.isUnsupported ? "see the reason" : "modprobe nf_conntrack_netlink"
            )
        }
        let accounting = Self.text(of: "/proc/sys/net/netfilter/nf_conntrack_acct")
        let isOn = accounting == "1"
        return Examination(
            "connection tracking",
            .ok,
            "it answers; accounting is \(isOn ? "on" : "off") and not needed"
        )
    }
}

// MARK: - Limits

extension Doctor {
    private func openFiles() -> Examination {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return Examination("open files", .degraded, "the limit cannot be read")
        }
        let most = (Int(clamping: limit.rlim_max) - OpenFiles.others) / OpenFiles.perInterface
        guard limit.rlim_max < OpenFiles.wanted else {
            return Examination(
                "open files",
                .ok,
                "\(limit.rlim_max); \(OpenFiles.wanted) are enough for 1,024 interfaces"
            )
        }
        return Examination(
            "open files",
            .degraded,
            "\(limit.rlim_max), enough for \(max(0, most)) interfaces",
            cost: "others are not watched",
            fix: "raise the limit to \(OpenFiles.wanted) (LimitNOFILE=, ulimit -Hn)"
        )
    }

    private func lockedMemory() -> Examination {
        // Since Linux 5.11 maps are charged to the cgroup and not to this limit.
        Examination("locked memory", .ok, "not limited: this kernel charges maps to the cgroup")
    }

    /// The memory of the kernel for what is collected beside packets (docs/collect.md), bytes.
    private var collectedMemory: Int {
        let collects = configuration.datapath.collects
        // The ring, the entries and the map of their places; places and owners of all sockets that are kept.
        let sockets = 17 << 20 + Int(WEIR_MAX_SOCKETS) * (64 + 300)
        let parts: [(Collected, bytes: Int)] = [
            ([.tcp, .process], sockets), (.process, 1 << 20), (.processPath, 3 << 19), (.processArguments, 3 << 19),
            (.dns, 3 << 20), (.handshake, configuration.datapath.tableSlots * 17),
        ]
        return parts.reduce(0) { $0 + (collects.isDisjoint(with: $1.0) ? 0 : $1.bytes) }
    }

    private func memoryLimit() -> Examination {
        let maps = configuration.datapath.tableSlots * 200 + (16 << 20)
        let needed = configuration.memoryLimit + maps + collectedMemory
        let paths = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        guard let limit = paths.lazy.compactMap({ Self.text(of: $0).flatMap(Int.init) }).first, limit < 1 << 50 else {
            return Examination("memory", .ok, "no limit of the cgroup; a run takes \(needed >> 20) MiB at most")
        }
        guard limit < needed else {
            return Examination(
                "memory",
                .ok,
                "\(limit >> 20) MiB in this cgroup; a run takes \(needed >> 20) MiB at most"
            )
        }
        return Examination(
            "memory",
            .degraded,
            "\(limit >> 20) MiB in this cgroup; a run may take \(needed >> 20) MiB",
            cost: "a flood may end the process",
            fix: "raise the container's limit, or lower --memory-limit or --table-slots"
        )
    }

    private func clock() -> Examination {
        let year2026: Int64 = 1_767_225_600
        guard Clock.wall / 1_000_000_000 > year2026 else {
            return Examination("clock", .degraded, "it is before 2026", cost: "records have wrong times", fix: "set it")
        }
        var error: Int64 = 0
        guard weir_clock_is_kept(&error) == 1 else {
            return Examination(
                "clock",
                .degraded,
                "the kernel has it as not synchronised",
                cost: "records of several nodes may not fit together",
                fix: "run chrony or systemd-timesyncd"
            )
        }
        return Examination("clock", .ok, "kept, within \(error / 1000) ms")
    }

    static func text(of path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [CChar](repeating: 0, count: 256)
        guard fgets(&bytes, Int32(bytes.count), file) != nil else { return nil }
        return String(decoding: bytes.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
