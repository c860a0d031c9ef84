import CWeir
import Glibc
import Lab
import Testing

@Suite("NetworkNamespace", .needsRoot)
struct NetworkNamespaceTests {
    @Test func newNamespaceHasLoopbackOnly() throws {
        let namespace = try NetworkNamespace()
        let outside = try currentNamespace()
        #expect(namespace.inode != outside)
        #expect(try namespace.run { try currentNamespace() } == namespace.inode)
        #expect(try namespace.ip("-o link show").contains("lo: <LOOPBACK,UP"))
        // Some kernels give every namespace unused tunnel devices; none of them is up.
        #expect(try namespace.ip("-o link show up").split(separator: "\n").count == 1)
    }

    @Test func runRestoresCallersNamespace() throws {
        let before = try currentNamespace()
        let namespace = try NetworkNamespace()
        let inside = try namespace.run { try currentNamespace() }
        #expect(inside != before)
        #expect(try currentNamespace() == before)
    }

    @Test func runReturnsValueOrRethrowsError() throws {
        struct Sample: Error, Equatable { let number: Int }
        let namespace = try NetworkNamespace()
        var side = 0
        let value = try namespace.run {
            side = 5
            return "value"
        }
        #expect(value == "value")
        #expect(side == 5)
        #expect(throws: Sample(number: 7)) { try namespace.run { throw Sample(number: 7) } }
    }

    @Test func enterMovesTheThread() throws {
        let (first, second) = (try NetworkNamespace(), try NetworkNamespace())
        let inode = try first.run {
            try second.enter()
            return try currentNamespace()
        }
        #expect(inode == second.inode)
    }

    @Test func backgroundWorkRunsConcurrently() throws {
        let namespace = try NetworkNamespace()
        var ends: (Int32, Int32) = (0, 0)
        try withUnsafeMutableBytes(of: &ends) { bytes in
            let pair = try #require(bytes.baseAddress).assumingMemoryBound(to: Int32.self)
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, pair) == 0)
        }
        let (near, far) = ends
        defer { [near, far].forEach { close($0) } }
        let work = try BackgroundWork {
            var byte: UInt8 = 0
            // Comes back only when the caller, who is past the start, sends something.
            try #require(recv(far, &byte, 1, 0) == 1)
            return (byte, try namespace.run { try currentNamespace() })
        }
        var byte: UInt8 = 42
        #expect(send(near, &byte, 1, 0) == 1)
        let value = try work.value()
        #expect(value == (42, namespace.inode))
        #expect(try work.value().0 == 42)
        let failure = try BackgroundWork<Int> { throw LabError.invalid("no") }
        #expect(throws: LabError.invalid("no")) { try failure.value() }
    }

    @Test func sysctlsAreSetPerNamespace() throws {
        let (first, second) = (try NetworkNamespace(), try NetworkNamespace())
        try first.setSysctl("net.ipv4.ip_forward", "1")
        try second.setSysctl("net/ipv4/ip_forward", "0")
        #expect(try first.command(["cat", "/proc/sys/net/ipv4/ip_forward"]) == "1\n")
        #expect(try second.command(["cat", "/proc/sys/net/ipv4/ip_forward"]) == "0\n")
    }

    /// The kernel removes a cable with the namespace of one of its ends, and destroys a namespace without references.
    @Test func releasedNamespaceIsDestroyed() throws {
        let kept = try NetworkNamespace()
        var released: NetworkNamespace? = try NetworkNamespace()
        if let gone = released {
            _ = try VethPair(VethEnd(kept, interface: "kept0"), VethEnd(gone, interface: "gone0"))
            try gone.command(["true"])
            try gone.run {}
        }
        #expect(try kept.run { try interfaceNames() }.contains("kept0"))
        released = nil
        #expect(try eventually { try !kept.run { try interfaceNames() }.contains("kept0") })
    }

    @Test func leavesNoNamespacesMountsOrInterfaces() throws {
        func trace() throws -> [String] {
            let namespaces = try machine("ip netns list")
            // A namespace is mounted as a file of this kind; other mounts of the machine do not matter.
            let mounts = try machine("grep nsfs /proc/self/mountinfo")
            return [namespaces, mounts, try interfaceNames().sorted().joined(separator: " ")]
        }
        let before = try trace()
        do {
            let network = try LabNetwork(pods: ["a", "b"])
            _ = try TrafficPath(from: network.pods[0].namespace, to: network.node, at: network.nodeIPv4).udp(count: 1)
            #expect(try trace() == before)
        }
        #expect(try trace() == before)
    }

    @Test func programsInheritNoDescriptor() throws {
        let cable = try Cable()
        let open = try cable.left.command(["ls", "-l", "/proc/self/fd"]).split(separator: "\n")
        #expect(open.count { $0.contains("memfd:weir-lab") } == 3, "standard input, output and error")
        #expect(open.count { $0.contains("net:[") } == 0)
    }
}
