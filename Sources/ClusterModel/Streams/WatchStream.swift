import Glibc

/// An event of a watch.
public enum WatchEvent: Sendable {
    /// An object was added or updated; this is its present state (`ADDED`, `MODIFIED`).
    case upsert(ClusterObject, resourceVersion: String?)
    /// An object was deleted, or is no longer selected (`DELETED`).
    case deleted(ObjectReference, uid: String?, resourceVersion: String?)
    /// There are no further changes up to this version (`BOOKMARK`).
    ///
    /// With the annotation `k8s.io/initial-events-end`, all objects that existed at the beginning have been sent.
    case bookmark(resourceVersion: String, isInitialEventsEnd: Bool)
    /// The watch cannot continue (`ERROR`).
    case error(APIStatus)
    /// An event of an unusable object, or an unreadable line.
    case unusable(ObjectIssue, resourceVersion: String?)
}

/// Reads the body of a watch as it arrives; each line is one event.
public struct WatchStream: Sendable {
    private let kind: ObjectKind
    private let lineLimit: Int
    /// The beginning of an incomplete line.
    private var pending: [UInt8] = []
    /// The number of skipped bytes of a line that is too long; 0 if the line is not too long.
    private var skipped = 0

    /// Whether a line is longer than twice the limit, so that its end need not be awaited.
    public var isEndless: Bool { skipped > lineLimit }

    /// Begins before the first byte of the body.
    ///
    /// - Parameters:
    ///   - kind: the kind of the objects.
    ///   - lineLimit: the longest accepted line, in bytes; a longer one is skipped and delivered as
    ///     ``WatchEvent/unusable(_:resourceVersion:)``.
    public init(kind: ObjectKind, lineLimit: Int = 64 << 20) {
        self.kind = kind
        self.lineLimit = lineLimit
    }

    /// Reads the next bytes of the body.
    ///
    /// - Parameters:
    ///   - bytes: any number of bytes.
    ///   - body: called for each event that these bytes complete.
    public mutating func append(_ bytes: Span<UInt8>, _ body: (WatchEvent) -> Void) {
        var start = 0
        while start < bytes.count {
            let newline = Self.newline(in: bytes, from: start)
            let piece = bytes.extracting(start..<(newline ?? bytes.count))
            if skipped > 0 || pending.count + piece.count > lineLimit { skipped += pending.count + piece.count }
            if newline == nil {
                if skipped > 0 { pending = [] } else { pending.append(copying: piece) }
                return
            }
            endLine(with: piece, body)
            start += piece.count + 1
        }
    }

    /// Ends the body; a last event without a newline is delivered if it is complete.
    ///
    /// - Parameter body: called for that event.
    /// - Returns: whether the body ended within a line, so that an event is incomplete.
    @discardableResult
    public mutating func finish(_ body: (WatchEvent) -> Void) -> Bool {
        defer {
            pending = []
            skipped = 0
        }
        guard skipped == 0 else { return true }
        var reader = JSONReader(pending.span)
        guard !reader.isAtEnd else { return false }
        guard (try? reader.skip()) != nil, reader.isAtEnd else { return true }
        if let event = WatchEvent(line: pending.span, kind: kind) { body(event) }
        return false
    }

    private mutating func endLine(with piece: Span<UInt8>, _ body: (WatchEvent) -> Void) {
        if skipped > 0 {
            skipped = 0
            body(.unusable(ObjectIssue(reason: "a line of more than \(lineLimit) bytes"), resourceVersion: nil))
        } else if pending.isEmpty {
            if let event = WatchEvent(line: piece, kind: kind) { body(event) }
        } else {
            pending.append(copying: piece)
            if let event = WatchEvent(line: pending.span, kind: kind) { body(event) }
        }
        pending.removeAll(keepingCapacityUpTo: 1 << 20)
    }

    private static func newline(in bytes: Span<UInt8>, from start: Int) -> Int? {
        unsafe bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress,
                let found = unsafe memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
            else { return nil }
            return unsafe base.distance(to: UnsafeRawPointer(found))
        }
    }
}
