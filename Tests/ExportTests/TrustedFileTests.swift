import Glibc
import Posix
import Testing

@testable import Export

/// Other users who may make an entry in a folder cannot redirect the writes of a privileged process.
struct TrustedFileTests {
    private let folder = TemporaryFolder()

    /// A user that is neither this one nor root.
    private static let stranger: uid_t = 65_533

    /// The kind of entry at the name of the file to write.
    enum Entry: String, Sendable, CaseIterable {
        case nothing
        case ownFile
        case ownFileOfSeveralNames
        case strangersFile
        case strangersFIFO
        case ownLink
        case strangersLink
    }

    /// The mode of the folder, and the entries that are refused in it.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var mode: mode_t
        var refused: Set<Entry>
    }

    @Test(
        .enabled(if: geteuid() == 0, "files of others are made by root"),
        arguments: [
            Case(testDescription: "a folder of one's own", mode: 0o755, refused: []),
            Case(
                testDescription: "a folder like /tmp",
                mode: 0o1777,
                refused: [.ownFileOfSeveralNames, .strangersFile, .strangersFIFO, .strangersLink]
            ),
            Case(
                testDescription: "a folder in which everybody may remove everything",
                mode: 0o777,
                refused: [.ownFileOfSeveralNames, .strangersFile, .strangersFIFO, .ownLink, .strangersLink]
            ),
        ]
    )
    func rejectsEntriesOfOtherUsers(_ row: Case) throws {
        let place = folder.path + "/open"
        mkdir(place, 0o700)
        chmod(place, row.mode)
        for entry in Entry.allCases {
            try make(entry, in: place)
            let path = place + "/name"
            let reader = entry == .strangersFIFO ? open(path, O_RDWR | O_NONBLOCK) : -1
            defer { close(reader) }
            let error = refusal(to: path)
            #expect((error != nil) == row.refused.contains(entry), "\(entry)")
            if let error {
                #expect(error.path == path)
                #expect(error.description.contains("everybody may put one"), "\(error)")
                #expect(error.description.contains("folder of your own"), "\(error)")
            }
            unlink(path)
            unlink(place + "/target")
        }
    }

    private func refusal(to path: String) -> FileError? {
        do throws(FileError) {
            _ = try TrustedFile.open(path)
            return nil
        } catch {
            return error
        }
    }

    private func make(_ entry: Entry, in place: String) throws {
        let (name, target) = (place + "/name", place + "/target")
        switch entry {
        case .nothing: break
        case .ownFile: folder.write("", to: "open/name")
        case .ownFileOfSeveralNames:
            folder.write("", to: "open/target")
            try #require(link(target, name) == 0)
        case .strangersFile:
            folder.write("", to: "open/name")
            try #require(chown(name, Self.stranger, Self.stranger) == 0)
        case .strangersFIFO:
            try #require(mkfifo(name, 0o666) == 0)
            try #require(chown(name, Self.stranger, Self.stranger) == 0)
        case .ownLink, .strangersLink:
            folder.write("", to: "open/target")
            try #require(symlink(target, name) == 0)
            if entry == .strangersLink { try #require(lchown(name, Self.stranger, Self.stranger) == 0) }
        }
    }

    @Test func rejectsCircularLinks() throws {
        let path = folder.path + "/link"
        symlink(path, path)
        let error = #expect(throws: FileError.self) { _ = try TrustedFile.open(path) }
        #expect(error?.reason == "symbolic links lead in a circle")
    }

    // MARK: Texts

    @Test func replacesTextAndCreatesFileUnreadableByOthers() throws {
        let path = folder.path + "/log"
        let file = TextFile(path: path)
        try file.check()
        #expect(folder.read("log").isEmpty)
        folder.write("much longer than what comes", to: "log")
        try file.check()
        #expect(folder.read("log").count == 27)
        try file.write("short\n", within: .zero)
        #expect(folder.read("log") == Array("short\n".utf8))
        unlink(path)
        let before = umask(0)
        defer { umask(before) }
        try file.write("new\n", within: .zero)
        var status = stat()
        stat(path, &status)
        #expect(status.st_mode & 0o777 == 0o640)
    }

    @Test func waitsBrieflyForReaderOfFIFO() throws {
        let path = folder.path + "/fifo"
        try #require(mkfifo(path, 0o600) == 0)
        let file = TextFile(path: path)
        try file.check()
        let error = #expect(throws: FileError.self) { try file.write("report\n", within: .milliseconds(50)) }
        #expect(error?.description.contains("start the reader of the FIFO first") == true, "\(error as Any)")
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        try file.write("report\n", within: .seconds(30))
        #expect(readToEnd(reader) == Array("report\n".utf8))
        close(reader)
    }

    @Test func givesUpOnReaderThatDoesNotRead() throws {
        let path = folder.path + "/fifo"
        try #require(mkfifo(path, 0o600) == 0)
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let text = String(repeating: "x", count: 1 << 20)
        #expect(throws: FileError.self) { try TextFile(path: path).write(text, within: .milliseconds(50)) }
    }

    /// A file under these names would be opened again, and be written from its beginning.
    @Test func recognizesNamesOfStandardOutput() async throws {
        for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            #expect(try OutputSpecification(parsing: "file:" + name) == .standardOutput)
        }
        await #expect(processExitsWith: .exitCode(42)) {
            let folder = TemporaryFolder()
            let path = folder.path + "/out"
            let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
            dup2(descriptor, STDOUT_FILENO)
            close(descriptor)
            guard write(STDOUT_FILENO, "record\n", 7) == 7 else { exit(1) }
            try TextFile(path: "/dev/stdout").write("report\n", within: .seconds(30))
            exit(folder.read("out") == Array("record\nreport\n".utf8) ? 42 : 2)
        }
    }

    @Test func writesDashToStandardOutput() async {
        await #expect(processExitsWith: .exitCode(42)) {
            var ends: [Int32] = [-1, -1]
            pipe(&ends)
            dup2(ends[1], STDOUT_FILENO)
            close(ends[1])
            let file = TextFile(path: "-")
            try file.check()
            try file.write("report\n", within: .seconds(30))
            close(STDOUT_FILENO)
            exit(readToEnd(ends[0]) == Array("report\n".utf8) ? 42 : 1)
        }
    }
}
