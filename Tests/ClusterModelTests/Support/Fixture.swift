import ClusterModel
import Foundation
import Testing

/// The recorded bytes of a kube-apiserver 1.36.
enum Fixture {
    private static let root = Bundle.module.resourceURL.map { $0.appending(path: "Fixtures") }

    /// The bytes of a file, as in `list/pods.json`.
    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: try #require(root).appending(path: path)))
    }

    /// The names of the files of a folder, with the folder; traps if there are none, because a test with no arguments passes.
    static func paths(in folder: String, suffix: String = "") -> [String] {
        let place = root?.appending(path: folder).path ?? folder
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place))?.filter { $0.hasSuffix(suffix) } ?? []
        precondition(!names.isEmpty, "no recordings in \(place)")
        return names.sorted().map { "\(folder)/\($0)" }
    }

    /// The kind of the objects in a file, from its name.
    static func kind(of path: String) throws -> ObjectKind {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let resource = String(name.prefix { $0 != "." })
        return try #require(kinds[resource.replacingOccurrences(of: "-v3", with: "")], "\(path)")
    }

    private static let kinds: [String: ObjectKind] = [
        "pods": .pod, "namespaces": .namespace, "nodes": .node, "services": .service, "endpoints": .endpoints,
        "endpointslices": .endpointSlice, "networkpolicies": .networkPolicy, "serviceaccounts": .serviceAccount,
        "calico-networkpolicies": .calicoNetworkPolicy, "calico-globalnetworkpolicies": .globalNetworkPolicy,
        "calico-networksets": .networkSet, "calico-globalnetworksets": .globalNetworkSet, "calico-tiers": .tier,
        "calico-stagedglobalnetworkpolicies": .stagedGlobalNetworkPolicy,
    ]

    /// The lines of a file that are not empty.
    static func lines(_ bytes: [UInt8]) -> [[UInt8]] {
        bytes.split(separator: UInt8(ascii: "\n")).map(Array.init)
    }

    /// The body of a recorded HTTP/1.1 answer, out of its chunks.
    static func body(ofChunked answer: [UInt8]) throws -> [UInt8] {
        let blank = Array("\r\n\r\n".utf8)
        var rest = answer[try #require(answer.firstRange(of: blank)).upperBound...]
        var body: [UInt8] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\r")) {
            let length = try #require(Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16))
            guard length > 0 else { break }
            body += rest[(end + 2)..<(end + 2 + length)]
            rest = rest[(end + 4 + length)...]
        }
        return body
    }
}

/// JSON as Foundation reads it.
enum Reference {
    /// Parses a text as an object.
    static func object(_ text: [UInt8]) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
    }

    /// The text of an object, on one line.
    static func text(_ object: [String: Any]) throws -> [UInt8] {
        [UInt8](try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes]))
    }
}

extension [String: Any] {
    /// A member that is an object.
    func object(_ key: String) -> [String: Any] { self[key] as? [String: Any] ?? [:] }

    /// A member that is an array of objects.
    func objects(_ key: String) -> [[String: Any]] { self[key] as? [[String: Any]] ?? [] }

    /// A member that is an array of strings.
    func strings(_ key: String) -> [String] { self[key] as? [String] ?? [] }

    /// A member that is a string and not empty.
    func text(_ key: String) -> String? {
        (self[key] as? String).flatMap { $0.isEmpty ? nil : $0 }
    }
}
