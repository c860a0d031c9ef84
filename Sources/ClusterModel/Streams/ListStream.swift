/// The metadata of a list, which is complete after all its items.
public struct ListEnd: Sendable, Hashable {
    /// The version from which a watch can continue.
    public var resourceVersion: String?
    /// The token to request the next page; nil after the last page.
    public var continueToken: String?
    /// The estimated number of items after this page; nil if the server does not report it.
    public var remainingItemCount: Int?

    /// Takes all members.
    public init(resourceVersion: String? = nil, continueToken: String? = nil, remainingItemCount: Int? = nil) {
        self.resourceVersion = resourceVersion
        self.continueToken = continueToken
        self.remainingItemCount = remainingItemCount
    }
}

/// The reason why the body of a list is unreadable.
public enum StreamError: Error, Sendable, Hashable {
    /// The body is a Status, not a list.
    case status(APIStatus)
    /// The body is not a list, or not JSON.
    case malformed(offset: Int, reason: String)
    /// The body ended before the list did.
    case truncated(offset: Int)
    /// An item, or the text around the items, exceeds the limit.
    case tooLong(offset: Int, limit: Int)
}

extension StreamError: CustomStringConvertible {
    /// The fault of the body, and its offset.
    public var description: String {
        switch self {
        case .status(let status): "\(status)"
        case .malformed(let offset, let reason): "200 with something that is no list: \(reason) at byte \(offset)"
        case .truncated(let offset): "the list ended after \(offset) bytes, before its end"
        case .tooLong(let offset, let limit):
            "200 with something that is no list: more than \(limit) bytes of one item, at byte \(offset)"
        }
    }
}

/// Reads the body of a list as it arrives, and delivers each item as soon as it is complete.
///
/// At most one incomplete item is buffered.
public struct ListStream: Sendable {
    /// The position of the stream in the body.
    private enum State {
        /// In the text around the items.
        case envelope
        /// Before the first item, or the end of an empty list.
        case firstItem
        /// After a comma.
        case nextItem
        /// After an item.
        case separator
        /// In an item.
        case item
    }

    private let kind: ObjectKind
    private let itemLimit: Int
    private var state = State.envelope
    private var envelope = ListEnvelope()
    private var scanner = ValueScanner()
    /// The beginning of an incomplete item.
    private var pending: [UInt8] = []
    /// The number of bytes of the body before the current piece.
    private var passed = 0
    private var itemStart = 0
    private var itemIndex = 0
    /// The number of bytes between the brackets of the items; nil before the closing bracket.
    private var itemBytes: Int?

    /// Begins before the first byte of the body.
    ///
    /// - Parameters:
    ///   - kind: the kind of the items, which do not declare it.
    ///   - itemLimit: the longest accepted item, in bytes.
    public init(kind: ObjectKind, itemLimit: Int = 64 << 20) {
        self.kind = kind
        self.itemLimit = itemLimit
    }

    /// Reads the next bytes of the body.
    ///
    /// - Parameters:
    ///   - bytes: any number of bytes.
    ///   - body: called for each item that these bytes complete.
    /// - Throws: an error if the body is unreadable; the stream must not be used afterwards.
    public mutating func append(
        _ bytes: Span<UInt8>,
        _ body: (Result<ClusterObject, ObjectIssue>) -> Void
    ) throws(StreamError) {
        var index = 0
        while index < bytes.count {
            switch state {
            case .envelope:
                try takeEnvelope(bytes[index], at: index)
                index += 1
            case .firstItem, .nextItem, .separator:
                if try takeBetweenItems(bytes[index], at: index) { index += 1 }
            case .item:
                index = try takeItem(bytes, from: index, body)
            }
        }
        passed += bytes.count
    }

    /// Ends the body.
    ///
    /// - Returns: the metadata of the list.
    /// - Throws: an error if the body is not a list or is incomplete; ``StreamError/status(_:)`` if it is a Status.
    public mutating func finish() throws(StreamError) -> ListEnd {
        guard state == .envelope, envelope.isComplete else { throw .truncated(offset: passed) }
        return try envelope.end(of: kind, itemBytes: itemBytes ?? 0)
    }

    // MARK: - Parts

    private mutating func takeEnvelope(_ byte: UInt8, at index: Int) throws(StreamError) {
        guard envelope.count < ListEnvelope.limit else {
            throw .tooLong(offset: passed + index, limit: ListEnvelope.limit)
        }
        guard envelope.take(byte) else { return }
        guard itemBytes == nil else { throw .malformed(offset: passed + index, reason: "items twice") }
        state = .firstItem
    }

    /// Reads a byte between items; false if it is the first byte of an item, which is not consumed.
    private mutating func takeBetweenItems(_ byte: UInt8, at index: Int) throws(StreamError) -> Bool {
        if JSONReader.isWhitespace(byte) { return true }
        switch (byte, state) {
        case (UInt8(ascii: "]"), .firstItem), (UInt8(ascii: "]"), .separator):
            envelope.closeItems()
            itemBytes = passed + index + 1 - envelope.count
            state = .envelope
            return true
        case (UInt8(ascii: ","), .separator):
            state = .nextItem
            return true
        case (_, .separator), (UInt8(ascii: ","), _), (UInt8(ascii: "]"), _), (UInt8(ascii: "}"), _):
            let reason = state == .separator ? "expected , or ]" : "expected an item"
            throw .malformed(offset: passed + index, reason: reason)
        default:
            state = .item
            scanner = ValueScanner()
            itemStart = passed + index
            return false
        }
    }

    /// Reads the available part of an item, and returns the offset after it.
    private mutating func takeItem(
        _ bytes: Span<UInt8>,
        from start: Int,
        _ body: (Result<ClusterObject, ObjectIssue>) -> Void
    ) throws(StreamError) -> Int {
        let end = scanner.end(in: bytes, from: start)
        let piece = bytes.extracting(start..<(end ?? bytes.count))
        guard pending.count + piece.count <= itemLimit else { throw .tooLong(offset: itemStart, limit: itemLimit) }
        guard let end else {
            pending.append(copying: piece)
            return bytes.count
        }
        if pending.isEmpty {
            body(decoded(piece))
        } else {
            pending.append(copying: piece)
            body(decoded(pending.span))
            pending.removeAll(keepingCapacityUpTo: 1 << 20)
        }
        itemIndex += 1
        state = .separator
        return end
    }

    private func decoded(_ item: Span<UInt8>) -> Result<ClusterObject, ObjectIssue> {
        var reader = JSONReader(item)
        do throws(JSONError) {
            let object = try reader.clusterObject(as: kind)
            try reader.expectEnd()
            return .success(object)
        } catch {
            let path = [PathComponent.key("items"), .index(itemIndex)]
            var error = ObjectIssue(error, in: item, of: ObjectPlace(start: 0, path: path, kind: kind))
            error.offset += itemStart
            return .failure(error)
        }
    }
}

extension [UInt8] {
    /// Appends bytes.
    mutating func append(copying bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Empties the array, and releases its storage if that is larger than the limit.
    mutating func removeAll(keepingCapacityUpTo limit: Int) {
        if capacity <= limit { removeAll(keepingCapacity: true) } else { self = [] }
    }
}
