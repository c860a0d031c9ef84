import Foundation
import Lab
import Testing

/// `weir lab`, as somebody who tries the program runs it.
@Suite(.serialized, .needsRoot)
struct LabCommandTests {
    private let folder: TemporaryFolder
    /// An empty folder that the lab might leave something in: its own and its temporary one.
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

    @Test func recordsAreOnStandardOutputAndTheAccountIsBalanced() throws {
        let process = try lab(["--duration", "2s", "--flush-interval", "1s", "--json"])
        let namespaces = try namespacesOfRunningLab(process)
        #expect(process.wait() == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n")
        #expect(lines.count > 10)
        for line in lines {
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(record?.count == 58)
        }
        #expect(process.errors.contains("  balanced: seen = "))
        // Both directions of three interfaces, held against the kernel's counters.
        #expect(process.errors.split(separator: "\n").count { $0.hasSuffix("   the same") } == 6, "\(process.errors)")
        try expectNothingIsLeft(of: process, namespaces)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func anInterruptedLabStillGivesItsAccount(_ signal: Int32) throws {
        let process = try lab(["--duration", "60s", "--flush-interval", "1s", "--json"])
        let namespaces = try namespacesOfRunningLab(process)
        try #require(eventually { process.output.contains("\n") }, "\(process.errors)")
        process.signal(signal)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.errors.contains("  balanced: seen = "))
        try expectNothingIsLeft(of: process, namespaces)
    }

    @Test func aKilledLabLeavesNothing() throws {
        let process = try lab(["--duration", "60s", "--flush-interval", "1s", "--json"])
        let namespaces = try namespacesOfRunningLab(process)
        try #require(eventually { process.output.contains("\n") }, "\(process.errors)")
        process.signal(SIGKILL)
        #expect(process.wait() == 128 + SIGKILL)
        try expectNothingIsLeft(of: process, namespaces)
    }

    /// Waits until the lab has said what it is, before its traffic begins, and returns the network namespaces that it
    /// holds then, such as `net:[4026532788]`.
    private func namespacesOfRunningLab(_ process: ChildProcess) throws -> Set<String> {
        try #require(eventually { process.errors.contains("What Weir writes") }, "\(process.errors)")
        let folder = "/proc/\(process.id)/fd"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        let targets = files.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "/" + $0) }
        let namespaces = Set(targets.filter { $0.hasPrefix("net:[") })
        // A node and three pods.
        #expect(namespaces.count == 4)
        return namespaces
    }

    /// A namespace lives by processes and mounts only; so without these, nothing in it is left.
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
