import ClusterModel

/// A well-formed file of objects.
///
/// The file is read twice: first only its grammar, so that a broken file changes nothing, and then its objects one by
/// one. So a file of any size needs memory only for one object, and for its anchors.
struct ObjectFile {
    /// An entry of a file.
    enum Entry {
        /// An object, and the line where it begins.
        case object(ClusterObject, line: Int)
        /// An unusable object, or a skipped part of an object.
        case finding(FileFinding)
        /// An object of an unused kind.
        case otherKind
    }

    private enum Format { case yaml, json }

    private let path: String
    private let file: FileReader
    private let format: Format
    private let heads: [DocumentHead]

    /// Opens a file and reads it once.
    ///
    /// - Throws: an error if the file is unreadable, is neither YAML nor JSON, or contains something other than objects.
    init(_ path: String) throws(FileFault) {
        try self.init(path, try FileReader(path))
    }

    /// Reads a text once, like a file.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON.
    ///   - name: the name of the text in findings.
    /// - Throws: an error if it is neither YAML nor JSON, or contains something other than objects.
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

    /// Whether the file has no content.
    var isEmpty: Bool { heads.isEmpty }

    /// Reads the objects, in the order of the file.
    ///
    /// - Parameters:
    ///   - visitor: receives the entries.
    ///   - validation: further checks of objects; nil for none.
    /// - Throws: an error if the file has changed meanwhile and is broken now.
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

    /// Returns the format by the extension; a file without a known extension is JSON if it begins with a brace.
    private static func format(_ path: String, _ file: FileReader) throws(FileFault) -> Format {
        if path.hasSuffix(".json") { return .json }
        if path.hasSuffix(".yaml") || path.hasSuffix(".yml") { return .yaml }
        var window = ByteWindow(file)
        return try window.peekPastSpace() == UInt8(ascii: "{") ? .json : .yaml
    }
}

/// Receives the entries of a file.
protocol ObjectFileVisitor: AnyObject {
    /// Receives the next entry.
    func visit(_ entry: ObjectFile.Entry)
}

/// Collects the heads of the documents in a file.
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
        // The kind of the list may follow after its items.
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

    /// Decodes an object, which may itself be a list.
    ///
    /// - Parameters:
    ///   - text: the object.
    ///   - kind: `kind` and `apiVersion` of the items, if the list declares them.
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

    /// Reports an issue of the decoder, unless the validation has a better one for the same place.
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
