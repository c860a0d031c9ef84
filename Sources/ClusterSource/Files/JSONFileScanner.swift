/// Splits a JSON file into objects: its documents, and the elements of each document's `items`.
///
/// The scanner checks the whole grammar (RFC 8259), so that all objects are well-formed, and counts lines. It needs
/// memory for one object, not for the file.
struct JSONFileScanner {
    /// The greatest depth of nested containers.
    static let depthLimit = 1_000

    private var window: ByteWindow
    private var containers: [UInt8] = []
    private var head = DocumentHead(line: 1)

    /// Creates a scanner at the beginning of a file.
    init(_ file: FileReader) {
        window = ByteWindow(file)
    }

    /// Reads the whole file.
    mutating func read(_ receiver: inout some ObjectTextReceiver) throws(FileFault) {
        try skipByteOrderMark()
        while try window.peekPastSpace() != nil { try document(&receiver) }
    }

    private mutating func skipByteOrderMark() throws(FileFault) {
        guard try window.peek() == 0xef else { return }
        for byte: UInt8 in [0xef, 0xbb, 0xbf] { try expectByte(byte) }
    }

    // MARK: Documents

    private mutating func document(_ receiver: inout some ObjectTextReceiver) throws(FileFault) {
        guard try window.peekPastSpace() == UInt8(ascii: "{") else {
            throw fault("an object ({…}) is expected")
        }
        head = DocumentHead(line: window.line)
        window.keep()
        window.advance()
        var text: [UInt8] = []
        if try window.peekPastSpace() != UInt8(ascii: "}") {
            repeat { try member(&text, &receiver) } while try isFollowedByMore(end: UInt8(ascii: "}"))
        } else {
            window.advance()
        }
        text += window.takeKept()
        receiver.document(ObjectText(json: text, line: head.line), head)
    }

    /// Reads a key and its value at the top level of a document.
    private mutating func member(_ text: inout [UInt8], _ receiver: inout some ObjectTextReceiver) throws(FileFault) {
        let key = try string()
        try expect(":")
        let byte = try window.peekPastSpace()
        if byte == UInt8(ascii: "["), key == "items" {
            text += window.takeKept()
            try items(&receiver)
            text += "[]".utf8
            window.keep()
        } else if byte == UInt8(ascii: "\""), key == "kind" {
            head.kind = try string()
        } else if byte == UInt8(ascii: "\""), key == "apiVersion" {
            head.apiVersion = try string()
        } else {
            try skipValue()
        }
    }

    private mutating func items(_ receiver: inout some ObjectTextReceiver) throws(FileFault) {
        window.advance()
        if try window.peekPastSpace() == UInt8(ascii: "]") { return window.advance() }
        repeat {
            _ = try window.peekPastSpace()
            let line = window.line
            window.keep()
            try skipValue()
            receiver.item(ObjectText(json: window.takeKept(), line: line))
        } while try isFollowedByMore(end: UInt8(ascii: "]"))
    }

    /// Skips a comma and returns true, or skips the end of the container and returns false.
    private mutating func isFollowedByMore(end: UInt8) throws(FileFault) -> Bool {
        let byte = try window.peekPastSpace()
        guard byte == end || byte == UInt8(ascii: ",") else {
            throw unexpected(byte, instead: "',' or '\(Character(Unicode.Scalar(end)))'")
        }
        window.advance()
        return byte != end
    }

    // MARK: Values

    private mutating func skipValue() throws(FileFault) {
        containers.removeAll(keepingCapacity: true)
        repeat {
            if try skipToScalarEnd() { try skipEnds() }
        } while !containers.isEmpty
    }

    /// Skips a scalar or an empty container; enters another container and returns false, before its first value.
    private mutating func skipToScalarEnd() throws(FileFault) -> Bool {
        let byte = try window.peekPastSpace()
        switch byte {
        case UInt8(ascii: "\""): try skipString()
        case UInt8(ascii: "{"), UInt8(ascii: "["): return try enter(byte == UInt8(ascii: "{"))
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): try skipNumber()
        case UInt8(ascii: "t"): try skipWord("true")
        case UInt8(ascii: "f"): try skipWord("false")
        case UInt8(ascii: "n"): try skipWord("null")
        default: throw unexpected(byte, instead: "a value")
        }
        return true
    }

    private mutating func enter(_ isObject: Bool) throws(FileFault) -> Bool {
        let end = UInt8(ascii: isObject ? "}" : "]")
        window.advance()
        if try window.peekPastSpace() == end {
            window.advance()
            return true
        }
        // One level is that of the document.
        guard containers.count + 1 < Self.depthLimit else { throw fault("more than \(Self.depthLimit) levels deep") }
        containers.append(end)
        if isObject { try skipKey() }
        return false
    }

    /// After a value: skips all ends of containers and the next comma.
    private mutating func skipEnds() throws(FileFault) {
        while let end = containers.last {
            if try isFollowedByMore(end: end) {
                if end == UInt8(ascii: "}") { try skipKey() }
                return
            }
            containers.removeLast()
        }
    }

    private mutating func skipKey() throws(FileFault) {
        guard try window.peekPastSpace() == UInt8(ascii: "\"") else {
            throw unexpected(try window.peek(), instead: "a key")
        }
        try skipString()
        try expect(":")
    }

    /// Reads a string whose text is needed; escapes are not resolved.
    private mutating func string() throws(FileFault) -> String {
        guard try window.peekPastSpace() == UInt8(ascii: "\"") else {
            throw unexpected(try window.peek(), instead: "a key")
        }
        let start = window.keptCount
        try skipString()
        return String(decoding: window.kept(start + 1..<window.keptCount - 1), as: UTF8.self)
    }

    private mutating func skipString() throws(FileFault) {
        window.advance()
        while true {
            try window.advanceInString()
            let byte = try window.peek()
            switch byte {
            case UInt8(ascii: "\""): return window.advance()
            case UInt8(ascii: "\\"): try skipEscape()
            case nil: throw fault("the file ends in a string")
            default: throw fault("a control character in a string; a quotation mark may be missing")
            }
        }
    }

    private mutating func skipEscape() throws(FileFault) {
        window.advance()
        guard let byte = try window.peek() else { throw fault("the file ends in a string") }
        guard "\"\\/bfnrtu".utf8.contains(byte) else { throw unexpected(byte, instead: "an escape") }
        window.advance()
        guard byte == UInt8(ascii: "u") else { return }
        for _ in 0..<4 {
            guard let digit = try window.peek(), Self.isHexadecimal(digit) else {
                throw unexpected(try window.peek(), instead: "four hexadecimal digits")
            }
            window.advance()
        }
    }

    private mutating func skipNumber() throws(FileFault) {
        if try window.peek() == UInt8(ascii: "-") { window.advance() }
        if try window.peek() == UInt8(ascii: "0") { window.advance() } else { try skipDigits() }
        if try window.peek() == UInt8(ascii: ".") {
            window.advance()
            try skipDigits()
        }
        guard let byte = try window.peek(), byte | 0x20 == UInt8(ascii: "e") else { return }
        window.advance()
        if let sign = try window.peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { window.advance() }
        try skipDigits()
    }

    private mutating func skipDigits() throws(FileFault) {
        var count = 0
        while let byte = try window.peek(), UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte {
            window.advance()
            count += 1
        }
        guard count > 0 else { throw unexpected(try window.peek(), instead: "a digit") }
    }

    private mutating func skipWord(_ word: StaticString) throws(FileFault) {
        for index in 0..<word.utf8CodeUnitCount { try expectByte(word.utf8Start[index]) }
    }

    // MARK: Bytes

    private mutating func expect(_ character: Unicode.Scalar) throws(FileFault) {
        guard try window.peekPastSpace() == UInt8(ascii: character) else {
            throw unexpected(try window.peek(), instead: "'\(character)'")
        }
        window.advance()
    }

    private mutating func expectByte(_ byte: UInt8) throws(FileFault) {
        guard try window.peek() == byte else { throw unexpected(try window.peek(), instead: "a value") }
        window.advance()
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20
    }

    private func fault(_ reason: String) -> FileFault {
        FileFault(line: window.line, reason: "not JSON: \(reason)")
    }

    private func unexpected(_ byte: UInt8?, instead: String) -> FileFault {
        switch byte {
        case nil: fault("the file ends where \(instead) is expected")
        case .some(0x21...0x7e): fault("'\(Character(Unicode.Scalar(byte ?? 0)))' where \(instead) is expected")
        case .some(let byte): fault("byte 0x\(String(byte, radix: 16)) where \(instead) is expected")
        }
    }
}
