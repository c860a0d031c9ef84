import Audit
import Foundation
import Testing

/// Lines from pieces, and files that are rotated.
@Suite struct AuditLinesTests {
    private func texts(_ lines: inout AuditLines) -> [String] {
        var texts: [String] = []
        while let line = lines.next() { texts.append(text(line, lines)) }
        return texts
    }

    private func text(_ line: AuditLines.Line, _ lines: borrowing AuditLines) -> String {
        guard case .bytes(let place) = line else { return "too long" }
        return String(decoding: lines.buffer[place], as: UTF8.self)
    }

    @Test(arguments: [1, 2, 3, 7, 64, 1000]) func splitsPiecesOfAnySizeIntoSameLines(_ size: Int) {
        let log = Array("a\n\nlonger than eight\nb\nalso much longer than eight\nc".utf8)
        var lines = AuditLines(limit: 8)
        var found: [String] = []
        for start in stride(from: 0, to: log.count, by: size) {
            lines.append(log[start..<min(start + size, log.count)])
            found += texts(&lines)
        }
        if let last = lines.last() { found.append(text(last, lines)) }
        #expect(found == ["a", "", "too long", "b", "too long", "c"])
        #expect(lines.consumed == log.count)
    }

    @Test func keepsLinesUntilTheyAreRead() {
        var lines = AuditLines(limit: 8)
        for piece in ["a\nb", "\nlonger than ei", "ght\nc\n", "d\n"] { lines.append(Array(piece.utf8)) }
        #expect(texts(&lines) == ["a", "b", "too long", "c", "d"])
    }

    @Test func discardsOverlongLine() {
        var lines = AuditLines(limit: 1000)
        for _ in 0..<1000 {
            lines.append(repeatElement(0x78, count: 500))
            let none = lines.next()
            #expect(none == nil)
            #expect(lines.pending <= 1500)
        }
        lines.append([0x0a])
        let line = lines.next()
        #expect(line == .tooLong)
        #expect(lines.consumed == 500_001)
    }
}

/// A file as it grows.
@Suite struct AuditFollowerTests {
    private let folder: Folder
    private let name = "kube-audit.log"

    init() throws {
        folder = try Folder()
    }

    private func read(_ follower: inout AuditFollower) throws -> [String] {
        var texts: [String] = []
        while let line = try follower.next() {
            guard case .bytes(let place) = line else { continue }
            texts.append(String(decoding: follower.buffer[place], as: UTF8.self))
        }
        return texts
    }

    private func position(_ follower: borrowing AuditFollower) throws -> AuditPosition {
        let position = follower.position
        return try #require(position)
    }

    private func parsed(_ text: String) throws -> AuditPosition {
        let position: AuditPosition? = AuditPosition(text)
        return try #require(position)
    }

    @Test func followsFileThatAppearsGrowsAndRotates() throws {
        var follower = AuditFollower(folder.file(name), from: nil)
        #expect(try read(&follower) == [])
        try folder.append("1\n2\n3", to: name)
        #expect(try read(&follower) == ["1", "2"])
        try folder.append("3\n", to: name)
        #expect(try read(&follower) == ["33"])
        try folder.append("4\n", to: name)
        try folder.rename(name, to: "kube-audit-2026-11-28T14-00-00.000.log")
        #expect(try read(&follower) == ["4"])
        try folder.append("5\n", to: name)
        #expect(try read(&follower) == ["5"])
        #expect(
            follower.events
                == {
                    var events = AuditFollower.Events(); events.rotations = 1; return events
                }()
        )
    }

    @Test func readsAllFilesAfterSeveralRotations() throws {
        try folder.append("1\n", to: name)
        var follower = AuditFollower(folder.file(name), from: nil)
        #expect(try read(&follower) == ["1"])
        for index in 2...5 {
            try folder.append("\(index)\ntorn\(index)", to: name)
            try folder.rename(name, to: "kube-audit-2026-11-28T14-00-0\(index).000.log")
        }
        try folder.append("unrelated\n", to: "kube-audit-copy.log")
        try folder.append("6\n", to: name)
        #expect(try read(&follower) == ["2", "torn2", "3", "torn3", "4", "torn4", "5", "torn5", "6"])
        #expect(follower.events.rotations == 4)
        #expect(follower.events.tornEnds == 4)
    }

    /// A writer that makes the next file only with the next line leaves no file of the log's name for some time.
    @Test func readsRotatedFilesWhileLogIsMissing() throws {
        try folder.append("1\n", to: name)
        var follower = AuditFollower(folder.file(name), from: nil)
        #expect(try read(&follower) == ["1"])
        for index in 2...3 {
            try folder.append("\(index)\n", to: name)
            try folder.rename(name, to: "kube-audit-2026-11-28T14-00-0\(index).000.log")
        }
        #expect(try read(&follower) == ["2", "3"])
        try folder.append("4\n", to: name)
        #expect(try read(&follower) == ["4"])
        #expect(follower.events.rotations == 2)
        #expect(follower.events.gaps == 0)
    }

    @Test(arguments: 0...9) func resumesAtSavedPosition(_ count: Int) throws {
        for index in 0..<3 {
            try folder.append("\(index)a\n\(index)b\n\(index)c\n", to: name)
            if index < 2 { try folder.rename(name, to: "kube-audit-2026-11-28T14-00-0\(index).000.log") }
        }
        let all = (0..<3).flatMap { ["\($0)a", "\($0)b", "\($0)c"] }
        // The first follower begins at the oldest file, as if it had run since then.
        var first = AuditFollower(folder.file("kube-audit-2026-11-28T14-00-00.000.log"), from: nil)
        let begun = try first.next()
        #expect(begun != nil)
        let start = try position(first).text.split(separator: " ")
        let begin = (start.prefix(4) + ["0"] + start.suffix(2)).joined(separator: " ")
        var second = AuditFollower(folder.file(name), from: try parsed(begin))
        for index in 0..<count {
            let line = try second.next()
            guard case .bytes(let place)? = line else { continue }
            #expect(String(decoding: second.buffer[place], as: UTF8.self) == all[index])
        }
        let text = try position(second).text
        var third = AuditFollower(folder.file(name), from: try parsed(text))
        #expect(try read(&third) == Array(all[count...]))
        #expect(third.events.gaps == 0)
    }

    @Test func countsGapForRemovedFileAndReadsRest() throws {
        try folder.append("1\n", to: name)
        var first = AuditFollower(folder.file(name), from: nil)
        #expect(try read(&first) == ["1"])
        let position = try position(first)
        try folder.rename(name, to: "gone")
        try folder.append("2\n", to: "kube-audit-2026-11-28T14-00-00.000.log")
        try folder.append("3\n", to: name)
        var second = AuditFollower(folder.file(name), from: position)
        #expect(try read(&second) == ["2", "3"])
        #expect(second.events.gaps == 1)
    }

    @Test func readsRotatedFilesFromOldestIfConfigured() throws {
        try folder.append("1\n", to: "kube-audit-2026-11-28T14-00-00.000.log")
        try folder.append("2\n", to: name)
        var expected = AuditFollower(folder.file(name), from: nil, readsRotated: true)
        #expect(try read(&expected) == ["1", "2"])
        var other = AuditFollower(folder.file(name), from: nil)
        #expect(try read(&other) == ["2"])
    }

    /// A new file may get the inode number of a removed one; here the same file has another beginning.
    @Test func detectsReplacedFileByItsBeginning() throws {
        try folder.append("first\n", to: name)
        var first = AuditFollower(folder.file(name), from: nil)
        #expect(try read(&first) == ["first"])
        let position = try position(first)
        try "other and longer\n".write(toFile: folder.file(name), atomically: false, encoding: .utf8)
        var second = AuditFollower(folder.file(name), from: position)
        #expect(try read(&second) == ["other and longer"])
        #expect(second.events.gaps == 1)
    }

    @Test func rereadsTruncatedFile() throws {
        try folder.append("1\n2\n", to: name)
        var follower = AuditFollower(folder.file(name), from: nil)
        #expect(try read(&follower) == ["1", "2"])
        try "3\n".write(toFile: folder.file(name), atomically: false, encoding: .utf8)
        #expect(try read(&follower) == ["3"])
        #expect(follower.events.truncations == 1)
    }

    @Test(arguments: [
        "", "weir-audit-position", "weir-audit-position 1 1 1 -1 0 0", "weir-audit-position 2 1 1 1 0 0",
        "weir-audit-position 1 1 1 1 4000 0", "weir-audit-position 1 1 1 99999999999999999999 0 0",
    ])
    func rejectsInvalidPosition(_ text: String) {
        #expect(AuditPosition(text) == nil)
    }

    @Test func rejectsDevice() {
        var follower = AuditFollower("/dev/zero", from: nil)
        #expect(throws: (any Error).self) { try follower.next() }
    }
}
