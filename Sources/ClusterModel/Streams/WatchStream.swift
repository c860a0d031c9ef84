import Glibc

/// An event of a watch.
public enum WatchEvent: Sendable {
    /// An object is there, in this state (`ADDED`, `MODIFIED`).
    case upsert(ClusterObject, resourceVersion: String?)
    /// An object is gone, or no longer selected (`DELETED`).
    case deleted(ObjectReference, uid: String?, resourceVersion: String?)
    /// Nothing happened up to this version (`BOOKMARK`); or the objects that there were at the beginning have all been
    /// sent (annotation `k8s.io/initial-events-end`).
    case bookmark(resourceVersion: String, isInitialEventsEnd: Bool)
    /// The watch cannot go on (`ERROR`).
    case error(APIStatus)
    /// Something happened to an object that cannot be used, or a line cannot be read.
    case unusable(ObjectIssue, resourceVersion: String?)
}

/// Reads the body of a watch as it arrives: one event a line.
public struct WatchStream: Sendable {
    private let kind: ObjectKind
    private let lineLimit: Int
    /// The line that is not complete yet.
    private var pending: [UInt8] = []
    /// The number of bytes that were passed over of a line that is too long; 0 if the line is not too long.
    private var skipped = 0

    /// Whether a line is so much too long that nothing can be expected of its end.
    public var isEndless: Bool { skipped > lineLimit }

    /// Begins before the first byte of the body.
    ///
    /// - Parameters:
    ///   - kind: the kind of the objects.
    ///   - lineLimit: the longest line that is taken, in bytes; a longer one is skipped and delivered as
    ///     ``WatchEvent/unusable(_:resourceVersion:)``.
    public init(kind: ObjectKind, lineLimit: Int = 64 << 20) {
        self.kind = kind
        self.lineLimit = lineLimit
    }

    /// Takes the next bytes of the body.
    ///
    /// - Parameters:
    ///   - bytes: any number of bytes.
    ///   - body: called for each event that these complete.
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

    /// Says that the body has ended; a last event without its newline is delivered if it is complete.
    ///
    /// - Parameter body: called for that event.
    /// - Returns: whether the body ended within a line, so that an event was cut off.
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
