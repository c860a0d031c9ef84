/// The text around the items of a list, collected as it arrives: `{"kind":…,"metadata":…,"items":[]}`.
struct ListEnvelope: Sendable {
    /// The longest accepted envelope, in bytes.
    static let limit = 4 << 20

    private var bytes: [UInt8] = []
    /// Whether the envelope contains more than white space.
    private var hasValue = false
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// Whether the next string of the outermost object is a key.
    private var isAtKey = false
    /// The beginning of the current or last string in the envelope.
    private var stringStart = 0
    /// Whether the next value in the outermost object belongs to `items`.
    private var isAtItems = false

    /// The number of bytes.
    var count: Int { bytes.count }

    /// Whether the outermost value has ended.
    var isComplete: Bool { depth == 0 && !isInString && hasValue }

    /// Appends a byte; true if it opens the array of items.
    mutating func take(_ byte: UInt8) -> Bool {
        bytes.append(byte)
        if !JSONReader.isWhitespace(byte) { hasValue = true }
        if isInString {
            takeWithinString(byte)
            return false
        }
        switch byte {
        case UInt8(ascii: "\""):
            isInString = true
            stringStart = bytes.count
        case UInt8(ascii: "{"):
            depth += 1
            isAtKey = depth == 1
        case UInt8(ascii: "["):
            if depth == 1, isAtItems {
                isAtItems = false
                return true
            }
            depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
        case UInt8(ascii: ",") where depth == 1:
            isAtKey = true
            isAtItems = false
        default:
            break
        }
        return false
    }

    private mutating func takeWithinString(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            isInString = false
            guard depth == 1, isAtKey else { return }
            isAtKey = false
            isAtItems = bytes[stringStart...].elementsEqual("items\"".utf8)
        }
    }

    /// Appends the byte that closes the array of items.
    mutating func closeItems() {
        bytes.append(UInt8(ascii: "]"))
    }

    /// Decodes the envelope; throws if it is not a list, and ``StreamError/status(_:)`` if it is a Status.
    ///
    /// Offsets of errors include the bytes of the items.
    func end(of kind: ObjectKind, itemBytes: Int) throws(StreamError) -> ListEnd {
        let header: (status: APIStatus, kind: String?)
        let end: ListEnd
        do throws(JSONError) {
            var reader = JSONReader(bytes.span)
            header = try reader.status(code: 500)
            try reader.expectEnd()
            reader = JSONReader(bytes.span)
            end = try reader.listEnd()
        } catch {
            throw .malformed(offset: error.offset + itemBytes, reason: "\(error.reason)")
        }
        if header.kind == "Status" { throw .status(header.status) }
        guard let found = header.kind, found == "List" || found == kind.listName else {
            let found = header.kind?.printable ?? "an object without a kind"
            throw .malformed(offset: 0, reason: "expected a \(kind.listName), found \(found)")
        }
        return end
    }
}

extension ObjectKind {
    /// The kind of a list of such objects.
    fileprivate var listName: String {
        "\(rawValue.split(separator: " ").last ?? "")List"
    }
}

extension JSONReader {
    /// Reads the metadata of a list; its items are empty or null here.
    fileprivate mutating func listEnd() throws(JSONError) -> ListEnd {
        var end = ListEnd()
        guard try enterObject() else { return end }
        while let key = try nextKey() {
            switch key {
            case "metadata": end = try listMetadata()
            default: try skip()
            }
        }
        return end
    }
}
