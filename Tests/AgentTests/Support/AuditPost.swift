import Foundation
import Lab
import Testing

/// Sends batches of audit events as an API server does, with curl.
struct AuditPost {
    let folder: TemporaryFolder
    /// The namespace in which curl runs.
    let node: NetworkNamespace
    /// The URL of the receiver.
    let url: String
    /// More options of curl.
    var options: [String] = []

    /// A body with events of these IDs, as API servers make it: kind and version are the list's.
    static func body(_ lines: [String]) -> String {
        let prefix = #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#
        let items = lines.map { "{" + $0.dropFirst(prefix.utf8.count).trimmingCharacters(in: .newlines) }
        return #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#
            + items.joined(separator: ",") + "]}"
    }

    /// Starts to send a body.
    func start(_ body: some Sequence<UInt8>) throws -> ChildProcess {
        let file = folder.unusedPath("body")
        try Data(body).write(to: URL(fileURLWithPath: file))
        return try node.start(
            [
                "curl", "-sS", "-m", "60", "-w", "%{http_code}", "-o", "/dev/null", "-H",
                "Content-Type: application/json",
            ]
                + options + ["--data-binary", "@" + file, url],
            keepingIn: folder
        )
    }

    /// Sends a body; the answer's status, 0 if there is none.
    func callAsFunction(_ body: String) throws -> Int { try self(bytes: body.utf8) }

    /// Sends the bytes of a body; the answer's status, 0 if there is none.
    func callAsFunction(bytes: some Sequence<UInt8>) throws -> Int {
        let process = try start(bytes)
        _ = process.wait()
        return Int(process.output) ?? 0
    }

    /// Sends events of these IDs.
    func callAsFunction(_ ids: [String]) throws -> Int { try self(Self.body(ids.map { AuditLine.text($0) })) }
}
