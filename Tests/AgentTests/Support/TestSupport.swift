import Foundation
import Lab
import Testing

extension Trait where Self == ConditionTrait {
    /// The test loads programs into the kernel and makes network namespaces.
    static var needsRoot: Self {
        .enabled(if: geteuid() == 0, "programs in the kernel and network namespaces need root")
    }
}

/// Polls a condition until it is true, and returns false if it does not become true in time.
func eventually(within limit: Duration = .seconds(60), _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else { return false }
        usleep(2000)
    }
    return true
}

/// A new folder that goes away with the test.
final class TemporaryFolder {
    /// The folder's path.
    let path: String
    private var names = 0

    /// Makes the folder; everybody may look into it.
    init() throws {
        var template = Array("/tmp/weir-agent-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
        chmod(path, 0o755)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of a file in the folder.
    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// A path that was not given out before.
    func unusedPath(_ name: String) -> String {
        names += 1
        return file("\(name)-\(names)")
    }

    /// The entries of the folder.
    var contents: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }

    /// Whether a file is there.
    func has(_ name: String) -> Bool { access(file(name), F_OK) == 0 }

    /// The text of a file; empty if it is not there.
    func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: file(name)) ?? Data(), as: UTF8.self)
    }

    /// The whole lines of a file.
    func lines(_ name: String) -> [Substring] { text(name).wholeLines }
}

extension String {
    /// The lines that have their end: a last line without it may be one that is being written.
    var wholeLines: [Substring] {
        let end = lastIndex(of: "\n") ?? startIndex
        return self[..<end].split(separator: "\n")
    }
}

/// Two namespaces and a cable: the left one is the node that is watched, the right one its peer.
struct Cable {
    let node: NetworkNamespace
    let peer: NetworkNamespace
    let pair: VethPair

    /// Lays the cable; packets travel as they are on a wire unless `offloads` are on.
    init(interface: String = "eth0", offloads: Bool = false) throws {
        node = try NetworkNamespace()
        peer = try NetworkNamespace()
        // The node is the right end: the lab's frames go to that one's Ethernet address.
        pair = try VethPair(
            VethEnd(peer, addresses: ["10.1.0.2/24", "fd01::2/64"]),
            VethEnd(node, interface: interface, addresses: ["10.1.0.1/24", "fd01::1/64"])
        )
        guard !offloads else { return }
        for end in [pair.left, pair.right] {
            try end.namespace.setOffloads(end.interface, ["tso": false, "gso": false, "gro": false, "tx": false])
        }
    }

    /// From the peer to the node, over IPv4 or IPv6.
    func toNode(isIPv6: Bool = false) throws -> TrafficPath {
        TrafficPath(from: peer, to: node, at: try LabAddress(isIPv6 ? "fd01::1" : "10.1.0.1"), timeout: .seconds(30))
    }

    /// From the node to the peer, over IPv4 or IPv6.
    func toPeer(isIPv6: Bool = false) throws -> TrafficPath {
        TrafficPath(from: node, to: peer, at: try LabAddress(isIPv6 ? "fd01::2" : "10.1.0.2"), timeout: .seconds(30))
    }

    /// The kernel's counters of the node's end.
    var counters: InterfaceCounters {
        get throws { try node.counters(of: pair.right.interface) }
    }

    /// Waits until nothing has crossed the cable for 100 ms: acknowledgements that were delayed have come, too.
    func waitUntilQuiet() throws {
        var last = try counters
        var quietSince = ContinuousClock.now
        try #require(
            try eventually {
                let now = try counters
                if now != last { (last, quietSince) = (now, .now) }
                return ContinuousClock.now - quietSince > .milliseconds(100)
            }
        )
    }
}
