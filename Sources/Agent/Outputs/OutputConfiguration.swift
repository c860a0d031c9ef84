package import Export
import Filter

/// An output of a run: its destination, its options and its records.
package struct OutputConfiguration: Sendable, Hashable {
    /// The destination.
    package var specification: OutputSpecification
    /// The options of the output.
    package var options = OutputOptions()
    /// The records to write, and their form.
    package var selection = RecordSelection()

    /// The length of time of a record of allowed flows; nil for the length of a flush.
    package var intervalForAllowed: Duration? { selection.intervalForAllowed.map { .seconds($0) } }
    /// The length of time of a record of denied flows; nil for the length of a flush.
    package var intervalForDenied: Duration? { selection.intervalForDenied.map { .seconds($0) } }

    /// Creates an output that gets all records.
    package init(_ specification: OutputSpecification) {
        self.specification = specification
    }
}

/// The reason why a text is not an output with options.
package struct OutputConfigurationError: Error, Hashable, CustomStringConvertible {
    /// The output.
    package let output: OutputSpecification
    /// The reason.
    package let reason: String

    /// The output and the reason on one line.
    package var description: String { "output \(output): \(reason)" }
}

// MARK: - Parsing

extension OutputConfiguration {
    /// Reads `SPEC` or `SPEC;option=value;…`, as in `file:denied.log;filter=action == "deny"`.
    ///
    /// A semicolon within quotes belongs to the value.
    ///
    /// - Parameters:
    ///   - text: the destination, and options of this output.
    ///   - defaults: the options that the text does not set.
    /// - Throws: an error with the fault and the list of forms.
    package init(parsing text: String, defaults: OutputConfiguration = OutputConfiguration(.standardOutput)) throws {
        let parts = Self.split(text)
        self = defaults
        specification = try OutputSpecification(parsing: parts[0])
        if case .http(let destination) = specification { selection.isWithHost = destination.expectsHost }
        for part in parts.dropFirst() {
            let name = part.prefix { $0 != "=" }
            let value = part.count > name.count ? String(part.dropFirst(name.count + 1)) : nil
            try set(name.trimmed, value)
        }
    }

    /// Parses the same form for lines that are not flow records.
    ///
    /// Outputs to syslog and HTTP servers, and options that only flow records have, are refused.
    ///
    /// - Parameters:
    ///   - text: the destination, and options of this output.
    ///   - defaults: the options of files and spools that the text does not set.
    /// - Throws: an error with the fault.
    package init(ofLines text: String, defaults: OutputConfiguration) throws {
        var lines = OutputConfiguration(.standardOutput)
        lines.options = defaults.options
        try self.init(parsing: text, defaults: lines)
        switch specification {
        case .standardOutput, .file, .unix, .tcp, .tls, .udp: break
        case .syslog, .http:
            throw OutputConfigurationError(
                output: specification,
                reason: "these lines go to stdout, file:, unix:, tcp:, tls: and udp: only"
            )
        }
        for part in Self.split(text).dropFirst() {
            let name = part.prefix { $0 != "=" }.trimmed
            guard !OutputOption.ofLines.contains(where: { $0.name == name }) else { continue }
            let names = OutputOption.ofLines.map(\.name).joined(separator: ", ")
            throw OutputConfigurationError(
                output: specification,
                reason: "\(name) is only for flow records; the DNS log takes \(names)"
            )
        }
    }

    /// Sets an option by its name.
    package mutating func set(_ name: String, _ value: String?) throws(OutputConfigurationError) {
        guard let option = OutputOption.all.first(where: { $0.name == name }) else {
            let names = OutputOption.all.map(\.name).joined(separator: ", ")
            throw OutputConfigurationError(
                output: specification,
                reason: "\"\(name)\" is no option; the options are \(names)"
            )
        }
        if let flaw = option.set(&self, value ?? option.implied ?? "") {
            throw OutputConfigurationError(output: specification, reason: "\(name): \(flaw)")
        }
    }

    /// The parts between semicolons; at least one.
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
