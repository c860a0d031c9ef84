import FlowModel

extension DNSMessage {
    /// Parses a message; time and memory are bounded for any input.
    ///
    /// - Returns: the message; nil if the header is incomplete, the opcode is not 0 (QUERY), or the message does not have
    ///   exactly one readable question.
    package init?(_ bytes: [UInt8]) {
        var parser = DNSMessageParser(bytes: bytes)
        guard let message = parser.message() else { return nil }
        self = message
    }
}

/// Parses untrusted bytes.
private struct DNSMessageParser {
    private let bytes: [UInt8]
    private var position = 0

    /// The maximum number of bytes of a name, including its length bytes (RFC 1035 section 2.3.4).
    private static let nameLimit = 255
    /// The maximum number of compression pointers in a name.
    private static let pointerLimit = 16
    /// The maximum number of bytes of the text form of a record's data.
    private static let textLimit = 512
    /// The maximum number of bytes of the texts of all answers.
    ///
    /// A record of 14 bytes can point to two names with a thousand bytes of text each. A message contains at most 74 addresses;
    /// their texts are shorter than this limit, even with the longest printable name.
    private static let textsLimit = 20 << 10
    private static let headerSize = 12

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    // MARK: Sections

    mutating func message() -> DNSMessage? {
        guard let id = number(), let flags = number(), let questions = number(), let answers = number(),
            let authorities = number(), let additions = number()
        else { return nil }
        guard flags & 0x7800 == 0, questions == 1, let question = question() else { return nil }
        var message = DNSMessage(
            id: id,
            isResponse: flags & 0x8000 != 0,
            responseCode: flags & 0xf,
            question: question
        )
        guard message.isResponse else { return message }
        var texts = 0
        for _ in 0..<answers {
            guard let answer = answer() else { return message }
            texts += answer.textSize
            guard texts <= Self.textsLimit else { return message }
            message.answers.append(answer)
        }
        message.responseCode |= extendedCode(among: Int(authorities) + Int(additions)) << 4
        return message
    }

    /// Reads the upper bits of the response code from the OPT record (RFC 6891 section 6.1.3); 0 if there is none.
    private mutating func extendedCode(among records: Int) -> UInt16 {
        for _ in 0..<records {
            guard passName(), let head = head() else { return 0 }
            if head.type == DNSType.opt { return UInt16(head.ttl >> 24) }
            position = head.end
        }
        return 0
    }

    private mutating func question() -> DNSMessage.Question? {
        guard let name = name(), let type = number(), let recordClass = number() else { return nil }
        return DNSMessage.Question(name: name, type: type, recordClass: recordClass)
    }

    private mutating func answer() -> DNSMessage.Answer? {
        guard let name = name(), let head = head(), let content = content(of: head.type, until: head.end) else {
            return nil
        }
        position = head.end
        return DNSMessage.Answer(
            name: name,
            type: head.type,
            recordClass: head.recordClass,
            // A TTL with the highest bit set counts as 0 (RFC 2181 section 8).
            ttl: head.ttl >> 31 == 0 ? head.ttl : 0,
            content: content
        )
    }

    /// Reads the fields between the name and the data of a record, and the end of the data; nil if the record is truncated.
    private mutating func head() -> (type: UInt16, recordClass: UInt16, ttl: UInt32, end: Int)? {
        guard let type = number(), let recordClass = number(), let high = number(), let low = number(),
            let length = number(), bytes.count - position >= Int(length)
        else { return nil }
        return (type, recordClass, UInt32(high) << 16 | UInt32(low), position + Int(length))
    }

    // MARK: Data

    /// Reads the data of a record; nil if it is malformed.
    private mutating func content(of type: UInt16, until end: Int) -> DNSMessage.Answer.Content? {
        switch type {
        case DNSType.a:
            guard end - position == 4 else { return nil }
            return .address(IPAddress(ipv4: UInt32(truncatingIfNeeded: word(4))))
        case DNSType.aaaa:
            guard end - position == 16 else { return nil }
            return .address(IPAddress(ipv6Word0: word(8).bigEndian, word1: word(8).bigEndian))
        case DNSType.cname, DNSType.ns, DNSType.ptr, DNSType.dname:
            return name(until: end).map { .name($0) }
        case DNSType.mx:
            guard let preference = number(), let name = name(until: end) else { return nil }
            return .text("\(preference) \(name)")
        case DNSType.srv:
            guard let priority = number(), let weight = number(), let port = number(), let name = name(until: end)
            else { return nil }
            return .text("\(priority) \(weight) \(port) \(name)")
        case DNSType.txt:
            return strings(until: end).map { .text($0) }
        default:
            return .text(generic(until: end))
        }
    }

    /// Reads a name that must end at the end of the data.
    private mutating func name(until end: Int) -> String? {
        guard let name = name(), position == end else { return nil }
        return name
    }

    /// Reads character strings as quoted text (RFC 1035 section 5.1), up to the limit of the text.
    private mutating func strings(until end: Int) -> String? {
        var text: [UInt8] = []
        while position < end {
            let length = Int(bytes[position])
            guard length < end - position else { return nil }
            if text.count < Self.textLimit {
                if !text.isEmpty { text.append(UInt8(ascii: " ")) }
                text.append(UInt8(ascii: "\""))
                for byte in bytes[position + 1..<position + 1 + length] { append(byte, to: &text, spaceAllowed: true) }
                text.append(UInt8(ascii: "\""))
            }
            position += 1 + length
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The text form of data of unknown types (RFC 3597 section 5), up to the limit of the text.
    private func generic(until end: Int) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("\\# \(end - position)".utf8)
        if end > position { text.append(UInt8(ascii: " ")) }
        for byte in bytes[position..<end].prefix(Self.textLimit / 2) {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0xf)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    // MARK: Names

    /// Reads a name (RFC 1035 section 4.1.4) in lower case; non-printable bytes become `\DDD` (section 5.1).
    ///
    /// Each pointer must lead to a lower offset than the previous one, which excludes loops.
    private mutating func name() -> String? {
        var text: [UInt8] = []
        var (place, lowest, pointers, size) = (position, position, 0, 0)
        while true {
            guard place < bytes.count else { return nil }
            let length = Int(bytes[place])
            if length & 0xc0 == 0xc0 {
                guard place + 1 < bytes.count else { return nil }
                if pointers == 0 { position = place + 2 }
                let target = (length & 0x3f) << 8 | Int(bytes[place + 1])
                pointers += 1
                guard pointers <= Self.pointerLimit, target >= Self.headerSize, target < lowest else { return nil }
                (place, lowest) = (target, target)
                continue
            }
            guard length & 0xc0 == 0 else { return nil }
            size += 1 + length
            guard size <= Self.nameLimit, place + length < bytes.count else { return nil }
            if length == 0 {
                if pointers == 0 { position = place + 1 }
                return text.isEmpty ? "." : String(decoding: text, as: UTF8.self)
            }
            if !text.isEmpty { text.append(UInt8(ascii: ".")) }
            for byte in bytes[place + 1..<place + 1 + length] { append(byte, to: &text, spaceAllowed: false) }
            place += 1 + length
        }
    }

    /// Skips a name without decoding it; false if it is truncated.
    private mutating func passName() -> Bool {
        while position < bytes.count {
            let length = Int(bytes[position])
            position += length & 0xc0 == 0xc0 ? 2 : 1 + length & 0x3f
            if length == 0 || length & 0xc0 == 0xc0 { return position <= bytes.count }
        }
        return false
    }

    private func append(_ byte: UInt8, to text: inout [UInt8], spaceAllowed: Bool) {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z") where !spaceAllowed: text.append(byte | 0x20)
        case UInt8(ascii: "\\"): text += [byte, byte]
        case UInt8(ascii: "\"") where spaceAllowed: text += [UInt8(ascii: "\\"), byte]
        case UInt8(ascii: ".") where !spaceAllowed: text += [UInt8(ascii: "\\"), byte]
        case 0x20 where spaceAllowed: text.append(byte)
        case 0x21...0x7e: text.append(byte)
        default:
            text.append(UInt8(ascii: "\\"))
            for divisor: UInt8 in [100, 10, 1] { text.append(UInt8(ascii: "0") + byte / divisor % 10) }
        }
    }

    // MARK: Numbers

    private mutating func number() -> UInt16? {
        guard bytes.count - position >= 2 else { return nil }
        return UInt16(truncatingIfNeeded: word(2))
    }

    /// Reads a big-endian number of `count` bytes; the caller must check that they exist.
    private mutating func word(_ count: Int) -> UInt64 {
        defer { position += count }
        return bytes[position..<position + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension DNSMessage.Answer {
    /// The number of bytes of the answer's texts.
    fileprivate var textSize: Int {
        switch content {
        case .address: name.utf8.count
        case .name(let text), .text(let text): name.utf8.count + text.utf8.count
        }
    }
}
