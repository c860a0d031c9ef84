import Glibc
import Lab
import Testing

extension Trait where Self == ConditionTrait {
    /// The test makes network namespaces.
    static var needsRoot: Self {
        .enabled(if: geteuid() == 0, "network namespaces need root")
    }
}

/// Two namespaces and a cable.
struct Cable {
    let left: NetworkNamespace
    let right: NetworkNamespace
    let pair: VethPair

    init(mtu: Int = 1500) throws {
        left = try NetworkNamespace()
        right = try NetworkNamespace()
        pair = try VethPair(
            VethEnd(left, addresses: ["10.1.0.1/24", "fd01::1/64"]),
            VethEnd(right, addresses: ["10.1.0.2/24", "fd01::2/64"]),
            mtu: mtu
        )
    }

    /// From left to right, over IPv4 or IPv6.
    func path(isIPv6: Bool = false) throws -> TrafficPath {
        TrafficPath(from: left, to: right, at: try LabAddress(isIPv6 ? "fd01::2" : "10.1.0.2"))
    }
}

extension NetworkNamespace {
    /// A counter of the namespace's protocols, as `/proc/net/snmp` (`Udp`, `NoPorts`) names it.
    func protocolCounter(_ proto: String, _ name: String) throws -> Int {
        let lines = try command(["cat", "/proc/net/snmp"]).split(separator: "\n")
        let ours = lines.filter { $0.hasPrefix("\(proto): ") }.map { $0.split(separator: " ") }
        let names = try #require(ours.first)
        let values = try #require(ours.last)
        let index = try #require(names.firstIndex(of: Substring(name)))
        return try #require(Int(values[index]))
    }

    /// A counter of the namespace's IPv6 protocols, as `/proc/net/snmp6` (`Udp6NoPorts`) names it.
    func protocolCounter6(_ name: String) throws -> Int {
        let lines = try command(["cat", "/proc/net/snmp6"]).split(separator: "\n")
        let words = lines.map { $0.split(whereSeparator: \.isWhitespace) }
        let line = try #require(words.first { $0.first == Substring(name) })
        return try #require(line.last.flatMap { Int($0) })
    }
}

/// Evaluates the condition until it is true; returns false after a minute.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        usleep(2000)
    }
    return false
}

/// The names of the interfaces that the calling thread sees.
func interfaceNames() throws -> Set<Substring> {
    let list = try #require(if_nameindex())
    defer { if_freenameindex(list) }
    var names: Set<Substring> = []
    var entry = list
    while let name = entry.pointee.if_name {
        names.insert(Substring(String(cString: name)))
        entry += 1
    }
    return names
}

/// The inode of the network namespace of the calling thread.
func currentNamespace() throws -> UInt64 {
    var status = stat()
    try #require(stat("/proc/thread-self/ns/net", &status) == 0)
    return UInt64(status.st_ino)
}

/// Runs a program outside every namespace of the lab and returns what it wrote to standard output.
func machine(_ line: String) throws -> String {
    let stream = try #require(popen(line, "r"))
    defer { pclose(stream) }
    var text = ""
    var buffer = [CChar](repeating: 0, count: 4096)
    while fgets(&buffer, Int32(buffer.count), stream) != nil {
        text += String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    return text
}
