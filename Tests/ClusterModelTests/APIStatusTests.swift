import ClusterModel
import Foundation
import Testing

/// The API server's Status in the place of the requested answer.
struct APIStatusTests {
    static let paths = Fixture.paths(in: "errors") + Fixture.paths(in: "expired", suffix: ".json")

    @Test(arguments: paths) func decodesRecordedBody(_ path: String) throws {
        let bytes = try Fixture.bytes(path)
        let status = APIStatus(httpStatus: 599, body: bytes.span)
        guard let reference = try? Reference.object(bytes) else {
            #expect(status.code == 599)
            #expect(status.reason.isEmpty)
            #expect(status.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
            return
        }
        #expect(status.code == reference["code"] as? Int)
        #expect(status.reason == reference["reason"] as? String ?? "")
        #expect(status.message == reference["message"] as? String)
        let details = reference.object("details")
        #expect(status.retryAfterSeconds == details["retryAfterSeconds"] as? Int)
        #expect(status.causes.map(\.message) == details.objects("causes").map { $0.text("message") ?? "" })
        #expect(status.causes.map(\.reason) == details.objects("causes").map { $0.text("reason") ?? "" })
        #expect(status.causes.map(\.field) == details.objects("causes").map { $0.text("field") ?? "" })
        #expect(status.continueToken == reference.object("metadata").text("continue"))

        let list = ListOutcome(Chunking.each(3).pieces(of: bytes), kind: .pod)
        #expect(list.end == .failure(.status(status)))
    }

    @Test(arguments: [
        ("Too many requests, please try again later.\n", "Too many requests, please try again later."),
        ("404 page not found\n", "404 page not found"), ("", ""), (" \r\n\t ", ""), ("a\u{0}b\nc", "a b c"),
        ("k8s\u{0}\n\u{c}\n\u{2}v1", "a body in protobuf"), (#"{"kind":"Pod"}"#, #"{"kind":"Pod"}"#),
        (#"{"kind":"Status","message":"x""#, #"{"kind":"Status","message":"x""#),
        (String(repeating: "x", count: 1000), String(repeating: "x", count: 300)),
    ]) func derivesMessageFromOtherBody(_ body: String, _ message: String) {
        #expect(APIStatus(httpStatus: 429, body: Array(body.utf8).span) == APIStatus(code: 429, message: message))
    }

    @Test func describesCodeReasonAndMessage() {
        #expect(APIStatus(code: 410, reason: "Expired", message: "too old").description == "410 Expired: too old")
        #expect(APIStatus(code: 502).description == "502")
    }
}
