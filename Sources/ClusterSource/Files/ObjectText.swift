/// The JSON text of one object of a file, with the lines that it comes from.
struct ObjectText {
    /// An offset in the text whose line in the file is known.
    struct Mark: Hashable {
        /// The offset in the text.
        var offset: Int
        /// The line in the file, counted from 1.
        var line: Int
    }

    /// The object as one JSON value.
    var json: [UInt8]
    /// The line where the object begins, counted from 1.
    var line: Int
    /// Marks by ascending offset, for JSON that was converted from YAML; nil for JSON from the file itself.
    var marks: [Mark]?

    /// The number of inserted bytes after the opening brace, which are not in the file.
    private var inserted = 0

    /// Takes a JSON text from the file, or one that was converted from it.
    init(json: [UInt8], line: Int, marks: [Mark]? = nil) {
        self.json = json
        self.line = line
        self.marks = marks
    }

    /// Inserts the kind and version that a list (`PodList`) declares for its items.
    mutating func insert(kind: String, apiVersion: String?) {
        guard json.first == UInt8(ascii: "{"), inserted == 0 else { return }
        let isEmpty = json.dropFirst().first { $0 > 0x20 } == UInt8(ascii: "}")
        let version = apiVersion.map { "\"apiVersion\":\"\($0)\"," } ?? ""
        let members = "\(version)\"kind\":\"\(kind)\"\(isEmpty ? "" : ",")"
        json.insert(contentsOf: members.utf8, at: 1)
        inserted = members.utf8.count
    }

    /// The line of the file that a byte of the text comes from.
    func line(at offset: Int) -> Int {
        guard let marks else {
            // The offset may be that of white space before a value.
            let value = json.indices.dropFirst(max(0, offset)).first { json[$0] > 0x20 } ?? offset
            return line + json.prefix(value).count { $0 == UInt8(ascii: "\n") }
        }
        let offset = offset > inserted ? offset - inserted : min(offset, 1)
        var (low, high) = (0, marks.count)
        while low < high {
            let middle = (low + high) / 2
            if marks[middle].offset <= offset { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? line : marks[low - 1].line
    }
}

/// The kind of a document: an object, or a list of objects.
struct DocumentHead: Hashable {
    /// `apiVersion`; nil if it is missing or not a string.
    var apiVersion: String?
    /// `kind`; nil if it is missing or not a string.
    var kind: String?
    /// The line where the document begins, counted from 1.
    var line: Int

    /// The kind of the items of a typed list (`Pod` for a `PodList`); nil for a plain `List`.
    var itemKind: String? {
        guard let kind, isList, kind != Self.suffix else { return nil }
        return String(kind.dropLast(Self.suffix.count))
    }

    /// Whether the document is a list of objects.
    var isList: Bool { kind?.hasSuffix(Self.suffix) == true }

    private static let suffix = "List"
}

/// Receives the objects of a file one after the other.
protocol ObjectTextReceiver {
    /// Receives one element of a document's `items`.
    mutating func item(_ text: ObjectText)
    /// Receives a document without the elements of its `items`, which were delivered before.
    mutating func document(_ text: ObjectText, _ head: DocumentHead)
}
