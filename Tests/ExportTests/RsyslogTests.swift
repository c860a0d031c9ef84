import Foundation
import Glibc
import Testing

@testable import Export

/// The syslog receiver rsyslog, with its parsers of structured data and JSON.
private final class Rsyslog {
    let folder: String
    private let process = Process()

    /// Starts it with an input, in the syntax of its configuration.
    init(_ input: String) throws {
        var template = Array("/tmp/weir-rsyslog-XXXXXX".utf8CString)
        folder = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        let configuration = """
            global(workDirectory="\(folder)" maxMessageSize="256k")
            module(load="mmpstrucdata")
            module(load="mmjsonparse")
            template(name="seen" type="list") {
              property(name="$!all-json") constant(value="\\n")
            }
            \(input)
            action(type="mmpstrucdata")
            set $!facility = $syslogfacility-text;
            set $!severity = $syslogseverity-text;
            set $!time = $timereported;
            set $!host = $hostname;
            set $!app = $app-name;
            set $!id = $msgid;
            set $!text = $msg;
            action(type="omfile" file="\(folder)/seen" template="seen")
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: "\(folder)/conf"))
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/rsyslogd")
        process.arguments = ["-n", "-f", "\(folder)/conf", "-i", "\(folder)/pid"]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        // It inherits a mask that holds back other signals.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The messages so far.
    var seen: [[String: Any]] {
        let text = (try? String(contentsOfFile: "\(folder)/seen", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }
}

/// A free port of loopback.
private func freePort() -> UInt16 {
    let listener = Listener(.tcp)
    return listener.port
}

struct RsyslogTests {
    private static func line(_ number: Int, action: String) -> String {
        "{\"start_time\":1700000000,\"end_time\":1700000010,\"source_ip\":null,\"source_name_aggr\":\"a]b\","
            + "\"source_labels\":{\"labels\":[\"k=]}\\\"\"]},\"dest_ip\":\"10.0.0.1\",\"dest_port\":443,\"proto\":\"tcp\","
            + "\"action\":\"\(action)\",\"reporter\":\"src\",\"bytes_in\":\(number)}"
    }

    private static func batch(_ numbers: Range<Int>) -> RecordBatch {
        let lines = numbers.map { line($0, action: $0.isMultiple(of: 2) ? "allow" : "deny") + "\n" }
        return RecordBatch(bytes: Array(lines.joined().utf8), records: numbers.count)
    }

    private static func options(_ content: SyslogContent = .json) -> OutputOptions {
        var options = OutputOptions()
        options.syslogContent = content
        options.http.hostName = "node-1"
        return options
    }

    /// Sends 100 records, and checks the messages that rsyslog parsed.
    private func verify(_ specification: OutputSpecification, _ options: OutputOptions, _ receiver: Rsyslog) throws {
        let recorder = LogRecorder()
        let output = try Output(specification, options: options, logger: recorder.logger)
        for first in stride(from: 0, to: 100, by: 20) { output.submit(Self.batch(first..<(first + 20))) }
        #expect(eventually { receiver.seen.count == 100 }, "\(recorder.messagesText)")
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 100 && statistics.dropped == 0)
        let seen = receiver.seen
        try #require(seen.count == 100)
        let numbers = seen.compactMap { message -> Int? in
            let structured = (message["rfc5424-sd"] as? [String: [String: String]])?["flow@32473"]
            #expect(structured?["source_name_aggr"] == "a]b" && structured?["dest_port"] == "443")
            let isDenied = structured?["action"] == "deny"
            #expect(message["severity"] as? String == (isDenied ? "warning" : "info"))
            #expect(message["facility"] as? String == "local0" && message["host"] as? String == "node-1")
            #expect(message["app"] as? String == "weir" && message["id"] as? String == "flow")
            let text = message["text"] as? String ?? ""
            let record = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            #expect(record?["action"] as? String == (isDenied ? "deny" : "allow"), "\(text)")
            return structured?["bytes_in"].flatMap { Int($0) }
        }
        #expect(Set(numbers) == Set(0..<100))
    }

    @Test func sendsMessagesInDatagrams() throws {
        let port = freePort()
        let receiver = try Rsyslog(
            "module(load=\"imudp\") input(type=\"imudp\" address=\"127.0.0.1\" port=\"\(port)\")"
        )
        // The socket of rsyslog is open once datagrams are not refused.
        let probe = try Output(
            .syslog(.udp, host: "127.0.0.1", port: port),
            options: Self.options(),
            logger: LogRecorder().logger
        )
        #expect(
            eventually {
                probe.submit(Self.batch(0..<1))
                usleep(20_000)
                return !receiver.seen.isEmpty
            }
        )
        let before = Int(probe.finish(within: .seconds(30)).delivered)
        #expect(eventually { receiver.seen.count == before }, "\(receiver.seen.count) of \(before)")
        let output = try Output(
            .syslog(.udp, host: "127.0.0.1", port: port),
            options: Self.options(),
            logger: LogRecorder().logger
        )
        output.submit(Self.batch(1..<21))
        #expect(eventually { receiver.seen.count == before + 20 })
        #expect(output.finish(within: .seconds(30)).delivered == 20)
    }

    @Test func sendsMessagesInStream() throws {
        let port = freePort()
        let receiver = try Rsyslog(
            "module(load=\"imptcp\") input(type=\"imptcp\" address=\"127.0.0.1\" port=\"\(port)\")"
        )
        try verify(.syslog(.tcp, host: "127.0.0.1", port: port), Self.options(), receiver)
    }

    /// TLS with a client certificate.
    @Test func sendsMessagesInTLSStream() throws {
        let certificates = try TestCertificates()
        let port = freePort()
        let receiver = try Rsyslog(
            """
            global(defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="\(certificates.authority)"
              defaultNetstreamDriverCertFile="\(certificates.certificate(.valid))"
              defaultNetstreamDriverKeyFile="\(certificates.key)")
            module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
            input(type="imtcp" address="127.0.0.1" port="\(port)")
            """
        )
        var options = Self.options()
        options.http.authorityFile = certificates.authority
        options.http.certificateFile = certificates.certificate(.valid)
        options.http.keyFile = certificates.key
        try verify(.syslog(.tls, host: "localhost", port: port), options, receiver)
    }

    @Test func sendsCommonEventFormat() throws {
        let port = freePort()
        let receiver = try Rsyslog(
            "module(load=\"imptcp\") input(type=\"imptcp\" address=\"127.0.0.1\" port=\"\(port)\")"
        )
        let output = try Output(
            .syslog(.tcp, host: "127.0.0.1", port: port),
            options: Self.options(.cef),
            logger: LogRecorder().logger
        )
        output.submit(Self.batch(1..<2))
        #expect(eventually { receiver.seen.count == 1 })
        #expect(output.finish(within: .seconds(30)).delivered == 1)
        let text = receiver.seen.first?["text"] as? String
        #expect(text?.hasPrefix("CEF:0|Weir|weir|0|deny|flow denied|5|start=1700000000000 ") == true, "\(text ?? "")")
    }
}
