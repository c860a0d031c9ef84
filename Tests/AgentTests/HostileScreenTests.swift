import FlowModel
import Foundation
import Testing

/// Names of the cluster on screens: they move no cursor, change no colours and turn no direction.
@Suite struct HostileScreenTests {
    private let folder: TemporaryFolder
    private let flows: String
    private let inventory: String

    /// As JSON has them.
    private static let names = [
        #"\u001b[2J\u001b]0;title\u0007"#, #"\u202eevil\u2066"#, #"a\r\nb\u0008\u009b31m"#,
        #"<script>alert('1')</script>"#,
        #"\"'`$(reboot)\\"#, String(repeating: "n", count: 253), String(repeating: "界", count: 84),
        "\\u0000\\u007f\\ufeff",
    ]

    init() throws {
        folder = try TemporaryFolder()
        flows = folder.file("flows.log")
        inventory = folder.file("bank.yaml")
        try Data(PolicyInventory.bank.utf8).write(to: URL(fileURLWithPath: inventory))
        let lines = Self.names.map { name -> String in
            let text = "\"\(name)\""
            let fields: [FlowField: String] = [
                .startTime: "1764338390", .endTime: "1764338400", .action: "\"deny\"", .numFlows: "3",
                .proto: "\"tcp\"",
                .numFlowsStarted: "3", .destPort: "80", .sourceType: "\"wep\"", .sourceName: text,
                .sourceNameAggr: text,
                .sourceNamespace: text, .destType: "\"wep\"", .destName: text, .destNameAggr: text,
                .destNamespace: text,
                .destServiceName: text, .destServiceNamespace: text, .destServicePort: text,
                .policies:
                    "{\"enforced_policies\":[\"0|\(name)|\(name)|deny|0\"],\"pending_policies\":[\"0|x|\(name)|allow|0\"]}",
            ]
            let members = FlowField.standard.map {
                "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)"
            }
            return "{\(members.joined(separator: ","))}"
        }
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: flows))
    }

    /// Characters that do something on a terminal, line ends left out.
    private static func harm(in text: String) -> [Unicode.Scalar] {
        text.unicodeScalars.filter { scalar in
            switch scalar.value {
            case 0x0a: false
            case 0..<0x20, 0x7f...0x9f, 0x061c, 0x200e, 0x200f, 0x202a...0x202e, 0x2066...0x2069, 0xfeff: true
            default: false
            }
        }
    }

    private static let screens: [[String]] = [
        ["observe", "--from", "FLOWS"], ["observe", "--from", "FLOWS", "-o", "wide"],
        ["observe", "--from", "FLOWS", "-o", "compact"], ["observe", "--from", "FLOWS", "--explain"],
        ["query", "--from", "FLOWS", "--group-by", "source,dest,port,rule,pending_rule"],
        ["query", "--from", "FLOWS", "--group-by", "dest_service_name", "--interval", "1m"],
        ["top", "pairs", "--from", "FLOWS", "--once"], ["top", "services", "--from", "FLOWS", "--once"],
        ["top", "policies", "--from", "FLOWS", "--once"], ["top", "denied", "--from", "FLOWS", "--once"],
        ["policy", "preview", "--inventory", "BANK", "--flows", "FLOWS", "--enforce-staged"],
        ["policy", "preview", "--inventory", "BANK", "--flows", "FLOWS", "--enforce-staged", "-o", "markdown"],
    ]

    private func words(_ screen: [String]) -> [String] {
        [WeirProgram.path] + screen.map { $0 == "FLOWS" ? flows : $0 == "BANK" ? inventory : $0 }
    }

    @Test(arguments: screens) func namesAreShownAndDoNothing(_ screen: [String]) throws {
        let process = try ChildProcess(words(screen), keepingIn: folder)
        let status = process.wait()
        #expect(status == 0 || (screen[0] == "policy" && status == 1), "\(process.errors)")
        #expect(process.output.contains("\\u{1b}") && process.output.contains("nnnnnnnn"), "\(process.output)")
        #expect(Self.harm(in: process.output).isEmpty)
        #expect(Self.harm(in: process.errors).isEmpty)
    }

    /// On a terminal of 80 columns no line is wider, and there is no escape sequence but Weir's own colours.
    @Test(arguments: screens) func linesFitATerminal(_ screen: [String]) throws {
        let program = """
            import fcntl, os, pty, struct, sys, termios
            pid, terminal = pty.fork()
            if pid == 0:
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
                os.environ.update(TERM="xterm", NO_COLOR="")
                os.execv(sys.argv[1], sys.argv[1:])
            text = b""
            while True:
                try: part = os.read(terminal, 65536)
                except OSError: break
                if not part: break
                text += part
            os.waitpid(pid, 0)
            sys.stdout.buffer.write(text.replace(b"\\r\\n", b"\\n"))
            """
        let process = try ChildProcess(["/usr/bin/python3", "-c", program] + words(screen), keepingIn: folder)
        #expect(process.wait() == 0, "\(process.errors)")
        let plain = process.output.replacing(/\u{1b}\[[0-9;]*m/, with: "")
        #expect(plain.contains("\\u{1b}"), "\(plain)")
        #expect(Self.harm(in: plain).isEmpty, "\(plain.debugDescription)")
        guard screen[0] == "observe", !screen.contains("wide"), !screen.contains("compact") else { return }
        for line in plain.split(separator: "\n") {
            let width = line.unicodeScalars.reduce(0) { $0 + ($1.value == 0x754c ? 2 : 1) }
            #expect(width <= 80, "\(line)")
        }
    }
}
