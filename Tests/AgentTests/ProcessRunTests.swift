import Foundation
import Lab
import Testing

/// The processes in records of a run, which has given up most capabilities.
@Suite(.serialized, .needsRoot)
struct ProcessRunTests {
    private let folder: TemporaryFolder
    private let cable: Cable
    private let port: UInt16 = 7040

    init() throws {
        folder = try TemporaryFolder()
        cable = try Cable()
    }

    /// Starts a shell in the peer that calls the node when a line is written to the fifo "go", and holds the connection.
    private func caller() throws -> ChildProcess {
        try #require(mkfifo(folder.file("go"), 0o600) == 0)
        let call = "read < \(folder.file("go")); exec 3<>/dev/tcp/10.1.0.1/\(port); read <&3"
        return try cable.peer.start(["bash", "-c", call], keepingIn: folder)
    }

    private func run() throws -> WeirRun {
        let options = [
            "--workload-interface", "eth0", "--collect", "process,process-path,process-args", "--http", "off",
            "--socket",
            folder.file("s"), "--no-pin",
        ]
        let weir = try WeirRun(in: cable.node, folder, options)
        // Sockets are read after the interfaces are watched.
        let readiness = ["curl", "-sS", "--max-time", "10", "--unix-socket", folder.file("s"), "http://weir/readyz"]
        try #require(try eventually { try cable.node.command(readiness) == "ok\n" })
        return weir
    }

    /// Lets the shell call, and returns the record of its end.
    private func recordOfCall(_ weir: WeirRun) throws -> [String: Any] {
        let listener = try cable.node.run { try listening(on: port) }
        defer { close(listener) }
        try Data("\n".utf8).write(to: URL(fileURLWithPath: folder.file("go")))
        var found: [String: Any]?
        _ = try eventually {
            let records = try weir.lines.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
            found = records.lazy.compactMap(\.self).first {
                $0["dest_port"] as? Int == Int(port) && $0["reporter"] as? String == "src"
                    && $0["process_id"] as? String != "-"
            }
            return found != nil
        }
        return try #require(found, "\(weir.lines)")
    }

    /// It may not be traced by the run, and its exec() was not seen.
    @Test func olderProcessesHavePathsOfTheirExecutables() throws {
        let shell = try caller()
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(shell.id)/exe")
        let weir = try run()
        let record = try recordOfCall(weir)
        #expect(record["process_name"] as? String == executable)
        #expect((record["process_args"] as? [String])?.first?.hasPrefix("bash -c read <") == true)
        #expect(!weir.process.errors.contains("get no owner"), "\(weir.process.errors)")
        try weir.finish()
    }

    /// The kernel takes the memory for owners in sockets from this setting's, of the socket's network namespace.
    @Test func findsCallersWithoutSocketStorage() throws {
        _ = try cable.peer.command(["bash", "-c", "echo 1 > /proc/sys/net/core/optmem_max"])
        let weir = try run()
        let shell = try caller()
        let record = try recordOfCall(weir)
        #expect((record["process_args"] as? [String])?.first?.hasPrefix("bash -c read <") == true)
        #expect(!weir.process.errors.contains("owners in sockets, found no room"))
        close(try cable.peer.run { try listening(on: port) })
        try weir.waitFor("owners in sockets, found no room")
        shell.signal(SIGKILL)
        try weir.finish()
    }
}
