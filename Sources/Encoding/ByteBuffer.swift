/// A growing byte buffer into which encoders write.
///
/// It is reused for all batches: ``take()`` and ``removeAll()`` keep the storage. Space is reserved once per record, and the
/// record is then written through a ``ByteCursor`` without further checks.
///
/// `@safe`: the pointer is private to this file, is allocated in `init`, replaced only in `grow(by:)` and freed in `deinit`;
/// the type cannot be copied. `@unchecked Sendable` for the same reason: it has one owner.
@safe
public struct ByteBuffer: ~Copyable, @unchecked Sendable {
    /// The number of unused bytes after the capacity, so that copies can use steps of 16 bytes.
    static let slack = 16

    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// The number of written bytes.
    public private(set) var count = 0

    /// Creates an empty buffer with space for a number of bytes.
    public init(capacity: Int = 64 * 1024) {
        self.capacity = max(capacity, 64)
        unsafe base = .allocate(capacity: self.capacity + Self.slack)
    }

    deinit {
        unsafe base.deallocate()
    }

    /// Whether no bytes were written.
    public var isEmpty: Bool { count == 0 }

    /// The written bytes, without a copy.
    public var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let span = unsafe Span(_unsafeStart: UnsafePointer(base), count: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Removes all bytes and keeps the storage.
    public mutating func removeAll() {
        count = 0
    }

    /// Removes the bytes after a length.
    public mutating func truncate(to length: Int) {
        precondition(length >= 0 && length <= count, "a part of what was written")
        count = length
    }

    /// Returns a copy of the written bytes, and removes them from the buffer.
    ///
    /// - Returns: the bytes; O(count).
    public mutating func take() -> [UInt8] {
        let taken = unsafe [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
            if let start = target.baseAddress { unsafe start.initialize(from: base, count: count) }
            initialized = count
        }
        count = 0
        return taken
    }

    /// Reserves space for a number of bytes after the written ones.
    public mutating func reserve(_ additional: Int) {
        if capacity - count < additional { grow(by: additional) }
    }

    private mutating func grow(by additional: Int) {
        let larger = max(capacity * 2, count + additional)
        let target = UnsafeMutablePointer<UInt8>.allocate(capacity: larger + Self.slack)
        unsafe target.update(from: base, count: count)
        unsafe base.deallocate()
        unsafe base = target
        capacity = larger
    }
}

// MARK: - Writing

extension ByteBuffer {
    /// Appends text as UTF-8.
    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            reserve(utf8.count)
            guard let start = utf8.baseAddress else { return }
            unsafe base.advanced(by: count).update(from: start, count: utf8.count)
            count += utf8.count
        }
    }

    /// Appends one byte.
    public mutating func append(_ byte: UInt8) {
        reserve(1)
        unsafe base[count] = byte
        count += 1
    }

    /// Appends a part of another buffer.
    mutating func append(_ other: borrowing ByteBuffer, from offset: Int, count length: Int) {
        precondition(offset >= 0 && length >= 0 && offset + length <= other.count, "a part of what was written")
        reserve(length)
        unsafe base.advanced(by: count).update(from: other.base.advanced(by: offset), count: length)
        count += length
    }

    /// Returns a cursor after the last byte; the caller must have reserved the space that it writes to.
    func cursor() -> ByteCursor {
        unsafe ByteCursor(at: base.advanced(by: count))
    }

    /// Adds the bytes that were written through a cursor of this buffer.
    mutating func advance(to cursor: ByteCursor) {
        let written = unsafe cursor.next - base
        precondition(written >= count && written <= capacity, "a cursor of this buffer, within the reserved room")
        count = written
    }

    /// Returns the address of a written byte; at least ``slack`` bytes after any written byte are readable.
    @unsafe
    func address(of offset: Int) -> UnsafePointer<UInt8> {
        unsafe UnsafePointer(base.advanced(by: offset))
    }
}
