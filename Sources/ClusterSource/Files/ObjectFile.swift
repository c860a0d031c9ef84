import ClusterModel

/// A file of objects that is well-formed.
///
/// It is read twice: at first only its grammar, so that a broken file changes nothing, and then its objects one by one.
/// So it needs memory for one object, and for anchors, whatever its size.
struct ObjectFile {
    /// An entry of a file.
    enum Entry {
        /// An object, and the line where it begins.
        case object(ClusterObject, line: Int)
        /// An object that cannot be used, or something in one that was passed over.
        case finding(FileFinding)
        /// An object of a kind that is not used.
        case otherKind
    }

    private enum Format { case yaml, json }

    private let path: String
    private let file: FileReader
    private let format: Format
    private let heads: [DocumentHead]

    /// Opens a file and reads it once.
    ///
    /// - Throws: if it cannot be read, or is neither YAML nor JSON, or is something other than objects.
    init(_ path: String) throws(FileFault) {
        try self.init(path, try FileReader(path))
    }

    /// Reads a text once, as if it were a file.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON.
    ///   - name: what findings call it.
    /// - Throws: if it is neither YAML nor JSON, or is something other than objects.
    init(text: [UInt8], name: String) throws(FileFault) {
        try self.init(name, FileReader(text))
    }

    private init(_ path: String, _ file: FileReader) throws(FileFault) {
        self.path = path
        self.file = file
        format = try Self.format(path, file)
        var heads = HeadReceiver()
        try Self.scan(file, format, &heads)
        self.heads = heads.heads
    }

    /// Whether nothing at all stands in it.
    var isEmpty: Bool { heads.isEmpty }

    /// Reads the objects, in the order of the file.
    ///
    /// - Parameters:
    ///   - visitor: takes what is in the file.
    ///   - validation: says what else is wrong with objects; nil to look for nothing else.
    /// - Throws: if the file was changed meanwhile and is broken now.
    func read(_ visitor: some ObjectFileVisitor, _ validation: FileValidation? = nil) throws(FileFault) {
        var objects = ObjectReceiver(path: path, heads: heads, visitor: visitor, validation: validation)
        try Self.scan(file, format, &objects)
    }

    private static func scan(
        _ file: FileReader,
        _ format: Format,
        _ receiver: inout some ObjectTextReceiver
    ) throws(FileFault) {
        file.rewind()
        switch format {
        case .yaml:
            var transcoder = try YAMLTranscoder(file)
            try transcoder.read(&receiver)
        case .json:
            var scanner = JSONFileScanner(file)
            try scanner.read(&receiver)
        }
    }

    /// Returns the format by the name; without an extension JSON begins with a brace.
    private static func format(_ path: String, _ file: FileReader) throws(FileFault) -> Format {
        if path.hasSuffix(".json") { return .json }
        if path.hasSuffix(".yaml") || path.hasSuffix(".yml") { return .yaml }
        var window = ByteWindow(file)
        return try window.peekPastSpace() == UInt8(ascii: "{") ? .json : .yaml
    }
}

/// Takes what is in a file.
protocol ObjectFileVisitor: AnyObject {
    /// Takes the next thing.
    func visit(_ entry: ObjectFile.Entry)
}

/// Learns what the documents of a file are.
private struct HeadReceiver: ObjectTextReceiver {
    var heads: [DocumentHead] = []

    mutating func item(_ text: ObjectText) {}

    mutating func document(_ text: ObjectText, _ head: DocumentHead) {
        heads.append(head)
    }
}

/// Decodes the objects of a file.
private struct ObjectReceiver<Visitor: ObjectFileVisitor>: ObjectTextReceiver {
    let path: String
    let heads: [DocumentHead]
    let visitor: Visitor
    let validation: FileValidation?
    private var documents = 0

    init(path: String, heads: [DocumentHead], visitor: Visitor, validation: FileValidation?) {
        self.path = path
        self.heads = heads
        self.visitor = visitor
        self.validation = validation
    }

    mutating func item(_ text: ObjectText) {
        // What the list is may stand behind its items.
        guard documents < heads.count, heads[documents].isList else { return }
        decode(text, heads[documents].itemKind.map { ($0, heads[documents].apiVersion) })
    }

    mutating func document(_ text: ObjectText, _ head: DocumentHead) {
        documents += 1
        guard head.kind != nil else {
            report(FileValidation.Issue(ObjectIssue(reason: "an object without kind"), .error), text)
            return
        }
        if !head.isList { decode(text, nil) }
    }

    /// Decodes an object, which may be a list again.
    ///
    /// - Parameters:
    ///   - text: the object.
    ///   - kind: `kind` and `apiVersion` where the list has them for its items.
    private func decode(_ text: ObjectText, _ kind: (kind: String, apiVersion: String?)?) {
        var text = text
        if let kind { text.insert(kind: kind.kind, apiVersion: kind.apiVersion) }
        var findings: [ObjectIssue] = []
        var trees: [ObjectTree] = []
        var issues: [FileValidation.Issue] = []
        do throws(ObjectIssue) {
            let results = try ObjectDecoder.objects(
                in: text.json.span,
                keeping: validation?.kinds ?? [],
                findings: &findings,
                trees: &trees
            )
            issues = trees.flatMap { validation?.issues($0) ?? [] }
            if results.isEmpty { visitor.visit(.otherKind) }
            for result in results {
                switch result {
                case .success(let object): visitor.visit(.object(object, line: text.line))
                case .failure(let error): report(FileValidation.Issue(error, .error), text, unless: issues)
                }
            }
        } catch {
            report(FileValidation.Issue(error, .error), text, unless: issues)
        }
        for finding in findings { report(FileValidation.Issue(finding, .warning), text, unless: issues) }
        for issue in issues { report(issue, text) }
    }

    /// Adds the decoder's findings, unless the validation has a better one for the same place.
    private func report(_ issue: FileValidation.Issue, _ text: ObjectText, unless issues: [FileValidation.Issue]) {
        if !issues.contains(where: { $0.covers(issue) }) { report(issue, text) }
    }

    private func report(_ issue: FileValidation.Issue, _ text: ObjectText) {
        visitor.visit(
            .finding(
                FileFinding(
                    path: path,
                    line: text.line(at: issue.offset),
                    severity: issue.severity,
                    object: issue.object,
                    field: issue.path.isEmpty ? nil : PathComponent.text(issue.path),
                    position: issue.position,
                    reason: issue.reason
                )
            )
        )
    }
}
