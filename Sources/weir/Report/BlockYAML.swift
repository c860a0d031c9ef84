import ClusterModel

/// Writes JSON as YAML in block style: members in their order, numbers as they are written.
struct BlockYAML {
    /// The text so far.
    private(set) var text = ""
    /// The depth below which values stay JSON, which is also YAML.
    private static let deepest = 40

    /// The value as an element of a list, including the line end; invalid JSON becomes a string.
    static func element(_ json: String) -> String {
        var yaml = BlockYAML()
        let bytes = Array(json.utf8)
        var reader = JSONReader(bytes.span)
        yaml.text = "-"
        do throws(JSONError) {
            try yaml.write(&reader, indent: 2, isInline: true)
            return yaml.text
        } catch {
            return "- \(ReportTable.json(.text(json)))\n"
        }
    }

    /// Writes a value after a dash or a key, up to the end of its last line.
    ///
    /// - Parameters:
    ///   - reader: the reader, positioned before the value.
    ///   - indent: the indentation of its members and elements.
    ///   - isInline: whether the first member or element is on the current line.
    /// - Throws: an error if the text is not JSON.
    private mutating func write(_ reader: inout JSONReader, indent: Int, isInline: Bool) throws(JSONError) {
        let isNested = indent <= 2 * Self.deepest
        switch reader.peek() {
        case UInt8(ascii: "{") where isNested: try writeObject(&reader, indent, isInline)
        case UInt8(ascii: "[") where isNested: try writeArray(&reader, indent, isInline)
        case UInt8(ascii: "\""): text += " \(Self.scalar(try reader.string() ?? ""))\n"
        default:
            let start = reader.offset
            try reader.skip()
            let bytes = (start..<reader.offset).map { reader.bytes[$0] }
            text += " \(String(decoding: bytes, as: UTF8.self))\n"
        }
    }

    private mutating func writeObject(_ reader: inout JSONReader, _ indent: Int, _ isInline: Bool) throws(JSONError) {
        var isFirst = true
        guard try reader.enterObject() else { return }
        while let key = try reader.nextKey() {
            begin(isFirst, indent, isInline)
            isFirst = false
            text += "\(Self.scalar(key.string)):"
            try write(&reader, indent: indent + 2, isInline: false)
        }
        if isFirst { text += " {}\n" }
    }

    private mutating func writeArray(_ reader: inout JSONReader, _ indent: Int, _ isInline: Bool) throws(JSONError) {
        var isFirst = true
        guard try reader.enterArray() else { return }
        while try reader.nextElement() {
            begin(isFirst, indent, isInline)
            isFirst = false
            text += "-"
            try write(&reader, indent: indent + 2, isInline: true)
        }
        if isFirst { text += " []\n" }
    }

    private mutating func begin(_ isFirst: Bool, _ indent: Int, _ isInline: Bool) {
        if isFirst { text += isInline ? " " : "\n" }
        if !isFirst || !isInline { text += String(repeating: " ", count: indent) }
    }

    /// Words that YAML 1.1 or 1.2 interprets as other values.
    private static let reserved: Set<String> = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]

    /// A text without quotes if every YAML reader interprets it as a string; otherwise with quotes.
    private static func scalar(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "/"):
                true
            default: false
            }
        }
        guard isPlain, text.first?.isLetter == true, !reserved.contains(text.lowercased()) else {
            return ReportTable.json(.text(text))
        }
        return text
    }
}
