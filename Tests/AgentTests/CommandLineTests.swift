import Foundation
import Lab
import Testing

/// The program's messages and exit codes for wrong usage and unsuitable machines.
@Suite(.needsRoot)
struct CommandLineTests {
    private let folder: TemporaryFolder
    private let namespace: NetworkNamespace

    init() throws {
        folder = try TemporaryFolder()
        namespace = try NetworkNamespace()
    }

    private func weir(_ arguments: [String], program: [String] = [WeirProgram.path]) throws -> ChildProcess {
        try namespace.start(program + arguments, keepingIn: folder)
    }

    /// Expects an exit code, exactly one line with an error, and no sign of a crash.
    private func expectError(
        _ process: ChildProcess,
        exit code: Int32,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(process.wait() == code, "\(process.errors)", sourceLocation: sourceLocation)
        let errors = process.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }
        #expect(errors.count == 1, "\(process.errors)", sourceLocation: sourceLocation)
        for word in ["Fatal error", "Crash", "Thread 0", "Usage:"] {
            #expect(!process.errors.contains(word), "\(process.errors)", sourceLocation: sourceLocation)
        }
        #expect(process.output == "", sourceLocation: sourceLocation)
    }

    // MARK: Usage

    @Test(arguments: [
        "frobnicate", "run --frobnicate", "run extra", "run --table-slots 1000", "run --table-slots 512",
        "run --table-slots 33554432", "run --table-slots many", "run --output nowhere", "run --output tcp:localhost",
        "run --output file:", "run --duration 5x", "run --duration 0s", "run --duration -1s",
        "run --flush-interval 500ms", "run --poll-interval 20s", "run --poll-interval 3s --flush-interval 2s",
        "run --poll-interval 5ms", "run --host=", "run --output stdout --output stdout",
        "run --nflog-group 65536", "run --nflog-group -1", "run --nflog-group 1,", "run --nflog-group felix",
        "run --nflog-group 1,2,1", "run --nflog-group 3 --nflog-group 3", "run --aggregation-allowed 7",
        "run --aggregation-denied -1", "run --attach xdp", "run --log-level loud",
        "run --interface", "lab --flush-interval 10ms", "lab --aggregation 4", "lab --keep x",
        "lab --scenario nowhere", "lab --scenario yaobank --keep=", "bench everything", "run --interface=",
        "run --exclude-interface=", "run --workload-interface eth0 --workload-interface=", "run --report=",
        "run --filter nofield==1", "run --drop action=='no'", "run --output stdout;x=1",
        "run --file-max-size 0", "run --file-mode 777777", "run --file-max-age soon", "run --output file:x;max-files=x",
        "run --max-label-bytes -1", "run --max-label-bytes 16385", "run --max-label-bytes many",
        "run --collect tcp,udp", "run --collect tcp,",
    ])
    func wrongUsagePrintsOneLineAndExitsWithTwo(_ line: String) throws {
        let process = try weir(line.split(separator: " ").map(String.init))
        try expectError(process, exit: 2)
    }

    /// The message has the option's name once.
    @Test(arguments: [
        ("--filter nofield==1", "--filter: position "), ("--drop nofield==1", "--drop: position "),
        ("--file-max-age soon", "--file-max-age: "), ("--file-mode 777777", "--file-mode: "),
    ])
    func wrongOutputOptionIsNamedOnce(_ options: String, _ said: String) throws {
        let process = try weir(["run"] + options.split(separator: " ").map(String.init))
        try expectError(process, exit: 2)
        #expect(process.errors.hasPrefix("error: \(said)"), "\(process.errors)")
        for name in ["max-age: ", "mode: "] {
            #expect(process.errors.ranges(of: name).count <= 1, "\(process.errors)")
        }
    }

    @Test(arguments: [
        ("rum", "error: weir has no command 'rum'; did you mean 'run'?"),
        ("rnu", "error: weir has no command 'rnu'; did you mean 'run'?"),
        ("urn", "error: weir has no command 'urn'; did you mean 'run'?"),
        ("tpo", "error: weir has no command 'tpo'; did you mean 'top'?"),
        ("iu", "error: weir has no command 'iu'; did you mean 'ui'?"),
        ("helpp", "error: weir has no command 'helpp'; did you mean 'help'?"),
        ("inventroy", "error: weir has no command 'inventroy'; did you mean 'inventory'?"),
        ("polcy check x", "error: weir has no command 'polcy'; did you mean 'policy'?"),
        ("policy chek x", "error: weir policy has no command 'chek'; did you mean 'check'?"),
        ("inventory look", "error: weir inventory has no command 'look'; did you mean 'lookup'?"),
        ("bench everything", "error: weir bench has no command 'everything'; it has datapath, "),
        ("frobnicate", "error: weir has no command 'frobnicate'; it has run, "),
    ])
    func suggestsNearestCommand(_ line: String, _ said: String) throws {
        let process = try weir(line.split(separator: " ").map(String.init))
        try expectError(process, exit: 2)
        #expect(process.errors.hasPrefix(said), "\(process.errors)")
    }

    @Test(arguments: [
        ("--dns-output stdout", "stdout, the default of --output, already takes the flow records; send one"),
        ("--output file:a --dns-output file:a", "file:a already takes the flow records; send one of them elsewhere"),
        ("--dns-output file:a --dns-output file:a", "the same output is given twice"),
    ])
    func saysWhichOutputOfDNSLogIsTaken(_ options: String, _ said: String) throws {
        let line = "run --collect dns \(options)"
        let process = try weir(line.split(separator: " ").map(String.init))
        try expectError(process, exit: 2)
        #expect(process.errors.contains("--dns-output: \(said)"), "\(process.errors)")
    }

    /// Every option of every command, as the parser lists them.
    @Test func rejectsEmptyValueOfEachOption() throws {
        let dump = try weir(["--experimental-dump-help"])
        #expect(dump.wait() == 0)
        let help = try JSONDecoder().decode(CommandHelp.self, from: Data(dump.output.utf8))
        let options = help.command.options(of: [])
        #expect(options.count > 150)
        var waiting: [(line: String, option: String, process: ChildProcess)] = []
        for (path, option) in options {
            for words in [[option, ""], [option + "="], [option, " "]].prefix(option == "--bpffs" ? 3 : 1) {
                waiting.append((path.joined(separator: " "), option, try weir(path + words)))
            }
            guard waiting.count >= 4 else { continue }
            try expectEmptyValueError(waiting)
            waiting = []
        }
        try expectEmptyValueError(waiting)
    }

    private func expectEmptyValueError(_ all: [(line: String, option: String, process: ChildProcess)]) throws {
        for (line, option, process) in all {
            try expectError(process, exit: 2)
            let said = "error: \(option): the value is empty; give one, or leave the option out\nsee: weir"
            #expect(process.errors.hasPrefix(said), "weir \(line): \(process.errors)")
        }
    }

    @Test func rejectsEmptySettingsPath() throws {
        let process = try weir(["run"], program: ["/usr/bin/env", "WEIR_CONFIG=", WeirProgram.path])
        try expectError(process, exit: 2)
        #expect(process.errors.contains("error: WEIR_CONFIG: config: the path is empty"), "\(process.errors)")
    }

    @Test(arguments: ["", "run ", "lab ", "bench ", "bench datapath ", "bench drain ", "bench encode "])
    func commandsPrintHelpAndVersion(_ command: String) throws {
        let words = command.split(separator: " ").map(String.init)
        let help = try weir(words + ["--help"])
        #expect(help.wait() == 0)
        #expect(help.output.contains("USAGE: weir \(command)"), "\(help.output)")
        let version = try weir(words + ["--version"])
        #expect(version.wait() == 0)
        #expect(version.output.split(separator: "\n").count == 1)
        #expect(version.output.first?.isNumber == true, "\(version.output)")
        #expect(help.errors + version.errors == "")
    }

    // MARK: Surroundings

    /// The shell's command before the program, the exit code, and a part of the message.
    @Test(arguments: [
        ("mount -t tmpfs none /proc", 3, "/proc is not mounted, or not of this process"),
        ("ulimit -n 10", 3, "the limit of open files is 10"),
        ("ulimit -s 64", 3, "the limit of bytes of stack is 65536"),
        ("umount -l /sys", 3, "/sys is not mounted"),
        ("head -c 5000 /sys/kernel/btf/vmlinux >$F; mount --bind $F /sys/kernel/btf/vmlinux", 3, "is cut off"),
        ("printf x >$F; mount --bind $F /sys/kernel/btf/vmlinux", 3, "something else is mounted over it"),
        ("mount --bind /dev/null /sys/kernel/btf/vmlinux", 3, "something else is mounted over it"),
        ("ulimit -f 0", 1, "the limit of the size of files (ulimit -f, LimitFSIZE=)"),
    ])
    func describesUnsuitableEnvironment(_ change: String, _ code: Int, _ said: String) throws {
        // The text goes through a pipe: the limit of the size of files is for this text's file, too.
        let script = "F=\(folder.file("bytes")); { (\(change); exec \"$0\" \"$@\") 2>&1; echo \"exit $?\"; } | cat >&2"
        let process = try weir(
            [
                "run", "--interface", "lo", "--duration", "1s", "--no-pin", "--http", "off", "--socket", "off",
                "--report", folder.file("report"),
            ],
            program: ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, WeirProgram.path]
        )
        #expect(process.wait() == 0)
        #expect(process.errors.hasSuffix("exit \(code)\n"), "\(process.errors)")
        #expect(process.errors.contains(said), "\(process.errors)")
        #expect(process.errors.split(separator: "\n").count { $0.hasPrefix("error: ") } == 1, "\(process.errors)")
    }

    // MARK: Files

    @Test(arguments: ["--output file:/nonexistent/folder/log", "--report /nonexistent/folder/report"])
    func rejectsUnwritableFileBeforeStart(_ options: String) throws {
        let words = options.split(separator: " ").map(String.init)
        let process = try weir(["run", "--duration", "10s", "--interface", "lo"] + words)
        try expectError(process, exit: 1)
        #expect(process.errors.contains("/nonexistent/folder"))
        #expect(!process.errors.contains("watching"))
    }

    @Test func rejectsSymbolicLinkOfAnotherUser() throws {
        let place = folder.file("open")
        mkdir(place, 0o777)
        chmod(place, 0o1777)
        let (target, link) = (folder.file("target"), place + "/report")
        try #require(symlink(target, link) == 0 && lchown(link, 65_533, 65_533) == 0)
        for option in [["--report", link], ["--output", "file:" + link]] {
            let process = try weir(["run", "--duration", "10s", "--interface", "lo"] + option)
            try expectError(process, exit: 1)
            #expect(process.errors.contains("everybody may put one"), "\(process.errors)")
        }
        #expect(!folder.has("target"))
    }

    @Test func unwritableReportLeavesNoOutputFile() throws {
        let options = ["--output", "file:" + folder.file("log"), "--report", "/nonexistent/report"]
        try expectError(try weir(["run"] + options), exit: 1)
        #expect(!folder.has("log"))
    }

    // MARK: Privileges

    /// The user of the program, by the arguments of setpriv(1), and the capabilities that it must report as missing.
    struct Privileges: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        let missing: String

        var testDescription: String { missing }
    }

    @Test(arguments: [
        Privileges(
            arguments: ["--reuid=65534", "--regid=65534", "--clear-groups"],
            missing: "missing CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF: "
        ),
        Privileges(
            arguments: ["--inh-caps=-all", "--bounding-set=-sys_admin,-cap_39"],
            missing: "missing CAP_BPF: "
        ),
        Privileges(
            arguments: ["--inh-caps=-all", "--bounding-set=-net_admin"],
            missing: "missing CAP_NET_ADMIN: "
        ),
    ])
    func namesMissingCapabilities(_ privileges: Privileges) throws {
        // The build's folder may be closed to others. This process does not copy it: a child that another test starts meanwhile
        // would have the file open for writing, and such a file cannot be run.
        let copy = folder.file("weir")
        try namespace.command(["cp", WeirProgram.path, copy])
        let process = try weir(["run"], program: ["setpriv"] + privileges.arguments + [copy])
        #expect(process.wait() == 3, "\(process.errors)")
        let errors = process.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix("error: " + privileges.missing) == true, "\(process.errors)")
        #expect(process.output == "")
    }

    // MARK: Pipes

    /// Standard error or standard output on a full disk: only the exit code can report the failure.
    @Test(arguments: [
        ("rnu 2>/dev/full", 2), ("run --nope 2>/dev/full", 2), ("config check nofile 2>/dev/full", 1),
        ("observe --from nofile 2>/dev/full", 1), ("--help >/dev/full", 1),
        ("policy explain '3|application|yaobank/application.allow-customer|deny|-1' >/dev/full", 1),
        ("schema openapi >/dev/full", 1), ("--help | head -n 1", 0),
    ])
    func exitCodeReportsFailedWrites(_ words: String, _ status: Int32) throws {
        let shell = try ChildProcess(["/bin/sh", "-c", "\(WeirProgram.path) \(words)"], keepingIn: folder)
        #expect(shell.wait() == status, "\(shell.errors)")
        #expect(words.contains("2>") || status == 0 || shell.errors.contains("write standard output: "))
    }

    @Test func runEndsWhenPipeReaderCloses() throws {
        let cable = try Cable()
        let status = folder.file("status")
        let run = "\(WeirProgram.path) run --flush-interval 1s --poll-interval 100ms"
        let shell = try cable.node.start(
            ["/bin/sh", "-c", "{ \(run); echo $? > \(status); } | head -n 1"],
            keepingIn: folder
        )
        try #require(eventually { shell.errors.contains("watching eth0 ") }, "\(shell.errors)")
        // One record is enough for head; then nothing more comes, and the run must notice by itself.
        _ = try cable.toNode().udp(count: 10, size: 72)
        #expect(shell.wait() == 0, "\(shell.errors)")
        #expect(folder.text("status") == "0\n", "\(shell.errors)")
        #expect(shell.output.split(separator: "\n").count == 1)
        #expect(shell.errors.contains("account balanced"))
    }
}

/// The argument parser's description of commands and their options.
private struct CommandHelp: Decodable {
    struct Command: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable {
                var kind: String
                var name: String
            }

            var kind: String
            var names: [Name]?
        }

        var commandName: String
        var arguments: [Argument]?
        var subcommands: [Command]?

        /// The options with values of this command and those below, with the words that lead to them.
        func options(of path: [String]) -> [(path: [String], option: String)] {
            let own = (arguments ?? []).filter { $0.kind == "option" }.compactMap { argument in
                argument.names?.first { $0.kind == "long" }.map { (path, "--\($0.name)") }
            }
            let below = (subcommands ?? []).filter { $0.commandName != "help" }
            return own + below.flatMap { $0.options(of: path + [$0.commandName]) }
        }
    }

    var command: Command
}
