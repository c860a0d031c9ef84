import Foundation
import Lab
import Testing

/// The privileges that a run keeps.
@Suite(.needsRoot)
struct PrivilegeTests {
    @Test func threadsKeepOnlyRequiredCapabilities() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let weir = try WeirRun(
            in: cable.node,
            folder,
            ["--interface", "eth*", "--http", "off", "--socket", folder.file("s")]
        )
        // CAP_DAC_OVERRIDE, CAP_NET_ADMIN, CAP_SYSLOG, CAP_PERFMON, CAP_BPF (linux/capability.h).
        let most: UInt64 = 1 << 1 | 1 << 12 | 1 << 34 | 1 << 38 | 1 << 39
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(weir.process.id)/task")
        #expect(threads.count > 3)
        for thread in threads {
            let path = "/proc/\(weir.process.id)/task/\(thread)/status"
            guard let status = try? String(contentsOfFile: path, encoding: .utf8) else { continue }
            let fields = Dictionary(
                status.split(separator: "\n").compactMap { line -> (String, String)? in
                    let parts = line.split(separator: ":", maxSplits: 1)
                    return parts.count == 2 ? (String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces)) : nil
                },
                uniquingKeysWith: { $1 }
            )
            for set in ["CapPrm", "CapEff", "CapInh"] {
                let held = try #require(UInt64(fields[set] ?? "", radix: 16))
                #expect(held & ~most == 0, "\(fields["Name"] ?? thread) \(set) \(String(held, radix: 16))")
            }
            #expect(fields["NoNewPrivs"] == "1", "\(fields["Name"] ?? thread)")
        }
        let limits = try String(contentsOfFile: "/proc/\(weir.process.id)/limits", encoding: .utf8)
        let files = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max open files") })
        let soft = try #require(Int(files.dropFirst(14).split(separator: " ").first ?? ""))
        let hard = try #require(Int(files.dropFirst(14).split(separator: " ").dropFirst().first ?? ""))
        #expect(soft >= min(hard, 3_584))
        // The run can still watch interfaces that appear later.
        _ = try VethPair(
            VethEnd(cable.node, interface: "eth1", addresses: []),
            VethEnd(cable.peer, interface: "eth9", addresses: [])
        )
        try weir.waitFor("watching eth1 ")
        try weir.finish()
    }
}
