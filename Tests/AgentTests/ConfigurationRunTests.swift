import Foundation
import Lab
import Settings
import Testing

/// Settings from file, environment and command line, as an operator gives them.
@Suite(.needsRoot)
struct ConfigurationRunTests {
    private let folder: TemporaryFolder
    private let namespace: NetworkNamespace

    init() throws {
        folder = try TemporaryFolder()
        namespace = try NetworkNamespace()
    }

    private func weir(_ arguments: [String], environment: [String] = []) throws -> ChildProcess {
        let process = try namespace.start(["env"] + environment + [WeirProgram.path] + arguments, keepingIn: folder)
        _ = process.wait()
        return process
    }

    private func write(_ text: String) throws -> String {
        let path = folder.unusedPath("weir.yaml")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// The table of settings has exactly the options of `weir run`.
    @Test func everyOptionHasSetting() throws {
        struct Tool: Decodable {
            struct Name: Decodable { var name: String }
            struct Argument: Decodable {
                var names: [Name]?
                var kind: String
                var defaultValue: String?
            }
            struct Command: Decodable { var arguments: [Argument]? }
            var command: Command
        }
        let process = try weir(["run", "--experimental-dump-help"])
        let tool = try JSONDecoder().decode(Tool.self, from: Data(process.output.utf8))
        let options = (tool.command.arguments ?? []).flatMap { $0.names?.map(\.name) ?? [] }
        let known = Set(Setting.all.map(\.name))
        #expect(Set(options).subtracting(["config", "help", "h", "version"]) == known)
        // The defaults of the parser are those of the table.
        for argument in tool.command.arguments ?? [] {
            guard let value = argument.defaultValue, let name = argument.names?.first?.name else { continue }
            guard let setting = Setting.named(name), setting.kind != .flag else { continue }
            #expect(setting.defaultValue == value, "\(name)")
        }
    }

    @Test func showPrintsEffectiveSettingsWithOrigin() throws {
        let path = try write("flush-interval: 1m\noutput: ['file:/tmp/x', 'tcp:localhost:1']\n")
        let process = try weir(
            ["config", "show", "--config", path, "--host", "h", "--kubernetes"],
            environment: ["WEIR_POLL_INTERVAL=2s"]
        )
        let lines = process.output.split(separator: "\n").map {
            $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        }
        #expect(process.errors == "")
        for line in [
            "flush-interval 1m \(path):1", "poll-interval 2s WEIR_POLL_INTERVAL", "host h command line",
            "kubernetes true command line", "output file:/tmp/x, tcp:localhost:1 \(path):2",
            "table-slots 131072 default",
        ] {
            #expect(lines.contains(line), "\(line) in \(lines)")
        }
    }

    @Test(arguments: [
        ("flsh-interval: 5m", ":1: 'flsh-interval' is no setting; did you mean 'flush-interval'?"),
        ("host: a\nflush-interval: 5x", ":2: flush-interval: '5x' is no time"),
        ("poll-interval: 1m", ":1: poll-interval 1m: from 10ms up to the flush interval (10s) is needed"),
        ("output: 'carrier-pigeon:x'", "\"carrier-pigeon\" is no kind of output"),
        ("table-slots: 5000", ":1: table-slots 5000: a power of two"),
        ("http-key: /x", ":1: http-certificate and http-key belong together"),
    ])
    func rejectsInvalidFileWithOneLine(_ text: String, _ said: String) throws {
        let path = try write(text)
        let check = try weir(["config", "check", path])
        #expect(check.wait() == 1)
        #expect(check.errors.contains(said), "\(check.errors)")
        #expect(check.errors.contains(path), "\(check.errors)")
        let run = try weir(["run", "--config", path, "--duration", "1s"])
        #expect(run.wait() == 2, "\(run.errors)")
        #expect(run.errors.contains(said), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }.count == 1)
    }

    @Test func referenceYAMLPassesCheck() throws {
        let reference = try weir(["config", "reference", "--yaml"])
        let path = try write(reference.output)
        let check = try weir(["config", "check", path])
        #expect(check.wait() == 0, "\(check.errors)")
        #expect(check.output == "\(path): 0 settings, all can be used\n")
    }

    /// A mounted ConfigMap changes by the replacement of a symbolic link to a folder.
    @Test func reloadsChangedFileAndIgnoresInvalidOne() throws {
        for (name, text) in [
            ("one", "log-level: info\n"), ("two", "log-level: debug\nhost: other\n"), ("bad", "log-level: ["),
        ] {
            mkdir(folder.file(name), 0o755)
            try text.write(toFile: folder.file(name) + "/weir.yaml", atomically: true, encoding: .utf8)
        }
        func swap(to name: String) throws {
            try #require(symlink(name, folder.file("new")) == 0)
            try #require(rename(folder.file("new"), folder.file("data")) == 0)
        }
        try swap(to: "one")
        let cable = try Cable()
        let options = ["--config", folder.file("data") + "/weir.yaml", "--http", "off", "--socket", folder.file("s")]
        let weir = try WeirRun(in: cable.node, folder, options)
        try swap(to: "bad")
        try weir.waitFor("weir.yaml:1: not YAML")
        try weir.waitFor("the settings stay as they were")
        try swap(to: "two")
        try weir.waitFor("log level is now debug")
        try weir.waitFor("a restart is needed for some that changed")
        #expect(weir.process.errors.contains("settings=host"))
        let shown = try cable.node.command([
            "curl", "-sS", "--unix-socket", folder.file("s"), "http://weir/debug/config",
        ])
        #expect(shown.contains(#""name":"log-level","origin":"\#(folder.file("data"))/weir.yaml:1""#), "\(shown)")
        weir.process.signal(SIGTERM)
        #expect(weir.process.wait() == 0)
    }
}
