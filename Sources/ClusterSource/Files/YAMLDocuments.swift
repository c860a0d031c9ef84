/// The documents of a YAML or JSON file as JSON, whatever they are.
package enum YAMLDocuments {
    /// Reads a file; JSON is YAML, too.
    ///
    /// - Parameter path: the file's path.
    /// - Returns: a JSON text for each document that is no list of objects.
    /// - Throws: why the file cannot be read, and where.
    package static func read(_ path: String) throws(FileFault) -> [[UInt8]] {
        var receiver = DocumentReceiver()
        var transcoder = try YAMLTranscoder(try FileReader(path))
        try transcoder.read(&receiver)
        return receiver.documents
    }
}

/// Keeps documents.
private struct DocumentReceiver: ObjectTextReceiver {
    private(set) var documents: [[UInt8]] = []

    mutating func item(_ text: ObjectText) {}

    mutating func document(_ text: ObjectText, _ head: DocumentHead) {
        documents.append(text.json)
    }
}
