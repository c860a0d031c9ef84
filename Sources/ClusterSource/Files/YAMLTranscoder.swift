/// Converts the documents of a YAML file to JSON objects, one at a time.
///
/// Aliases and merge keys (`<<`) are expanded, up to ``expansionLimit``. Constructs without a JSON counterpart are
/// errors: tags other than those of JSON's types, and keys that are not scalars.
struct YAMLTranscoder {
    /// The most bytes of JSON to which all anchors and aliases of a document may expand.
    static let expansionLimit = 16 << 20
    /// The greatest depth of nested containers.
    static let depthLimit = 1_000

    private let events: YAMLEventReader
    private var text = YAMLObjectText()
    /// The text of the document while `text` is that of one of its items.
    private var outer: YAMLObjectText?
    private var frames: [Frame] = []
    private var anchors: [String: Anchored] = [:]
    private var expanded = 0
    private var head = DocumentHead(line: 1)
    private var rootKey = RootKey.other

    /// An open container.
    private struct Frame {
        enum Kind { case mapping, sequence, items }
        var kind: Kind
        var isEmpty = true
        var isAtValue = false
        var keys = KeySet()
        var anchor: (name: String, start: Int)?
        /// The values of `<<`.
        var merge = YAMLMerge()
        /// Whether the next value belongs to `<<`.
        var isAtMerge = false
        /// The start of the container in the text, if it is itself a value of `<<`.
        var mergeStart: Int?
        /// The height of the container: 1, and more for each level of nested containers.
        var height = 1
    }

    /// The value that an alias refers to.
    private struct Anchored {
        var json: ArraySlice<UInt8>
        var height: Int
    }

    private enum RootKey { case apiVersion, kind, items, other }

    /// Creates a transcoder at the beginning of a file.
    init(_ file: FileReader) throws(FileFault) {
        events = try YAMLEventReader(file)
    }

    /// Reads the whole file.
    mutating func read(_ receiver: inout some ObjectTextReceiver) throws(FileFault) {
        while true {
            switch try events.next() {
            case .streamEnd: return
            case .documentStart: try document(&receiver)
            default: continue
            }
        }
    }

    private mutating func document(_ receiver: inout some ObjectTextReceiver) throws(FileFault) {
        anchors.removeAll(keepingCapacity: true)
        expanded = 0
        head = DocumentHead(line: events.line)
        text.restart()
        while true {
            let event = try events.next()
            if event == .documentEnd { break }
            if frames.isEmpty { try root(event) }
            try node(event)
            if case .items? = frames.last?.kind, !text.isEmpty {
                receiver.item(text.take())
            }
        }
        // An empty document, as between two `---`.
        if text.json.elementsEqual("null".utf8) { return }
        receiver.document(text.take(), head)
    }

    private mutating func root(_ event: YAMLEventReader.Event) throws(FileFault) {
        head.line = events.line
        if event == .mappingStart { return }
        if event == .scalar, events.isPlainScalar, YAMLScalar(plain: events.scalar) == .null { return }
        throw fault("an object (a mapping with kind, metadata, …) is expected")
    }

    // MARK: Nodes

    private mutating func node(_ event: YAMLEventReader.Event) throws(FileFault) {
        switch event {
        case .scalar: try scalar()
        case .alias: try alias()
        case .mappingStart: try open(.mapping)
        case .sequenceStart: try open(isAtItems ? .items : .sequence)
        case .mappingEnd, .sequenceEnd: try close()
        default: throw fault("not YAML")
        }
    }

    private var isAtItems: Bool { frames.count == 1 && frames[0].isAtValue && rootKey == .items }

    private var isAtMerge: Bool { frames.last?.isAtMerge == true }

    private var isAtKey: Bool {
        guard let frame = frames.last else { return false }
        return frame.kind == .mapping && !frame.isAtValue
    }

    private mutating func scalar() throws(FileFault) {
        if isAtKey { return try key() }
        guard !isAtMerge else { throw fault(YAMLMerge.expectation) }
        beginValue()
        let start = text.json.count
        let value = try YAMLScalar(events.scalar, isPlain: events.isPlainScalar, tag: events.tag, at: events.line)
        if frames.count == 1, value == .string { noteRoot(String(decoding: events.scalar, as: UTF8.self)) }
        text.append(value, events.scalar)
        if let name = events.anchor { try keep(name, from: start, height: 0) }
        endValue(height: 0)
    }

    private mutating func key() throws(FileFault) {
        let bytes = events.scalar
        let last = frames.count - 1
        if frames.count == 1 { rootKey = Self.rootKey(bytes) }
        if events.isPlainScalar, bytes.elementsEqual("<<".utf8) {
            (frames[last].isAtValue, frames[last].isAtMerge) = (true, true)
            return
        }
        if !frames[last].isEmpty { text.json.append(UInt8(ascii: ",")) }
        frames[last].isEmpty = false
        text.mark(events.line)
        let start = text.json.count
        text.append(.string, bytes)
        guard frames[last].keys.insert(start..<text.json.count, of: text.json) else {
            throw fault("the key \(String(decoding: bytes, as: UTF8.self)) is there twice")
        }
        if let name = events.anchor { try keep(name, from: start, height: 0) }
        text.json.append(UInt8(ascii: ":"))
        frames[last].isAtValue = true
    }

    private mutating func alias() throws(FileFault) {
        guard !isAtKey else { throw fault("an alias as a key is not supported") }
        let name = events.anchor ?? ""
        guard let anchored = anchors[name] else { throw fault("the alias *\(name) has no anchor before it") }
        guard !isAtItems else { throw fault(Self.itemsElsewhere) }
        guard frames.count + anchored.height <= Self.depthLimit else { throw fault(Self.tooDeep) }
        try spend(anchored.json.count)
        if isAtMerge { return try merge(anchored.json, height: anchored.height) }
        beginValue()
        text.json += anchored.json
        endValue(height: anchored.height)
    }

    private mutating func open(_ kind: Frame.Kind) throws(FileFault) {
        guard !isAtKey else { throw fault("a key must be a scalar, not a list or a mapping") }
        guard frames.count < Self.depthLimit else { throw fault(Self.tooDeep) }
        try checkTag(kind)
        var frame = Frame(kind: kind)
        if isAtMerge { frame.mergeStart = text.json.count } else { beginValue() }
        if kind == .items {
            text.json += "[]".utf8
            swapOut()
        } else {
            if let name = events.anchor { frame.anchor = (name, text.json.count) }
            text.json.append(UInt8(ascii: kind == .mapping ? "{" : "["))
        }
        frames.append(frame)
    }

    private mutating func close() throws(FileFault) {
        guard var frame = frames.popLast() else { return }
        if frame.kind == .items {
            swapIn()
        } else {
            try writeMerged(&frame)
            text.json.append(UInt8(ascii: frame.kind == .mapping ? "}" : "]"))
        }
        if let anchor = frame.anchor { try keep(anchor.name, from: anchor.start, height: frame.height) }
        if let start = frame.mergeStart { return try merge(text.cut(from: start), height: frame.height) }
        endValue(height: frame.height)
    }

    // MARK: Merge keys

    /// Adds the value of `<<` of the innermost mapping.
    private mutating func merge(_ json: ArraySlice<UInt8>, height: Int) throws(FileFault) {
        let last = frames.count - 1
        guard frames[last].merge.add(json) else { throw fault(YAMLMerge.expectation) }
        frames[last].isAtMerge = false
        endValue(height: height)
    }

    /// Writes the merged members at the end of a mapping, except those whose keys it has itself.
    private mutating func writeMerged(_ frame: inout Frame) throws(FileFault) {
        for member in frame.merge.members {
            let comma = text.json.count
            if !frame.isEmpty { text.json.append(UInt8(ascii: ",")) }
            let start = text.json.count
            text.json += member.key
            guard frame.keys.insert(start..<text.json.count, of: text.json) else {
                text.json.removeSubrange(comma...)
                continue
            }
            frame.isEmpty = false
            text.json.append(UInt8(ascii: ":"))
            text.json += member.value
            try spend(member.key.count + member.value.count)
            if frames.isEmpty { try noteMergedRoot(member) }
        }
    }

    /// Records the kind of the document if a merged member contains it.
    private mutating func noteMergedRoot(_ member: YAMLMerge.Member) throws(FileFault) {
        rootKey = Self.rootKey(member.key.dropFirst().dropLast())
        guard rootKey != .items else { throw fault(Self.itemsElsewhere) }
        guard member.value.first == UInt8(ascii: "\"") else { return }
        noteRoot(String(decoding: member.value.dropFirst().dropLast(), as: UTF8.self))
    }

    // MARK: Values

    /// Writes the separator before a value.
    private mutating func beginValue() {
        if let last = frames.indices.last, frames[last].kind == .sequence {
            if !frames[last].isEmpty { text.json.append(UInt8(ascii: ",")) }
            frames[last].isEmpty = false
        }
        text.mark(events.line)
    }

    private mutating func endValue(height: Int) {
        guard let last = frames.indices.last else { return }
        frames[last].isAtValue = false
        frames[last].height = max(frames[last].height, height + 1)
    }

    private mutating func keep(_ name: String, from start: Int, height: Int) throws(FileFault) {
        try spend(text.json.count - start)
        anchors[name] = Anchored(json: ArraySlice(Array(text.json[start...])), height: height)
    }

    private mutating func spend(_ count: Int) throws(FileFault) {
        expanded += count
        guard expanded <= Self.expansionLimit else {
            throw fault("its anchors and aliases expand to more than \(Self.expansionLimit >> 20) MiB")
        }
    }

    private func checkTag(_ kind: Frame.Kind) throws(FileFault) {
        guard let tag = events.tag, tag != "!", tag != YAMLTag.prefix + (kind == .mapping ? "map" : "seq") else {
            return
        }
        throw fault("the tag \(YAMLTag.short(tag)) is not supported here")
    }

    private func fault(_ reason: String) -> FileFault {
        FileFault(line: events.line, reason: reason)
    }

    private static let itemsElsewhere = "the items of a list must be written in the list, not as an alias"
    private static let tooDeep = "more than \(depthLimit) levels deep"

    // MARK: The document

    private static func rootKey(_ bytes: some Collection<UInt8>) -> RootKey {
        if bytes.elementsEqual("apiVersion".utf8) { return .apiVersion }
        if bytes.elementsEqual("kind".utf8) { return .kind }
        return bytes.elementsEqual("items".utf8) ? .items : .other
    }

    private mutating func noteRoot(_ value: String) {
        switch rootKey {
        case .apiVersion: head.apiVersion = value
        case .kind: head.kind = value
        case .items, .other: break
        }
    }

    /// Starts a separate text for each element of `items`.
    private mutating func swapOut() {
        outer = text
        text = YAMLObjectText()
    }

    private mutating func swapIn() {
        guard let outer else { return }
        text = outer
        self.outer = nil
    }
}
