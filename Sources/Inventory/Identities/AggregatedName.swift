import ClusterModel

/// The name that an object shares with others like it.
enum AggregatedName {
    /// Its own name.
    case itself
    /// The prefix from which the server made its name, and `*`.
    case generated(String)
    /// Another name.
    case given(String)

    /// The rule for pods: `metadata.generateName` and `*` if there is one, else the name.
    ///
    /// No guessing from the name.
    init(_ metadata: ObjectMetadata) {
        if let prefix = metadata.generateName, !prefix.isEmpty {
            self = .generated(prefix)
        } else {
            self = .itself
        }
    }

    /// The text, for an object of a name.
    func text(of name: String) -> String {
        switch self {
        case .itself: name
        case .generated(let prefix): prefix + "*"
        case .given(let text): text
        }
    }

    /// Whether a text is this, without making it.
    func isText(_ text: String, of name: String) -> Bool {
        switch self {
        case .itself: text == name
        case .generated(let prefix):
            text.utf8.last == UInt8(ascii: "*") && text.utf8.dropLast().elementsEqual(prefix.utf8)
        case .given(let given): text == given
        }
    }
}
