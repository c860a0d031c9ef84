import Audit
import Foundation
import Testing

/// Recorded lines of a kube-apiserver 1.36.
enum Fixture {
    static func bytes(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil))
        return Array(try Data(contentsOf: url))
    }

    static func lines(_ name: String) throws -> [[UInt8]] {
        try bytes(name).split(separator: 0x0a).map(Array.init)
    }
}

/// A line of a log with the given members, and defaults for the others.
struct Line {
    var id = "id-1"
    var stage = "ResponseComplete"
    var verb = "patch"
    var user = "alice"
    var uri = "/apis/x"
    var resource = "networkpolicies"
    var group = "networking.k8s.io"
    var namespace = "shop"
    var name = "db"
    var subresource = ""
    var code = 200
    var received = "2026-11-28T14:00:00.000001Z"
    var time = "2026-11-28T14:00:00.500000Z"
    var sent: String?
    var answered: String?
    var more = ""

    var text: String {
        let part = subresource.isEmpty ? "" : #","subresource":"\#(subresource)""#
        let objects =
            (sent.map { #""requestObject":\#($0),"# } ?? "") + (answered.map { #""responseObject":\#($0),"# } ?? "")
        let status = code == 0 ? "" : #""responseStatus":{"metadata":{},"code":\#(code)},"#
        return #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"\#(id)","#
            + #""stage":"\#(stage)","requestURI":"\#(uri)","verb":"\#(verb)","user":{"username":"\#(user)"},"#
            + #""objectRef":{"resource":"\#(resource)","namespace":"\#(namespace)","name":"\#(name)","apiGroup":"\#(group)","#
            + #""apiVersion":"v1"\#(part)},\#(status)\#(objects)\#(more)"requestReceivedTimestamp":"\#(received)","#
            + #""stageTimestamp":"\#(time)"}"#
    }

    var bytes: [UInt8] { Array(text.utf8) }

    func event() throws -> AuditEvent { try AuditEvent(in: bytes.span, 0..<bytes.count) }

    /// The change of this line, after others.
    func change(after lines: [Line] = []) throws -> AuditChange {
        var reader = ChangeReader()
        for line in lines { _ = reader.change(try line.event(), in: line.bytes.span) }
        let change = reader.change(try event(), in: bytes.span)
        return try #require(change)
    }
}

/// A policy in the form in which an API server returns it.
func policy(_ spec: String, version: Int = 1, labels: String = "{}", name: String = "db") -> String {
    """
    {"kind":"NetworkPolicy","apiVersion":"networking.k8s.io/v1","metadata":{"name":"\(name)","namespace":"shop","uid":"u",\
    "resourceVersion":"\(version)","labels":\(labels)},"spec":\(spec)}
    """
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// A folder that is removed with this object.
final class Folder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "weir-audit-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func append(_ text: String, to name: String) throws {
        if !FileManager.default.fileExists(atPath: file(name)) {
            #expect(FileManager.default.createFile(atPath: file(name), contents: nil))
        }
        let handle = try #require(FileHandle(forWritingAtPath: file(name)))
        defer { try? handle.close() }
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
    }

    func rename(_ name: String, to other: String) throws {
        try FileManager.default.moveItem(atPath: file(name), toPath: file(other))
    }
}
