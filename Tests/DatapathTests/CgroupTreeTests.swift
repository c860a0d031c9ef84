import CWeir
import FlowModel
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
        // The tree is not read again at once.
        #expect(eventually { tree.container(of: second.number) == second.identifier })
        #expect(tree.container(of: first.number) == first.identifier)
    }

    /// A process that is looked up while the tree may not be read gets its container with a later report.
    @Test func laterReportOfProcessHasItsContainer() throws {
        let root = try #require(CgroupTree.rootPath)
        let programs = ProcessPrograms(paths: false, arguments: false)
        let (first, second) = (try Container(in: root), try Container(in: root))
        defer { for container in [first, second] { container.remove() } }
        /// A process that has ended.
        func owner(_ number: UInt32, in container: Container) -> weir_socket_owner {
            var owner = weir_socket_owner()
            (owner.process, owner.start, owner.cgroup) = (0x7fff_0000 + number, 1, container.number)
            return owner
        }
        #expect(programs.process(owner(1, in: first))?.container == first.identifier)
        let third = try Container(in: root)
        defer { third.remove() }
        #expect(programs.process(owner(2, in: second))?.container == second.identifier)
        #expect(programs.process(owner(3, in: third))?.id == 0x7fff_0003)
        #expect(eventually { programs.process(owner(3, in: third))?.container == third.identifier })
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
