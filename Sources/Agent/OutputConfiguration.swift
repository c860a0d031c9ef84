public import Export
import Filter

/// An output of a run: where records go, which ones, and how.
public struct OutputConfiguration: Sendable, Hashable {
    /// Where they go.
    public var specification: OutputSpecification
    /// Which of them.
    package var selection = RecordSelection()

    /// An output that gets all records.
    public init(_ specification: OutputSpecification) {
        self.specification = specification
    }
}

/// Why a text is not an output with options.
public struct OutputConfigurationError: Error, Hashable, CustomStringConvertible {
    /// One line that says what is wrong, and which options there are.
    public let description: String
}

// MARK: - Parsing

extension OutputConfiguration {
    /// Reads `SPEC` or `SPEC;option=value;…`, as in `file:/var/log/denied.log;filter=action == "deny"`.
    ///
    /// A semicolon within quotes belongs to the value.
    ///
    /// - Parameters:
    ///   - text: where records go, and options of this output.
    ///   - defaults: the options that the text does not set.
    /// - Throws: an error that says what is wrong and lists the forms.
    package init(parsing text: String, defaults: RecordSelection = RecordSelection()) throws {
        let parts = Self.split(text)
        specification = try OutputSpecification(parsing: parts[0])
        selection = defaults
        for part in parts.dropFirst() { try set(part) }
    }

    private mutating func set(_ option: String) throws(OutputConfigurationError) {
        let name = option.prefix { $0 != "=" }
        let value = String(option.dropFirst(name.count + 1))
        switch name.trimmed {
        case "filter": selection.keep = try Self.filter(value, "filter", specification)
        case "drop": selection.drop = try Self.filter(value, "drop", specification)
        case let other:
            throw OutputConfigurationError(
                description: "output \(specification): \"\(other)\" is no option; the options are filter and drop"
            )
        }
    }

    private static func filter(
        _ text: String,
        _ name: String,
        _ specification: OutputSpecification
    ) throws(OutputConfigurationError) -> Filter? {
        do throws(FilterError) {
            return try Filter(text)
        } catch {
            throw OutputConfigurationError(description: "output \(specification): \(name): \(error)")
        }
    }

    /// The parts between semicolons, of which there is at least one.
    private static func split(_ text: String) -> [String] {
        var parts = [""]
        var quote: Character?
        for character in text {
            if character == quote {
                quote = nil
            } else if quote == nil, parts.count > 1, character == "\"" || character == "'" {
                quote = character
            } else if quote == nil, character == ";" {
                parts.append("")
                continue
            }
            parts[parts.count - 1].append(character)
        }
        return parts
    }
}

extension Substring {
    fileprivate var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
