/// Makes text from records safe for terminals: it cannot move the cursor, change colours or reverse the text direction.
package enum TerminalText {
    /// The text with every unprintable or right-to-left scalar replaced by `\u{…}`.
    ///
    /// Kubernetes names are ASCII and stay unchanged. Each remaining character occupies one or two columns.
    package static func neutralized(_ text: String) -> String {
        if text.utf8.allSatisfy({ 0x20..<0x7f ~= $0 }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isPlain(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return result
    }

    /// The lines of a text, each neutralized.
    package static func neutralizedLines(_ text: String) -> String {
        if text.utf8.allSatisfy({ 0x20..<0x7f ~= $0 || $0 == 0x0a }) { return text }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { neutralized(String($0)) }
            .joined(separator: "\n")
    }

    /// The number of columns that a neutralized text occupies.
    package static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + (isWide($1) ? 2 : 1) }
    }

    /// The text padded with spaces to a width; longer text is not truncated.
    package static func padded(_ text: String, to width: Int, onLeft: Bool = false) -> String {
        let gap = String(repeating: " ", count: max(0, width - Self.width(text)))
        return onLeft ? gap + text : text + gap
    }

    /// The beginning of a text, truncated to a width with `…`.
    package static func prefix(_ text: String, width: Int) -> String {
        guard Self.width(text) > width else { return text }
        guard width > 0 else { return "" }
        return columns(text.unicodeScalars, width - 1) + "…"
    }

    /// The beginning and end of a text, truncated to a width with `…` in the middle; two thirds of the kept text are
    /// the beginning.
    package static func middle(_ text: String, width: Int) -> String {
        guard Self.width(text) > width else { return text }
        guard width > 4 else { return prefix(text, width: width) }
        let tail = (width - 1) / 3
        let end = columns(text.unicodeScalars.reversed(), tail)
        return columns(text.unicodeScalars, width - 1 - tail) + "…" + String(end.reversed())
    }

    /// The words of a text wrapped to lines of a width; longer words are broken.
    package static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            var rest = String(word)
            if let last = lines.last, Self.width(last) + 1 + Self.width(rest) <= width {
                lines[lines.count - 1] = "\(last) \(rest)"
                continue
            }
            while Self.width(rest) > width, width > 0 {
                let head = columns(rest.unicodeScalars, width)
                guard !head.isEmpty else { break }
                lines.append(head)
                rest = String(rest.unicodeScalars.dropFirst(head.unicodeScalars.count))
            }
            lines.append(rest)
        }
        return lines
    }

    /// Returns the number of columns of scalars that fit into the width.
    private static func columns(_ scalars: some Sequence<Unicode.Scalar>, _ width: Int) -> String {
        var result = ""
        var used = 0
        for scalar in scalars {
            used += isWide(scalar) ? 2 : 1
            guard used <= width else { break }
            result.unicodeScalars.append(scalar)
        }
        return result
    }

    /// Whether a scalar is printable by itself and left-to-right.
    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        if 0x20..<0x7f ~= scalar.value { return true }
        switch scalar.value {
        // Hebrew, Arabic and the blocks between them, their presentation forms, and the right-to-left planes.
        case 0..<0xa0, 0x0590...0x08ff, 0xfb1d...0xfdff, 0xfe70...0xfeff, 0x10800...0x10fff, 0x1e800...0x1efff:
            return false
        default: break
        }
        // Fillers and variation selectors are letters and marks that are invisible.
        if scalar.properties.isDefaultIgnorableCodePoint { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .nonspacingMark, .enclosingMark, .spacingMark, .spaceSeparator:
            return false
        default: return true
        }
    }

    /// Whether a scalar occupies two columns (East Asian Width W and F, for the ranges that names use).
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
            0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
            true
        default: false
        }
    }
}

extension TerminalText {
    /// The lines of JSON texts, or of YAML with values as JSON, each neutralized as JSON.
    package static func neutralizedJSONLines(_ text: String) -> String {
        if text.utf8.allSatisfy({ 0x20..<0x7f ~= $0 || $0 == 0x0a }) { return text }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { neutralizedJSON(String($0)) }
            .joined(separator: "\n")
    }

    /// A JSON text in which characters that control a terminal are replaced by JSON escapes; its meaning is unchanged.
    package static func neutralizedJSON(_ text: String) -> String {
        if text.utf8.allSatisfy({ 0x20..<0x7f ~= $0 }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isPlain(scalar) || scalar == "\t" {
                result.unicodeScalars.append(scalar)
            } else {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
                }
            }
        }
        return result
    }
}
