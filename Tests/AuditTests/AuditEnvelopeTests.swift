import Audit
import Foundation
import Testing

/// Lines as they are shipped.
@Suite struct AuditEnvelopeTests {
    private func shipped(_ text: String, cluster: String? = "c\"1\n", redacts: Bool = false) throws -> [UInt8] {
        let bytes = Array("before\n\(text)\nbehind".utf8)
        let line = 7..<7 + text.utf8.count
        var target: [UInt8] = [0x78]
        let envelope = AuditEnvelope(host: "node-1", cluster: cluster, redacts: redacts)
        let event = try AuditEvent(in: bytes.span, line)
        #expect(envelope.append(event, bytes, line, to: &target) == .shipped)
        return Array(target.dropFirst())
    }

    @Test(arguments: ["writes.log", "reads.log"]) func shipsEventUnchanged(_ name: String) throws {
        for line in try Fixture.lines(name) {
            // The log has a watch of secrets, which is withheld.
            if try AuditEvent(in: line.span, 0..<line.count).isSecret { continue }
            let text = try shipped(String(decoding: line, as: UTF8.self))
            #expect(text.starts(with: line.dropLast()))
            #expect(text.last == 0x0a)
            var object = try #require(try JSONSerialization.jsonObject(with: Data(text)) as? [String: NSObject])
            let original = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: NSObject])
            #expect(object.removeValue(forKey: "host") == NSString("node-1"))
            #expect(object.removeValue(forKey: "cluster") == NSString("c\"1\n"))
            #expect(object.removeValue(forKey: "@timestamp") == original["stageTimestamp"])
            #expect(object == original)
        }
    }

    @Test func redactsObjectsIfConfigured() throws {
        let line = Line(sent: #"{"spec":"}]"}"#, answered: #"[{"a":"requestObject"}]"#)
        let text = try shipped(line.text, cluster: nil, redacts: true)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
        #expect(object["requestObject"] is NSNull)
        #expect(object["responseObject"] is NSNull)
        #expect(object["verb"] as? String == "patch")
        #expect(object["cluster"] == nil)
    }

    @Test func withholdsCredentials() throws {
        for line in [
            Line(resource: "secrets"), Line(resource: "tokenreviews"),
            Line(resource: "serviceaccounts", subresource: "token"),
        ] {
            var target: [UInt8] = []
            let envelope = AuditEnvelope(host: "h", cluster: nil, redacts: false)
            let result = envelope.append(try line.event(), line.bytes, 0..<line.bytes.count, to: &target)
            #expect(result == .withheld)
            #expect(target.isEmpty)
        }
    }

    @Test func repairsInvalidUTF8AndDropsTrailingSpace() throws {
        var bytes = Line(user: "XX").bytes + Array(" \r".utf8)
        let place = try #require(bytes.firstIndex(of: UInt8(ascii: "X")))
        bytes[place] = 0xff
        var target: [UInt8] = []
        let event = try AuditEvent(in: bytes.span, 0..<bytes.count)
        _ = AuditEnvelope(host: "h", cluster: nil, redacts: false).append(event, bytes, 0..<bytes.count, to: &target)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(target)) as? [String: Any])
        #expect((object["user"] as? [String: Any])?["username"] as? String == "\u{fffd}X")
    }

    @Test(
        arguments: [
            // date -u -d @N
            (1_795_261_827_194_713, "2026-11-21T11:50:27.194713Z"), (1, "1970-01-01T00:00:00.000001Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (0, nil), (253_402_300_800_000_000, nil), (-1, nil), (.max, nil),
        ] as [(Int64, String?)]
    )
    func formatsTimes(_ time: Int64, _ text: String?) {
        #expect(AuditEnvelope.text(time) == text)
    }
}
