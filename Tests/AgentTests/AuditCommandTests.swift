import Foundation
import Testing
import Yams

/// `weir audit`, as an operator runs it.
@Suite struct AuditCommandTests {
    private let folder: TemporaryFolder
    private static let log =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/docs/examples/kube-audit.log"

    init() throws {
        folder = try TemporaryFolder()
    }

    private func run(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess([WeirProgram.path, "audit"] + arguments, keepingIn: folder)
    }

    @Test func printsChangesAndMarksFailures() throws {
        let path = folder.file("audit.log")
        let denied = AuditLine.text("d").replacing("201", with: "403")
        try (try String(contentsOfFile: Self.log, encoding: .utf8) + denied + "broken\n").write(
            toFile: path,
            atomically: true,
            encoding: .utf8
        )
        let process = try run(["changes", "--utc", path])
        #expect(process.wait() == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n")
        #expect(lines.count == 8)
        #expect(
            lines.contains("2026-11-21 11:50:26  kubernetes-admin patched Namespace shop: label env prod → staging")
        )
        #expect(lines.last?.contains("alice was denied to create NetworkPolicy") == true)
        #expect(process.errors.contains("1 lines are no audit events"))
        #expect(process.errors.contains("-- 7 changes; without effect or unknown: 1 denied"))
    }

    @Test(
        arguments: [
            (["changes", "--kind", "Namespace"], 2), (["changes", "-n", "payments"], 4),
            (["changes", "--verb", "delete"], 1),
            (["changes", "--user", "nobody"], 0), (["changes", "--since", "2026-11-21T11:50:20Z"], 4),
            (["tail", "--last", "2"], 2),
            (["changes", "--until", "2026-11-21T11:50:20Z", "-o", "raw"], 3), (["tail", "-o", "json"], 7),
            (["changes", "--stage", "Panic"], 0), (["changes", "--stage", "ResponseComplete"], 7),
        ] as [([String], Int)]
    )
    func optionsSelectEvents(_ arguments: [String], _ count: Int) throws {
        let process = try run(arguments + [Self.log])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.output.split(separator: "\n").count == count, "\(process.output)")
    }

    @Test func rejectsMissingStoreAndConflictingOptions() throws {
        let none = try run(["changes", "--store", folder.file("none.db")])
        #expect(none.wait() == 1)
        #expect(none.errors.contains("none.db"))
        #expect(try run(["changes", "--store", folder.file("x.db"), Self.log]).wait() == 2)
        #expect(try run(["changes", "--store", folder.file("x.db"), "-o", "raw"]).wait() == 2)
    }

    @Test func omitsRawEventsAboutCredentials() throws {
        let path = folder.file("audit.log")
        let secret = AuditLine.text("s", resource: "secrets", object: #"{"data":"c2VjcmV0"}"#)
        try (secret + AuditLine.text("1")).write(toFile: path, atomically: true, encoding: .utf8)
        for command in ["changes", "tail"] {
            let process = try run([command, "-o", "raw", path])
            #expect(process.wait() == 0)
            #expect(process.output.split(separator: "\n").count == 1)
            #expect(!process.output.contains("c2VjcmV0"))
            #expect(process.errors.contains("1 events about credentials are left out"))
        }
    }

    @Test func explainsRequestByAuditID() throws {
        let process = try run(["explain", "4312bc1c-891e-44b3-a39a-448d1332c101", "--utc", Self.log])
        #expect(process.wait() == 0, "\(process.errors)")
        for text in [
            "patched NetworkPolicy payments/vault-from-cart", "ingress[0].ports pg → 5432",
            "may change: it is a policy",
            "compared with the state before", "done (200)", "kubectl/v1.32.3",
        ] {
            #expect(process.output.contains(text), "\(process.output)")
        }
        let made = try run(["explain", "73b5bdaa-727c-4852-9ac2-e50065f3e786", Self.log])
        #expect(made.wait() == 0 && made.output.contains("the object was not there before"), "\(made.output)")
        let unknown = try run(["explain", "no-such-id", Self.log])
        #expect(unknown.wait() == 1)
    }

    @Test func tailFollowsFileCreatedLater() throws {
        let path = folder.file("later.log")
        let process = try run(["tail", "--follow", "--utc", path])
        let file = try #require(fopen(path, "a"))
        fputs(AuditLine.text("1"), file)
        fclose(file)
        #expect(eventually { process.output.contains("alice created NetworkPolicy") }, "\(process.errors)")
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
    }

    @Test func printedAuditPolicyPassesCheck() throws {
        let printed = try run(["policy"])
        #expect(printed.wait() == 0)
        let path = folder.file("policy.yaml")
        try printed.output.write(toFile: path, atomically: true, encoding: .utf8)
        let check = try run(["check", path])
        #expect(check.wait() == 0, "\(check.output)")
        #expect(!check.output.contains("error"))
        try printed.output.replacing("audit.k8s.io/v1", with: "audit.k8s.io/v1beta1").write(
            toFile: path,
            atomically: true,
            encoding: .utf8
        )
        let old = try run(["check", path])
        #expect(old.wait() == 1)
        #expect(old.output.contains("removed in Kubernetes 1.24"))
    }

    @Test func policyAuditReportCountsChangedPolicies() throws {
        let report = { (arguments: [String]) throws in
            let process = try ChildProcess([WeirProgram.path, "report", "policy-audit"] + arguments, keepingIn: folder)
            #expect(process.wait() == 0, "\(process.errors)")
            return process.output
        }
        let lines = try report([Self.log]).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.last == "2026-11-21T11:50:07.633407Z,2026-11-21T11:50:27.501144Z,,,,,,3,1,1")
        #expect(try report(["--namespace", "shop", Self.log]).hasSuffix(",,shop,,,,1,0,0\n"))
        let json = try report(["--format", "json", "--since", "2026-11-21T11:50:20Z", Self.log])
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["numDeletedPolicies"] as? Int == 1)
        #expect((object["events"] as? [Any])?.count == 3)
        let yaml = try report(["--format", "yaml", "--since", "2026-11-21T11:50:20Z", Self.log])
        #expect(yaml.contains("\n- kind: Event\n  apiVersion: audit.k8s.io/v1\n  level: "))
        // Another parser reads the same report from YAML as from JSON.
        let read = try #require(try Yams.load(yaml: yaml) as? [String: Any])
        let sorted = { (value: Any) in try JSONSerialization.data(withJSONObject: value, options: .sortedKeys) }
        #expect(try sorted(read) == sorted(object))
    }
}
