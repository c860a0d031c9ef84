import Foundation

@testable import ClusterSource

typealias Piece = ScriptedServer.Piece

/// Answers of a scripted server.
enum Reply {
    /// A whole answer.
    static func whole(_ status: Int, _ body: String, headers: [String] = []) -> [Piece] {
        let head = [
            "HTTP/1.1 \(status) Because", "Content-Type: application/json", "Content-Length: \(body.utf8.count)",
        ]
        return [.bytes(Array(((head + headers).joined(separator: "\r\n") + "\r\n\r\n" + body).utf8))]
    }

    /// The head of an answer whose body comes in chunks.
    static let head = Piece.bytes(
        Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
    )
    /// The last chunk.
    static let end = Piece.bytes(Array("0\r\n\r\n".utf8))

    /// A body in chunks of any size.
    static func chunks(_ body: String, of size: Int = .max) -> [Piece] {
        let bytes = Array(body.utf8)
        return stride(from: 0, to: bytes.count, by: min(size, max(bytes.count, 1))).map { start in
            let chunk = bytes[start..<min(start + min(size, bytes.count), bytes.count)]
            return .bytes(Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10])
        }
    }

    /// A watch that sends some lines, and then performs other steps.
    static func watch(_ lines: [String], then last: [Piece] = [.hold]) -> [Piece] {
        [head] + chunks(lines.map { $0 + "\n" }.joined()) + last
    }

    /// A list.
    static func list(_ items: [String], version: String, token: String? = nil) -> [Piece] {
        let more = token.map { ",\"continue\":\"\($0)\"" } ?? ""
        let items = items.joined(separator: ",")
        return whole(
            200,
            "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"\(version)\"\(more)},"
                + "\"items\":[\(items)]}"
        )
    }

    /// The resources of a version of a group.
    static func resources(_ names: [String]) -> [Piece] {
        let items = names.map { "{\"name\":\"\($0)\",\"verbs\":[\"list\",\"watch\"]}" }.joined(separator: ",")
        return whole(200, "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"resources\":[\(items)]}")
    }

    /// No such group: text, not a Status.
    static let noGroup = whole(404, "404 page not found\n")

    /// A refusal.
    static func status(_ code: Int, _ reason: String = "", headers: [String] = []) -> [Piece] {
        whole(
            code,
            "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
                + "\"message\":\"no\",\"reason\":\"\(reason)\",\"code\":\(code)}",
            headers: headers
        )
    }
}

/// Objects of a scripted server.
enum Text {
    static func pod(_ name: String, _ version: Int, ip: String = "10.0.0.1", uid: String? = nil) -> String {
        "{\"metadata\":{\"name\":\"\(name)\",\"namespace\":\"shop\",\"uid\":\"\(uid ?? "uid-" + name)\","
            + "\"resourceVersion\":\"\(version)\"},\"spec\":{\"nodeName\":\"n\"},"
            + "\"status\":{\"phase\":\"Running\",\"podIP\":\"\(ip)\",\"podIPs\":[{\"ip\":\"\(ip)\"}]}}"
    }

    static func event(_ type: String, _ object: String) -> String { "{\"type\":\"\(type)\",\"object\":\(object)}" }

    static func bookmark(_ version: Int, isInitialEventsEnd: Bool = false) -> String {
        let annotations = isInitialEventsEnd ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : ""
        return event(
            "BOOKMARK",
            "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"\(version)\"\(annotations)},"
                + "\"spec\":{\"containers\":null},\"status\":{}}"
        )
    }

    /// As recorded from a kube-apiserver 1.36.
    static let expired =
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
        + "\"status\":\"Failure\",\"message\":\"too old resource version: 1 (987)\",\"reason\":\"Expired\","
        + "\"code\":410}}"
}
