import Foundation
import Lab
import Testing

/// `weir lab`, as a new user runs it.
@Suite(.serialized, .needsRoot)
struct LabCommandTests {
    private let folder: TemporaryFolder
    /// The working folder of the lab, which is also its temporary folder: nothing may be left in it.
    private let workplace: TemporaryFolder
    private let namespace: NetworkNamespace

    init() throws {
        folder = try TemporaryFolder()
        workplace = try TemporaryFolder()
        namespace = try NetworkNamespace()
    }

    private func lab(_ arguments: [String]) throws -> ChildProcess {
        try namespace.start(
            ["env", "-C", workplace.path, "TMPDIR=" + workplace.path, WeirProgram.path, "lab"] + arguments,
            keepingIn: folder
        )
    }

    @Test func printsRecordsAndBalancedAccount() throws {
        let process = try lab(["--duration", "10s", "--flush-interval", "1s", "--json"])
        let namespaces = try namespacesOfRunningLab(process)
        #expect(process.wait() == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n")
        #expect(lines.count > 10)
        for line in lines {
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(record?.count == 58)
        }
        #expect(process.errors.contains("  balanced: seen = "))
        // Both directions of three interfaces, compared with the kernel's counters.
        #expect(process.errors.split(separator: "\n").count { $0.hasSuffix("   the same") } == 6, "\(process.errors)")
        try expectNothingIsLeft(of: process, namespaces)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func interruptedLabPrintsAccount(_ signal: Int32) throws {
        let process = try lab(["--duration", "60s", "--flush-interval", "1s", "--json"])
        let namespaces = try namespacesOfRunningLab(process)
        try #require(eventually { process.output.contains("\n") }, "\(process.errors)")
        process.signal(signal)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.errors.contains("  balanced: seen = "))
        try expectNothingIsLeft(of: process, namespaces)
    }

    @Test func killedLabLeavesNothing() throws {
        let process = try lab(["--duration", "60s", "--flush-interval", "1s", "--json"])
        let namespaces = try namespacesOfRunningLab(process)
        try #require(eventually { process.output.contains("\n") }, "\(process.errors)")
        process.signal(SIGKILL)
        #expect(process.wait() == 128 + SIGKILL)
        try expectNothingIsLeft(of: process, namespaces)
    }

    // MARK: Scenarios

    @Test func yaobankScenarioExplainsDenial() throws {
        let process = try lab(["--scenario", "yaobank", "--duration", "2s"])
        #expect(process.wait() == 0, "\(process.errors)")
        for text in [
            "  action             deny ", "  reporter           src ", "  dest_port          2379\n",
            "    0|tigera-security|tigera-security.block-alienvault-ipthreatfeed|pass|1\n",
            "    1|security|security.security-default-pass|pass|0\n",
            "    2|platform|platform.platform-default-pass|pass|0\n",
            "    3|application|yaobank/application.allow-customer|deny|-1\n",
            "is 80; it is 2379\n",
            "it would be allowed, if StagedNetworkPolicy yaobank/application.customer-to-database were in force\n",
            "    3|application|yaobank/application.staged:customer-to-database|allow|0\n",
            "denied records have the same\n",
            "  balanced: seen = ",
        ] {
            #expect(process.output.contains(text), "no \"\(text)\" in \(process.output)")
        }
        #expect(process.output.split(separator: "\n").count { $0.hasSuffix("   the same") } == 6, "\(process.output)")
        // A busy machine causes this warning, which is no fault of the run.
        let errors = process.errors.split(separator: "\n").filter { !$0.contains("records are made more slowly") }
        #expect(errors.isEmpty)
        #expect(workplace.contents == [])
    }

    @Test func keepWritesFilesToEmptyFolderOnly() throws {
        let kept = workplace.file("bank")
        let process = try lab(["--scenario", "yaobank", "--duration", "1s", "--json", "--keep", kept])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(try String(contentsOfFile: kept + "/records.jsonl", encoding: .utf8) == process.output)
        #expect(process.output.split(separator: "\n").count == 5)
        #expect(try Data(contentsOf: URL(fileURLWithPath: kept + "/account.json")).count > 100)
        let files = try FileManager.default.contentsOfDirectory(atPath: kept + "/inventory")
        #expect(files.contains("policies.yaml"))
        let again = try lab(["--scenario", "yaobank", "--keep", kept])
        #expect(again.wait() == 1)
        #expect(again.errors == "error: --keep \(kept): the folder is not empty\n")
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func interruptedScenarioLeavesNothing(_ signal: Int32) throws {
        let process = try lab(["--scenario", "yaobank", "--duration", "60s", "--flush-interval", "1s", "--json"])
        let namespaces = try namespacesOfRunningLab(process, says: "Weir watches the node")
        process.signal(signal)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.errors.contains("  balanced: seen = "))
        try expectNothingIsLeft(of: process, namespaces)
    }

    @Test func unknownScenarioListsScenarios() throws {
        let process = try lab(["--scenario", "bank"])
        #expect(process.wait() == 2)
        #expect(process.errors.contains("unknown scenario 'bank'; scenarios are: yaobank"), "\(process.errors)")
        let help = try lab(["--help"])
        #expect(help.wait() == 0)
        #expect(help.output.contains("  yaobank: "))
    }

    // MARK: Leftovers

    /// Waits until the lab has printed its introduction, before its traffic begins, and returns the network namespaces that it
    /// holds then, such as `net:[4026532788]`.
    private func namespacesOfRunningLab(
        _ process: ChildProcess,
        says text: String = "What Weir writes"
    ) throws -> Set<String> {
        try #require(eventually { process.errors.contains(text) }, "\(process.errors)")
        let folder = "/proc/\(process.id)/fd"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        let targets = files.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "/" + $0) }
        let namespaces = Set(targets.filter { $0.hasPrefix("net:[") })
        // A node and three pods.
        #expect(namespaces.count == 4)
        return namespaces
    }

    /// Only processes and mounts keep a namespace alive: without these, nothing in it is left.
    private func expectNothingIsLeft(of process: ChildProcess, _ namespaces: Set<String>) throws {
        // No process of its group.
        #expect(kill(-process.id, 0) == -1 && errno == ESRCH)
        let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8).split(separator: "\n")
        #expect(mounts.filter { mount in namespaces.contains { mount.contains($0) } } == [])
        let links = try namespace.command(["ip", "-oneline", "link"]).split(separator: "\n")
        #expect(links.count == 1 && links.first?.contains(": lo:") == true, "\(links)")
        #expect(workplace.contents == [])
    }
}
