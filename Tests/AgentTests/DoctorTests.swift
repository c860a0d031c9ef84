import Agent
import Export
import Foundation
import Lab
import Testing

/// The findings of `weir doctor` on suitable and unsuitable machines.
@Suite(.serialized, .needsRoot)
struct DoctorTests {
    private let folder: TemporaryFolder
    private let cable: Cable

    init() throws {
        folder = try TemporaryFolder()
        cable = try Cable()
        try cable.node.ip("link set lo up")
    }

    private func examine(_ options: [String] = [], program: [String] = [WeirProgram.path]) throws -> (
        Int32?, [String: Examination]
    ) {
        let words = ["doctor", "--json", "--http", "off", "--socket", folder.file("weir.sock")] + options
        let process = try cable.node.start(program + words, keepingIn: folder)
        let status = process.wait()
        let found = try JSONDecoder().decode([Examination].self, from: Data(process.output.utf8))
        return (status, Dictionary(found.map { ($0.name, $0) }) { $0.status == .ok ? $1 : $0 })
    }

    @Test func testMachineMeetsRequirements() throws {
        let (status, found) = try examine(["--output", "file:" + folder.file("flows.log")])
        #expect(status == 0 || status == 1)
        for name in [
            "kernel", "type information", "capabilities", "programs", "output", "metrics and health", "memory",
        ] {
            #expect(found[name]?.status == .ok, "\(name): \(String(describing: found[name]))")
        }
        // The command leaves no files.
        #expect(!folder.has("flows.log") && !folder.has("weir.sock"))
    }

    @Test func missingFindingHasCostAndFix() throws {
        let (status, found) = try examine(["--output", "file:/nonexistent/flows.log"])
        #expect(status == 3)
        let output = try #require(found["output"])
        #expect(output.status == .missing && output.seen.contains("/nonexistent"))
        #expect(output.cost == "Weir does not start" && !output.fix.isEmpty)
    }

    @Test(arguments: ["out.log", "logs/out.log"])
    func reportsFileInPlaceOfFolder(_ log: String) throws {
        let file = folder.file("afile")
        try #require(FileManager.default.createFile(atPath: file, contents: nil))
        let (status, found) = try examine(["--output", "file:\(file)/\(log)"])
        #expect(status == 3)
        let output = try #require(found["output"])
        #expect(output.seen.contains("\(file) is a file, not a folder"), "\(output.seen)")
        #expect(output.fix.contains("remove this file"), "\(output.fix)")
    }

    @Test func examinesOutputsOfDNSLog() throws {
        let log = "file:/nonexistent/dns.log"
        let (status, found) = try examine(["--output", "stdout", "--collect", "dns", "--dns-output", log])
        #expect(status == 3)
        let output = try #require(found["DNS log"])
        #expect(output.status == .missing && output.seen.contains("/nonexistent"))
    }

    /// The command skips all other checks, which take a second or more.
    @Test func missingInventoryIsOnlyFinding() throws {
        let (status, found) = try examine(["--inventory", folder.file("none.yaml")])
        #expect(status == 3)
        #expect(found.count == 1)
        #expect(found["inventory"]?.status == .missing && found["inventory"]?.seen.contains("none.yaml") == true)
    }

    @Test(arguments: [(1, 1 << 20, "the disk is full"), (64, 62 << 20, "the disk is full soon"), (200, 0, nil)])
    func reportsFullDisk(_ megabytes: Int, _ used: Int, _ seen: String?) throws {
        let disk = folder.file("disk")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        try #require(mount("tmpfs", disk, "tmpfs", 0, "size=\(megabytes)m") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        _ = FileManager.default.createFile(atPath: disk + "/filler", contents: nil)
        let filler = open(disk + "/filler", O_WRONLY)
        defer { close(filler) }
        try #require(posix_fallocate(filler, 0, max(1, used)) == 0)
        let (_, found) = try examine(["--output", "file:" + disk + "/flows.log"])
        #expect(found["output"]?.status == (seen == nil ? .ok : .degraded))
        if let seen {
            #expect(found["output"]?.seen.contains(seen) == true)
            #expect(found["output"]?.seen.contains("KiB are free") == true)
        }
    }

    /// In both cases 6 MiB are free.
    @Test(arguments: [(0, Examination.Status.degraded), (4 << 20, .ok)])
    func spoolNeedsFreeSpaceUpToItsLimit(_ spooled: Int, _ status: Examination.Status) throws {
        let disk = folder.file("disk")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        try #require(mount("tmpfs", disk, "tmpfs", 0, "size=\(6 + spooled >> 20)m") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let spoolFolder = Spool.folder(of: try OutputSpecification(parsing: "tcp:127.0.0.1:9"), in: disk)
        try FileManager.default.createDirectory(atPath: spoolFolder, withIntermediateDirectories: false)
        try Data(count: spooled).write(to: URL(fileURLWithPath: spoolFolder + "/0000000000000001.segment"))
        let (_, found) = try examine(["--output", "tcp:127.0.0.1:9", "--spool-dir", disk, "--spool-max-size", "8M"])
        let spool = try #require(found["spool"])
        #expect(spool.status == status)
        if status == .degraded { #expect(spool.seen.contains("8 MiB more than now, and 6 MiB are free")) }
    }

    @Test func unreachableOutputIsDegraded() throws {
        let (_, found) = try examine(["--output", "tcp:127.0.0.1:9"])
        #expect(found["output"]?.status == .degraded)
        #expect(found["output"]?.seen.contains("Connection refused") == true)
    }

    @Test(arguments: ["tcp,process", " tcp, process "])
    func reportsSocketAccess(_ collected: String) throws {
        let (_, found) = try examine(["--collect", collected])
        let seen = try #require(found["sockets"]?.seen)
        #expect(["they can be read", "only processes of this container can be seen"].contains(seen))
    }

    /// In a container without the host's PID namespace, only its own processes are visible.
    @Test func reportsCostOfHiddenProcesses() throws {
        let program = ["unshare", "--pid", "--fork", "--mount-proc", WeirProgram.path]
        let (_, found) = try examine(["--collect", "process-path"], program: program)
        for (name, cost) in [("sockets", "connections"), ("programs of processes", "neither path nor arguments")] {
            let seen = try #require(found[name])
            #expect(seen.status == .degraded && seen.seen == "only processes of this container can be seen")
            #expect(seen.cost.contains(cost) && seen.fix.contains("hostPID"))
        }
    }

    /// In a container, the cgroup hierarchy starts at the container's cgroup, unless the host's hierarchy is mounted.
    @Test(arguments: [false, true]) func reportsInvisibleCgroupRoot(isHidden: Bool) throws {
        let hiding = "mount -t tmpfs none /sys/fs/cgroup && exec \"$0\" \"$@\""
        let hidden = ["unshare", "--mount", "--propagation", "private", "sh", "-c", hiding, WeirProgram.path]
        let (_, found) = try examine(["--collect", "process"], program: isHidden ? hidden : [WeirProgram.path])
        let containers = try #require(found["containers"])
        if isHidden {
            #expect(containers.status == .degraded && containers.seen.contains("is not visible"))
            #expect(containers.cost.contains("container_id") && containers.fix.contains("/host/sys/fs/cgroup"))
            let (_, other) = try examine(program: hidden)
            #expect(other["containers"]?.status == .ok)
        } else {
            #expect(containers.seen.hasPrefix("those of processes can be read in /"))
        }
    }

    /// The setting `net.core.optmem_max` limits the memory for owners in sockets.
    @Test func reportsSocketsWithoutStorageForOwners() throws {
        #expect(try examine(["--collect", "process"]).1["owners of sockets"]?.status == .ok)
        _ = try cable.node.command(["bash", "-c", "echo 1 > /proc/sys/net/core/optmem_max"])
        let (_, found) = try examine(["--collect", "process"])
        for (name, cost) in [("owners of sockets", "accepted"), ("UDP sockets", "UDP")] {
            let seen = try #require(found[name])
            #expect(seen.status == .degraded && seen.seen.contains("net.core.optmem_max"), "\(seen)")
            #expect(seen.cost.contains(cost) && !seen.fix.isEmpty)
        }
        #expect(try examine().1["owners of sockets"]?.status == .ok)
    }

    /// An address that a run of Weir already uses is not a fault; another program's listener is one.
    @Test func distinguishesActiveRunFromOtherListener() throws {
        let places = ["--http", "127.0.0.1:9464", "--socket", folder.file("weir.sock"), "--no-pin"]
        let weir = try WeirRun(in: cable.node, folder, places)
        let (_, found) = try examine(places)
        #expect(found["metrics and health"]?.status == .ok)
        #expect(found["metrics and health"]?.seen == "a run of Weir answers on unix:\(folder.file("weir.sock"))")
        try weir.finish()
        let listener = try cable.node.run { try listening(on: 9464) }
        defer { close(listener) }
        #expect(try examine(places).1["metrics and health"]?.status == .missing)
    }

    @Test func examinesAuditLogsOutputsAndState() throws {
        let state = ["--audit-state", folder.file("none/audit.state")]
        let away = ["--audit-output", "tcp:127.0.0.1:9;spool=\(folder.file("spool"))"]
        let (status, found) = try examine(["--audit-log", folder.file("kube-audit.log")] + away + state)
        #expect(status == 1)
        #expect(found["audit log"]?.status == .degraded)
        #expect(found["audit log"]?.seen.hasSuffix("there is none yet") == true)
        #expect(found["audit log"]?.fix.contains("--audit-log-path") == true)
        #expect(found["audit output"]?.status == .degraded)
        #expect(found["audit output"]?.seen.contains("Connection refused") == true)
        #expect(found["audit output"]?.cost.contains("events wait in the API server's files") == true)
        #expect(found["audit spool"]?.seen.hasPrefix(folder.file("spool")) == true)
        #expect(found["audit state"]?.status == .ok)
        #expect(!folder.has("none") && !folder.has("spool"))
        // Without an option for audit logs, none are examined.
        #expect(try examine().1.keys.allSatisfy { !$0.hasPrefix("audit") })
        try Data().write(to: URL(fileURLWithPath: folder.file("plain")))
        let (refused, others) = try examine([
            "--audit-log", folder.file("kube-audit.log"), "--audit-output", "file:/nonexistent/audit.log",
            "--audit-state", folder.file("plain/audit.state"),
        ])
        #expect(refused == 3)
        #expect(others["audit output"]?.status == .missing && others["audit output"]?.cost == "Weir does not start")
        #expect(others["audit state"]?.status == .missing, "\(String(describing: others["audit state"]))")
    }

    private static let lifetimes: [(Int, Examination.Status, String)] = [
        (400, .ok, "valid until"), (5, .degraded, "expires on"), (-1, .degraded, "expired on"),
    ]

    @Test(arguments: lifetimes)
    func examinesAuditWebhookCertificate(_ days: Int, _ status: Examination.Status, _ seen: String) throws {
        let (certificate, key) = (folder.file("w.crt"), folder.file("w.key"))
        let kind = "ec -pkeyopt ec_paramgen_curve:P-256"
        try Self.openssl("req -newkey \(kind) -nodes -subj /CN=w -keyout \(key) -out \(certificate).csr")
        try Self.openssl("x509 -req -in \(certificate).csr -signkey \(key) -days \(days) -out \(certificate)")
        chmod(key, 0o600)
        let options = [
            "--audit-listen", "127.0.0.1:9466", "--audit-certificate", certificate, "--audit-key", key,
            "--audit-output", "stdout", "--audit-state", folder.file("audit.state"),
        ]
        let (_, found) = try examine(options)
        let webhook = try #require(found["audit webhook"])
        #expect(webhook.status == status && webhook.seen.contains(seen) && webhook.seen.contains("127.0.0.1:9466"))
        #expect((status == .ok) == webhook.fix.isEmpty)
        chmod(key, 0o644)
        let (refused, other) = try examine(options)
        #expect(refused == 3)
        #expect(other["audit webhook"]?.status == .missing)
        #expect(other["audit webhook"]?.seen.contains("everybody may read it") == true)
    }

    private static func openssl(_ arguments: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    @Test func namesMissingCapabilities() throws {
        let (status, found) = try examine(
            program: ["setpriv", "--inh-caps=-all", "--bounding-set=-net_admin,-syslog,-sys_admin", WeirProgram.path]
        )
        #expect(status == 3)
        #expect(found["capabilities"]?.status == .missing)
        #expect(found["capabilities"]?.seen == "without CAP_NET_ADMIN, CAP_SYSLOG")
        #expect(found["programs"]?.status == .missing)
    }

    @Test func reportsOtherProgramsOnHooks() throws {
        try cable.node.command(["tc", "qdisc", "add", "dev", "eth0", "clsact"])
        try cable.node.command([
            "tc", "filter", "add", "dev", "eth0", "egress", "pref", "7", "bpf", "da", "bytecode", "1,6 0 0 4294967295",
        ])
        let (_, found) = try examine(["--interface", "eth0"])
        #expect(found["other programs"]?.seen == "eth0: clsact egress bpf")
    }
}
