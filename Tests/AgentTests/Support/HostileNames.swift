import FlowModel

/// Names of cluster objects that could control a terminal, and the characters with which they could.
enum HostileNames {
    /// Hostile names in JSON: escape sequences, marks that reverse the direction of text, characters without a width, quotes,
    /// length.
    static let json = [
        #"\u001b[2J\u001b]0;title\u0007"#, #"\u202eevil\u2066"#, #"a\r\nb\u0008\u009b31m"#,
        #"<script>alert('1')</script>"#,
        #"\"'`$(reboot)\\"#, String(repeating: "n", count: 253), String(repeating: "界", count: 84),
        #"\u0000\u007f\ufeff"#, #"zero\u200b\u2060\u00ad\u034f\u3164\ufe0f\udb40\udc41width"#,
    ]

    /// Denied records whose every name is hostile, a line each.
    static let records = json.map { name -> String in
        let text = "\"\(name)\""
        let fields: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .action: "\"deny\"", .numFlows: "3",
            .proto: "\"tcp\"", .numFlowsStarted: "3", .destPort: "80", .sourceType: "\"wep\"", .sourceName: text,
            .sourceNameAggr: text, .sourceNamespace: text, .destType: "\"wep\"", .destName: text, .destNameAggr: text,
            .destNamespace: text, .destServiceName: text, .destServiceNamespace: text, .destServicePort: text,
            .sourceLabels: "{\"labels\":[\"app=\(name)\"]}", .destDomains: "[\(text)]", .processName: text,
            .policies:
                "{\"enforced_policies\":[\"0|\(name)|\(name)|deny|0\"],\"pending_policies\":[\"0|x|\(name)|allow|0\"]}",
        ]
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        return "{\(members.joined(separator: ","))}\n"
    }.joined()

    /// Events of an audit log whose every name is hostile, a line each; the audit IDs are `0`, `1`, ….
    static let auditLog = json.enumerated().map { number, name -> String in
        let text = "\"\(name)\""
        let metadata = #""metadata":{"name":\#(text),"namespace":\#(text),"labels":{\#(text):\#(text)}}"#
        return #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"\#(number)","#
            + #""stage":"ResponseComplete","requestURI":\#(text),"verb":"create","user":{"username":\#(text),"groups":[\#(text)]},"#
            + #""impersonatedUser":{"username":\#(text)},"sourceIPs":[\#(text)],"userAgent":\#(text),"#
            + #""objectRef":{"resource":"networkpolicies","apiGroup":"projectcalico.org","namespace":\#(text),"name":\#(text)},"#
            + #""responseStatus":{"code":201,"message":\#(text)},"annotations":{"authorization.k8s.io/reason":\#(text)},"#
            + #""requestObject":{"kind":"NetworkPolicy",\#(metadata),"spec":{"selector":\#(text),\#(text):\#(text)}},"#
            + #""stageTimestamp":"2026-11-28T14:00:0\#(number % 10).5Z"}"# + "\n"
    }.joined()

    /// An agent's answer at `/debug/status`, with hostile texts everywhere.
    static let status: String = {
        let texts = "[\(json.map { "\"\($0)\"" }.joined(separator: ","))]"
        let text = "\"\(json[0])\(json[1])\(json[8])\""
        let loss = #""name":\#(text),"total":1,"unit":\#(text),"is_missing":true,"message":\#(text),"advice":\#(text)"#
        let output =
            #""name":\#(text),"is_open":false,"delivered":1,"queued":2,"dropped":3,"reconnects":4"#
        return #"{"version":\#(text),"node":\#(text),"uptime":7,"memory":1,"interval":10,"ailments":\#(texts),"#
            + #""missing":\#(texts),"watched":{"workload":1,"host":2,"names":\#(texts),"sees_drops":true,"#
            + #""sees_translation":false},"account":{"is_balanced":true,"seen":1,"remainder":1,"gap":1,"denied":1},"#
            + #""flows":{"table":1,"slots":2,"overflow":3},"records":4,"outputs":[{\#(output)}],"losses":[{\#(loss)}],"#
            + #""inventory":{"objects":{\#(text):1},"addresses":1,"has_cluster":true,"unreachable_seconds":9,"#
            + #""forbidden_kinds":\#(texts),"broken_files":1},"findings":{\#(text):1},"first_findings":\#(texts),"#
            + #""disagreements":1}"#
    }()

    /// Characters that do something on a terminal or cannot be seen there, line ends left out.
    static func harm(in text: String) -> [Unicode.Scalar] {
        text.unicodeScalars.filter { scalar in
            switch scalar.value {
            case 0x0a: false
            case 0..<0x20, 0x7f...0x9f, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x180e, 0x200b...0x200f, 0x2028...0x202e,
                0x2060...0x206f, 0x3164, 0xfe00...0xfe0f, 0xfeff, 0xffa0, 0xfff9...0xfffb, 0xe0000...0xe0fff:
                true
            default: false
            }
        }
    }

    /// A program of Python that runs a command on a terminal of so many columns, and prints its output there.
    static let terminal = """
        import fcntl, os, pty, struct, sys, termios
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
            os.environ.update(TERM="xterm", NO_COLOR="")
            os.execv(sys.argv[2], sys.argv[2:])
        text = b""
        while True:
            try: part = os.read(terminal, 65536)
            except OSError: break
            if not part: break
            text += part
        os.waitpid(pid, 0)
        sys.stdout.buffer.write(text.replace(b"\\r\\n", b"\\n"))
        """
}
