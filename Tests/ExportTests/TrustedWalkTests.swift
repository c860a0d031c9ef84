import Glibc
import Posix
import Testing

@testable import Export

/// Other users who may make an entry in a folder on the path of a file cannot redirect writes of a privileged process.
@Suite(.enabled(if: geteuid() == 0, "files of others are made by root"))
struct TrustedWalkTests {
    private let folder = TemporaryFolder()

    /// Users who are not us and not root.
    private static let (stranger, neighbour): (uid_t, uid_t) = (65_533, 65_532)

    /// The kind of entry in an open folder, on the way to the file.
    enum Entry: String, Sendable, CaseIterable {
        case ownFolder, strangersFolder
        case ownLink, strangersLink, folderOwnersLink
    }

    /// The mode of the enclosing folder, and the entries of it that are refused.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var mode: mode_t
        var refused: Set<Entry>
        var isLasting = false
    }

    @Test(arguments: [
        Case(testDescription: "a folder of one's own", mode: 0o755, refused: []),
        Case(testDescription: "a folder like /tmp", mode: 0o1777, refused: [.strangersFolder, .strangersLink]),
        Case(
            testDescription: "a folder in which everybody may rename everything",
            mode: 0o777,
            refused: [.strangersFolder, .ownLink, .strangersLink, .folderOwnersLink]
        ),
        Case(
            testDescription: "a way that lasts through a folder like /tmp",
            mode: 0o1777,
            refused: [.strangersFolder, .strangersLink],
            isLasting: true
        ),
        Case(
            testDescription: "a way that lasts through a folder in which everybody may rename everything",
            mode: 0o777,
            refused: Set(Entry.allCases),
            isLasting: true
        ),
    ])
    func rejectsPathEntriesOfOtherUsers(_ row: Case) throws {
        let place = folder.path + "/open"
        mkdir(place, 0o700)
        try #require(chown(place, Self.neighbour, Self.neighbour) == 0)
        chmod(place, row.mode)
        for entry in Entry.allCases {
            try make(entry, in: place)
            let error = refusal(of: place + "/way/file", isLasting: row.isLasting)
            #expect((error != nil) == row.refused.contains(entry), "\(entry): \(error as Any)")
            if let error {
                #expect(error.path == place + "/way/file")
                #expect(error.reason.contains("everybody may"), "\(error)")
                #expect(error.reason.contains(place), "\(error)")
                #expect(error.advice.contains("folder of your own"), "\(error)")
            }
            if entry == .strangersLink, row.mode == 0o1777 {
                #expect(
                    error?.reason
                        == "\(place)/way is a symbolic link of user 65533 in \(place), where everybody may put one"
                )
            }
            let target = folder.path + "/target"
            #expect((access(target + "/file", F_OK) == 0) == (error == nil && entry.rawValue.hasSuffix("Link")))
            for name in [target + "/file", place + "/way/file", place + "/way"] { unlink(name) }
            rmdir(place + "/way")
            rmdir(target)
        }
    }

    private func refusal(of path: String, isLasting: Bool) -> FileError? {
        do throws(FileError) {
            _ = try TrustedFile.open(path, followsLinks: !isLasting)
            return nil
        } catch {
            return error
        }
    }

    private func make(_ entry: Entry, in place: String) throws {
        let (way, target) = (place + "/way", folder.path + "/target")
        mkdir(target, 0o755)
        switch entry {
        case .ownFolder: mkdir(way, 0o755)
        case .strangersFolder:
            mkdir(way, 0o755)
            try #require(chown(way, Self.stranger, Self.stranger) == 0)
        case .ownLink, .strangersLink, .folderOwnersLink:
            try #require(symlink("../target", way) == 0)
            if entry == .strangersLink { try #require(lchown(way, Self.stranger, Self.stranger) == 0) }
            if entry == .folderOwnersLink { try #require(lchown(way, Self.neighbour, Self.neighbour) == 0) }
        }
    }

    @Test func rejectsLinkToLinkOfOtherUser() throws {
        let place = folder.path + "/open"
        mkdir(place, 0o700)
        chmod(place, 0o1777)
        mkdir(folder.path + "/target", 0o755)
        symlink(folder.path + "/target", place + "/theirs")
        try #require(lchown(place + "/theirs", Self.stranger, Self.stranger) == 0)
        symlink("open/theirs", folder.path + "/ours")
        let error = refusal(of: folder.path + "/ours/file", isLasting: false)
        #expect(error?.reason.hasPrefix("\(place)/theirs is a symbolic link of user 65533") == true, "\(error as Any)")
        #expect(access(folder.path + "/target/file", F_OK) != 0)
    }

    @Test func createsFoldersOnlyOnTrustedPath() throws {
        let place = folder.path + "/open"
        mkdir(place, 0o700)
        chmod(place, 0o1777)
        try TrustedFile.makeFolders(place + "/a/b//c/", mode: 0o700)
        #expect(access(place + "/a/b/c", F_OK) == 0)
        try TrustedFile.makeFolders(place + "/a/b/c", mode: 0o700)
        symlink(folder.path, place + "/theirs")
        try #require(lchown(place + "/theirs", Self.stranger, Self.stranger) == 0)
        #expect(throws: FileError.self) { try TrustedFile.makeFolders(place + "/theirs/new", mode: 0o700) }
        #expect(access(folder.path + "/new", F_OK) != 0)
        #expect(throws: FileError.self) { _ = try Spool(folder: place + "/theirs/spool", limit: 1 << 20) }
        #expect(access(folder.path + "/spool", F_OK) != 0)
        let error = #expect(throws: FileError.self) { try TrustedFile.makeFolders(place + "/missing", mode: nil) }
        #expect(error?.reason == "open: No such file or directory (errno 2)")
    }

    @Test func followsLinksOfKubeletAndProc() throws {
        // As kubelet writes a volume of a Secret or ConfigMap.
        let place = folder.path + "/volume"
        mkdir(place, 0o700)
        chmod(place, 0o1777)
        mkdir(place + "/..2026_11_29", 0o755)
        folder.write("secret", to: "volume/..2026_11_29/token")
        symlink("..2026_11_29", place + "/..data")
        symlink("..data/token", place + "/token")
        let file = try TrustedFile.openForReading(place + "/token")
        #expect(try file.read(6, at: 0) == Array("secret".utf8))
        // `/proc/self` is a link that only the kernel can follow, as those of open files are.
        let status = try TrustedFile.openForReading("/proc/self/status")
        #expect(try !status.read(5, at: 0).isEmpty)
        let reopened = try TrustedFile.open("/proc/self/fd/\(try #require(number(of: file.identity())))", O_APPEND)
        #expect(try reopened.identity() == file.identity())
    }

    /// The number of the open file with an identity.
    private func number(of identity: FileIdentity) -> Int32? {
        (0..<1024).first { number in
            var status = stat()
            return fstat(number, &status) == 0 && UInt64(status.st_ino) == identity.number
                && UInt64(status.st_dev) == identity.device
        }
    }

    @Test func resolvesRelativePathsFromWorkingFolder() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let folder = TemporaryFolder()
            guard chdir(folder.path) == 0, mkdir("sub", 0o755) == 0 else { exit(1) }
            for path in ["a", "./b", "sub/c", "sub/../d", "\(folder.path)/sub/./e"] {
                _ = try TrustedFile.open(path)
                guard access(path, F_OK) == 0 else { exit(2) }
            }
            exit(42)
        }
    }

    /// The walk fails with the kernel's error for each of these paths.
    @Test(arguments: [
        ("missing/file", ENOENT), ("file/file", ENOTDIR), ("sub", EISDIR), ("sub/", EISDIR), ("", ENOENT),
    ])
    func reportsErrorsOfKernel(_ path: String, _ code: Int32) throws {
        folder.write("", to: "file")
        mkdir(folder.path + "/sub", 0o755)
        let path = path.isEmpty ? "" : folder.path + "/" + path
        let error = #expect(throws: FileError.self) { _ = try TrustedFile.open(path) }
        #expect(error?.reason.hasSuffix("\(SystemError("open", code: code))") == true, "\(error as Any)")
    }

    @Test func rejectsSecretBehindLinkOfOtherUser() throws {
        mkdir(folder.path + "/open", 0o700)
        chmod(folder.path + "/open", 0o1777)
        folder.write("secret\n", to: "token")
        chmod(folder.path + "/token", 0o600)
        symlink("..", folder.path + "/open/way")
        let path = folder.path + "/open/way/token"
        #expect(SecretText.fault(at: path) == nil)
        #expect(try SecretText.read(path) == "secret")
        try #require(lchown(folder.path + "/open/way", Self.stranger, Self.stranger) == 0)
        #expect(SecretText.fault(at: path)?.contains("/open/way is a symbolic link of user 65533 in") == true)
        #expect(throws: SecretText.Unreadable.self) { try SecretText.read(path) }
        chmod(folder.path + "/token", 0o604)
        #expect(SecretText.fault(at: folder.path + "/token")?.contains("everybody may read it") == true)
        #expect(SecretText.fault(at: folder.path + "/missing") == nil)
    }

    @Test func doesNotCutBackFileBehindLink() throws {
        folder.write("of somebody else\n", to: "target")
        let mark = try #require(WrittenFile(at: folder.path + "/target"))
        symlink("target", folder.path + "/log")
        var shorter = mark
        shorter.length = 0
        #expect(WrittenFile.cutBack(folder.path + "/log", to: [shorter]) == 0)
        #expect(folder.read("target").count == 17)
    }
}
