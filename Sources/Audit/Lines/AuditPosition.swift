package import Posix

/// A position in a log: the file and the offset in it.
package struct AuditPosition: Sendable, Hashable {
    private var device: UInt64
    private var number: UInt64
    /// The start of the next line, bytes.
    package var offset: Int
    /// The beginning of the file, because the inode number of a removed file can be reused.
    var head: FileHead

    init(_ identity: FileIdentity, offset: Int, head: FileHead) {
        (device, number) = (identity.device, identity.number)
        self.offset = offset
        self.head = head
    }

    /// The beginning of the same file.
    package var beginningOfFile: AuditPosition {
        var place = self
        place.offset = 0
        return place
    }

    /// Whether this is in the same file as another position, at or after it.
    package func hasReached(_ other: AuditPosition) -> Bool {
        device == other.device && number == other.number && offset >= other.offset
    }

    /// Whether this is a position in the file with an identity.
    package func isIn(_ identity: FileIdentity) -> Bool { identity.device == device && identity.number == number }

    /// The position as text.
    package var text: String { "weir-audit-position 1 \(device) \(number) \(offset) \(head.count) \(head.hash)" }

    /// Parses a position.
    ///
    /// - Returns: nil if the text is not a position.
    package init?(_ text: String) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard words.count == 7, words[0] == "weir-audit-position", words[1] == "1",
            let device = UInt64(words[2]), let number = UInt64(words[3]), let offset = Int(words[4]), offset >= 0,
            let count = Int(words[5]), 0...FileHead.length ~= count, let hash = UInt64(words[6])
        else { return nil }
        (self.device, self.number, self.offset) = (device, number, offset)
        head = FileHead(count: count, hash: hash)
    }
}

/// The first bytes of a file, which distinguish it from others.
package struct FileHead: Sendable, Hashable {
    /// The maximum number of compared bytes.
    static let length = 1024

    /// The number of bytes.
    let count: Int
    /// The hash of the bytes (FNV-1a).
    let hash: UInt64
    /// The bytes; empty if the head was parsed from a position.
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        count = bytes.count
        hash = Self.hash(bytes[...])
        self.bytes = bytes
    }

    init(count: Int, hash: UInt64) {
        self.count = count
        self.hash = hash
        bytes = []
    }

    /// Whether an earlier head is the beginning of this one; the file may have grown since.
    func isBeginning(of earlier: FileHead) -> Bool {
        count >= earlier.count && Self.hash(bytes[..<earlier.count]) == earlier.hash
    }

    private static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

/// Finds the rotated files of an API server's log.
package enum RotatedLog {
    /// Returns the rotated files of a log, oldest first: `kube-audit-2026-11-28T14-03-20.123.log` for `kube-audit.log`.
    package static func files(of path: String) -> [String] {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let dot = name.lastIndex(of: ".") ?? name.endIndex
        let (stem, end) = (name[..<dot] + "-", name[dot...])
        let names = (try? FolderEntry.names(in: folder.isEmpty ? "/" : folder)) ?? []
        return names.filter { candidate in
            guard candidate.hasPrefix(stem), candidate.hasSuffix(end) else { return false }
            return isTime(candidate.dropFirst(stem.count).dropLast(end.count))
        }
        .sorted().map { "\(folder)/\($0)" }
    }

    /// Whether a text has the form `2026-11-28T14-03-20.123`.
    private static func isTime(_ text: Substring) -> Bool {
        let form = "0000-00-00T00-00-00.000"
        return text.utf8.count == form.utf8.count
            && zip(text.utf8, form.utf8).allSatisfy { $1 == 0x30 ? 0x30...0x39 ~= $0 : $0 == $1 }
    }
}
