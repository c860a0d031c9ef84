import Foundation
import Testing

@testable import Datapath

/// The containers of cgroups, in the real hierarchy.
@Suite(.serialized)
struct CgroupTreeTests {
    /// The last connections of a removed container may still have to be reported when another container appears.
    @Test func removedCgroupKeepsItsContainer() throws {
        let root = try #require(CgroupTree.rootPath)
        var tree = CgroupTree()
        let first = try Container(in: root)
        defer { first.remove() }
        #expect(tree.container(of: first.number) == first.identifier)
        first.remove()
        let second = try Container(in: root)
        defer { second.remove() }
        // The tree is read again after a second at the earliest.
        #expect(eventually { tree.container(of: second.number) == second.identifier })
        #expect(tree.container(of: first.number) == first.identifier)
    }
}

/// A cgroup with the name that a container's has without systemd.
private struct Container {
    let identifier: String
    let path: String
    let number: UInt64

    init(in root: String) throws {
        var random = SystemRandomNumberGenerator()
        identifier = (0..<4).map { _ in String(format: "%016llx", random.next()) }.joined()
        path = root + "/" + identifier
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        number = try #require(attributes[.systemFileNumber] as? UInt64)
    }

    func remove() {
        rmdir(path)
    }
}
