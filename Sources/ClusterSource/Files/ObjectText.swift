/// The JSON text of one object of a file, and where its lines are in the file.
struct ObjectText {
    /// A place in the text that is known to be of a line of the file.
    struct Mark: Hashable {
        /// The offset in the text.
        var offset: Int
        /// The line in the file, from 1.
        var line: Int
    }

    /// The object, one JSON value.
    var json: [UInt8]
    /// The line where it begins, from 1.
    var line: Int
    /// Marks by ascending offset, for JSON that was made of something else; nil for JSON as it stands in the file.
    var marks: [Mark]?

    /// The number of bytes at the beginning of the text, behind its brace, that are not in the file.
    private var inserted = 0

    /// Takes the text as it stands in the file, or was made of it.
    init(json: [UInt8], line: Int, marks: [Mark]? = nil) {
        self.json = json
        self.line = line
        self.marks = marks
    }

    /// Gives an item of a list the kind and version that the list has for all its items (`PodList`).
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
            // The place may be the space before a value.
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
    /// `apiVersion`; nil if it has none that is a string.
    var apiVersion: String?
    /// `kind`; nil if it has none that is a string.
    var kind: String?
    /// The line where it begins, from 1.
    var line: Int

    /// The kind of the items of a list that do not say theirs (`Pod` of a `PodList`); nil for a plain `List`.
    var itemKind: String? {
        guard let kind, isList, kind != Self.suffix else { return nil }
        return String(kind.dropLast(Self.suffix.count))
    }

    /// Whether the document is a list of objects.
    var isList: Bool { kind?.hasSuffix(Self.suffix) == true }

    private static let suffix = "List"
}

/// Takes the objects of a file one after the other.
protocol ObjectTextReceiver {
    /// Takes one element of a document's `items`.
    mutating func item(_ text: ObjectText)
    /// Takes a document, without the elements of its `items`, which were delivered before.
    mutating func document(_ text: ObjectText, _ head: DocumentHead)
}
