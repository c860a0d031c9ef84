import Foundation
import Glibc
import Testing

@testable import Export

/// Messages of syslog in the formats of the RFCs.
struct SyslogTests {
    private static func line(_ number: Int, action: String = "allow", name: String = "web-*", padding: Int = 0)
        -> String
    {
        "{\"start_time\":1700000000,\"end_time\":1700000010,\"source_ip\":null,\"source_name\":\"-\","
            + "\"source_name_aggr\":\"\(name)\",\"source_labels\":{\"labels\":[\"a=]}\\\"\",\"b\"]},\"dest_ip\":\"10.0.0.1\","
            + "\"dest_port\":443,\"proto\":\"tcp\",\"action\":\"\(action)\",\"reporter\":\"src\",\"policies\":null,"
            + "\"bytes_in\":5,\"number\":\(number),\"padding\":\"\(String(repeating: "x", count: padding))\"}"
    }

    private static func batch(_ numbers: Range<Int>, padding: Int = 0) -> RecordBatch {
        let text = numbers.map { line($0, padding: padding) + "\n" }.joined()
        return RecordBatch(bytes: Array(text.utf8), records: numbers.count)
    }

    private static func text(_ content: SyslogContent, _ line: String, limit: Int = .max) -> String? {
        let message = SyslogMessage(content: content, host: "node 1")
        return message.bytes(of: Array(line.utf8)[...], limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func messageHasStructuredDataAndRecord() {
        let line = Self.line(7)
        let head =
            "<134>1 2023-11-14T22:13:30Z node1 weir - flow [flow@32473 action=\"allow\" reporter=\"src\" proto=\"tcp\" "
            + "source_name_aggr=\"web-*\" dest_ip=\"10.0.0.1\" dest_port=\"443\" bytes_in=\"5\"]"
        #expect(Self.text(.json, line) == head + " " + line)
        #expect(Self.text(.fields, line) == head)
        // A message over the limit has no record, and there is no message if nothing fits.
        #expect(Self.text(.json, line, limit: head.utf8.count + 20) == head)
        #expect(Self.text(.json, line, limit: 20) == nil)
        #expect(Self.text(.fields, Self.line(1, action: "deny"))?.hasPrefix("<132>1 ") == true)
        #expect(Self.text(.fields, Self.line(1, name: "a]b"))?.contains("source_name_aggr=\"a\\]b\"") == true)
    }

    @Test func cefMessageHasKeysOfFormat() {
        let text = Self.text(.cef, Self.line(7, action: "deny", name: "a=b"))
        let event =
            "CEF:0|Weir|weir|0|deny|flow denied|5|start=1700000000000 end=1700000010000 rt=1700000010000 "
            + "deviceDirection=1 dst=10.0.0.1 dpt=443 proto=tcp act=deny in=5 shost=a\\=b"
        #expect(text == "<132>1 2023-11-14T22:13:30Z node1 weir - cef - " + event)
    }

    /// The traffic of forwarded connections is in the transit fields, and has no direction of its own.
    @Test func forwardedRecordHasTransitTraffic() {
        let transit =
            "\"bytes_in\":0,\"transit_bytes_in\":50,\"transit_bytes_out\":60,\"transit_packets_in\":3,"
            + "\"transit_packets_out\":4"
        let line = Self.line(7).replacing("\"bytes_in\":5", with: transit)
        let forwarded = line.replacing("\"reporter\":\"src\"", with: "\"reporter\":\"fwd\"")
        let fields = Self.text(.fields, forwarded)
        #expect(
            fields?.hasSuffix(
                " bytes_in=\"0\" transit_bytes_in=\"50\" transit_bytes_out=\"60\" transit_packets_in=\"3\" "
                    + "transit_packets_out=\"4\"]"
            ) == true,
            "\(fields ?? "")"
        )
        #expect(Self.text(.fields, line)?.contains("transit_") == false)
        let cef = Self.text(.cef, forwarded)
        #expect(cef?.contains(" act=allow in=50 out=60 ") == true, "\(cef ?? "")")
        #expect(cef?.contains("deviceDirection") == false)
    }

    /// An event of an audit log as it is shipped.
    private static func event(_ code: Int, user: String = "alice", name: String = "db") -> String {
        #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"id-1","stage":"ResponseComplete","verb":"patch","#
            + #""user":{"username":"\#(user)","groups":["a"]},"objectRef":{"resource":"networkpolicies","namespace":"shop","#
            + #""name":"\#(name)","apiGroup":"networking.k8s.io"},"responseStatus":{"metadata":{},"code":\#(code)},"host":"n","#
            + #""@timestamp":"2023-11-14T22:13:30.123456Z"}"#
    }

    @Test func formatsAuditEvents() {
        let head =
            "<134>1 2023-11-14T22:13:30Z node1 weir - audit [audit@32473 auditID=\"id-1\" stage=\"ResponseComplete\" "
            + "verb=\"patch\" user=\"alice\" apiGroup=\"networking.k8s.io\" resource=\"networkpolicies\" "
            + "namespace=\"shop\" name=\"db\" code=\"200\"]"
        #expect(Self.text(.json, Self.event(200)) == head + " " + Self.event(200))
        // An event may be longer than a datagram; its structured data fits.
        #expect(Self.text(.json, Self.event(200), limit: 400) == head)
        #expect(Self.text(.fields, Self.event(403))?.hasPrefix("<132>1 ") == true)
        let long = Self.text(.fields, Self.event(200, user: "a]" + String(repeating: "b", count: 10 << 20)))
        #expect((long?.utf8.count ?? .max) < 700 && long?.contains("user=\"a\\]bbb") == true)
        #expect(
            Self.text(.cef, Self.event(409, user: "a=b"))
                == "<132>1 2023-11-14T22:13:30Z node1 weir - cef - CEF:0|Weir|weir|0|audit|API request refused|5|"
                + "rt=1700000010000 externalId=id-1 act=patch suser=a\\=b outcome=409 cs1Label=resource cs1=networkpolicies "
                + "cs2Label=namespace cs2=shop cs3Label=name cs3=db cs5Label=apiGroup cs5=networking.k8s.io"
        )
    }

    /// Every line becomes a message, also an invalid one.
    @Test(arguments: [
        "", "{", "{}", "[]", "x", "{\"a\":", "{\"a\":\"", "{\"a\":\"\\", "{\"a\":{\"b\":[", "{\"action\":\"deny\"",
    ])
    func formatsAnyLineAsMessage(line: String) {
        for content in SyslogContent.allCases {
            #expect(Self.text(content, line)?.hasPrefix("<13") == true, "\(content)")
        }
    }

    /// Splits a stream into messages by their lengths; nil if it is none.
    private static func messages(_ bytes: [UInt8]) -> [String]? {
        var messages: [String] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let digits = rest.prefix { 0x30...0x39 ~= $0 }
            guard let length = Int(String(decoding: digits, as: UTF8.self)), digits.first != 0x30 else { return nil }
            rest = rest.dropFirst(digits.count)
            guard rest.first == 0x20, rest.count > length else { return nil }
            messages.append(String(decoding: rest.dropFirst().prefix(length), as: UTF8.self))
            rest = rest.dropFirst(length + 1)
        }
        return messages
    }

    /// The data exceed the buffer of a socket, so that writes end and continue within messages.
    @Test func streamPrefixesMessagesWithLengths() throws {
        let listener = Listener(.tcp)
        let output = try Output(
            .syslog(.tcp, host: "127.0.0.1", port: listener.port),
            logger: LogRecorder().logger
        )
        let connection = listener.accept()
        for first in stride(from: 0, to: 5_000, by: 50) {
            output.submit(Self.batch(first..<(first + 50), padding: 2_000))
        }
        output.stop(by: .now + .seconds(60))
        let messages = try #require(Self.messages(readToEnd(connection)))
        close(connection)
        #expect(output.finish(within: .seconds(30)).delivered == 5_000)
        #expect(messages.count == 5_000)
        #expect(messages.enumerated().allSatisfy { $0.element.contains("\"number\":\($0.offset),") })
        #expect(messages.allSatisfy { $0.hasPrefix("<134>1 ") && $0.hasSuffix("}") })
    }

    @Test func sendsOneMessagePerDatagram() throws {
        let listener = Listener(.udp)
        let output = try Output(
            .syslog(.udp, host: "127.0.0.1", port: listener.port),
            logger: LogRecorder().logger
        )
        output.submit(Self.batch(0..<20))
        output.submit(Self.batch(20..<21, padding: 70_000))
        #expect(output.finish(within: .seconds(30)).delivered == 21)
        var datagrams: [String] = []
        while datagrams.count < 21, let datagram = listener.receive(milliseconds: 10_000) {
            datagrams.append(String(decoding: datagram, as: UTF8.self))
        }
        #expect(datagrams.count == 21)
        #expect(datagrams.prefix(20).enumerated().allSatisfy { $0.element.contains("\"number\":\($0.offset),") })
        #expect(datagrams.last?.hasSuffix("bytes_in=\"5\"]") == true)
    }

    @Test(arguments: ["syslog:tcp:siem:601", "syslog:udp:[::1]:514", "syslog:tls:siem:6514", "tls:collector:5170"])
    func roundTripsDescription(text: String) throws {
        #expect("\(try OutputSpecification(parsing: text))" == text)
    }

    @Test(arguments: ["syslog:siem:514", "syslog:tcp:siem", "syslog:tls:siem:0"])
    func rejectsInvalidSpecifications(text: String) {
        #expect(throws: OutputSpecificationError.self) { try OutputSpecification(parsing: text) }
    }
}
