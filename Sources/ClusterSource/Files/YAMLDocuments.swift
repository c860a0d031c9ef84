/// Converts the documents of a YAML or JSON file to JSON, whatever they contain.
package enum YAMLDocuments {
    /// Reads a file; JSON is YAML, too.
    ///
    /// - Parameter path: the file's path.
    /// - Returns: a JSON text for each document; the `items` of a document are left out.
    /// - Throws: the reason why the file is unreadable, and the place.
    package static func read(_ path: String) throws(FileFault) -> [[UInt8]] {
        var receiver = DocumentReceiver()
        var transcoder = try YAMLTranscoder(try FileReader(path))
        try transcoder.read(&receiver)
        return receiver.documents
    }
}

/// Stores the documents.
private struct DocumentReceiver: ObjectTextReceiver {
    private(set) var documents: [[UInt8]] = []

    mutating func item(_ text: ObjectText) {}

    mutating func document(_ text: ObjectText, _ head: DocumentHead) {
        documents.append(text.json)
    }
}
