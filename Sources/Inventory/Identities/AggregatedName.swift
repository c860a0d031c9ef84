import ClusterModel

/// The rule that gives the aggregated name of an object, which similar objects share.
enum AggregatedName {
    /// The object's own name.
    case itself
    /// The `generateName` prefix of the object, followed by `*`.
    case generated(String)
    /// Another name.
    case given(String)

    /// The rule for pods: `metadata.generateName` and `*` if there is one, else the name.
    ///
    /// The name itself is never parsed.
    init(_ metadata: ObjectMetadata) {
        if let prefix = metadata.generateName, !prefix.isEmpty {
            self = .generated(prefix)
        } else {
            self = .itself
        }
    }

    /// The aggregated name of an object with a name.
    func text(of name: String) -> String {
        switch self {
        case .itself: name
        case .generated(let prefix): prefix + "*"
        case .given(let text): text
        }
    }

    /// Whether a text equals the aggregated name; does not create the name.
    func isText(_ text: String, of name: String) -> Bool {
        switch self {
        case .itself: text == name
        case .generated(let prefix):
            text.utf8.last == UInt8(ascii: "*") && text.utf8.dropLast().elementsEqual(prefix.utf8)
        case .given(let given): text == given
        }
    }
}
