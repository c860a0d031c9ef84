import CYaml

/// Reads a YAML stream event by event (YAML 1.2.2, section 3.1, "serialization").
///
/// It uses libyaml, which Yams contains. Yams' own interface builds a tree of a whole document, with some hundred bytes
/// for each scalar. It also hashes keys through their aliases, which a hostile file can make endless. A list of ten
/// thousand pods is one document.
package final class YAMLEventReader {
    /// An event of the parser.
    package enum Event {
        case documentStart, documentEnd, streamEnd
        case scalar, alias
        case sequenceStart, sequenceEnd
        case mappingStart, mappingEnd
    }

    // Allocated on the heap, because libyaml keeps pointers to them.
    private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    private let event = UnsafeMutablePointer<yaml_event_t>.allocate(capacity: 1)
    private let file: FileReader
    private var readFault: FileFault?

    /// Creates a reader at the beginning of a file.
    package init(_ file: FileReader) throws(FileFault) {
        self.file = file
        event.initialize(to: yaml_event_t())
        parser.initialize(to: yaml_parser_t())
        guard yaml_parser_initialize(parser) == 1 else { throw FileFault(reason: "no memory") }
        yaml_parser_set_input(parser, Self.read, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        yaml_event_delete(event)
        yaml_parser_delete(parser)
        event.deallocate()
        parser.deallocate()
    }

    private static let read:
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt8>?, Int, UnsafeMutablePointer<Int>?
        ) -> Int32 = { data, buffer, size, count in
            guard let data, let buffer, let count else { return 0 }
            let reader = Unmanaged<YAMLEventReader>.fromOpaque(data).takeUnretainedValue()
            do throws(FileFault) {
                count.pointee = try reader.file.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
                return 1
            } catch {
                reader.readFault = error
                return 0
            }
        }

    /// Reads the next event.
    package func next() throws(FileFault) -> Event {
        while true {
            yaml_event_delete(event)
            guard yaml_parser_parse(parser, event) == 1 else { throw fault() }
            switch event.pointee.type {
            case YAML_DOCUMENT_START_EVENT: return .documentStart
            case YAML_DOCUMENT_END_EVENT: return .documentEnd
            case YAML_SCALAR_EVENT: return .scalar
            case YAML_ALIAS_EVENT: return .alias
            case YAML_SEQUENCE_START_EVENT: return .sequenceStart
            case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
            case YAML_MAPPING_START_EVENT: return .mappingStart
            case YAML_MAPPING_END_EVENT: return .mappingEnd
            case YAML_STREAM_START_EVENT: continue
            default: return .streamEnd
            }
        }
    }

    // MARK: The event

    /// The line where the event begins, counted from 1.
    package var line: Int { event.pointee.start_mark.line + 1 }

    /// The bytes of a scalar, which are valid UTF-8; usable until the next event.
    package var scalar: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: event.pointee.data.scalar.value, count: event.pointee.data.scalar.length)
    }

    /// Whether a scalar has no quotes, so that it may be something other than a string.
    package var isPlainScalar: Bool { event.pointee.data.scalar.style == YAML_PLAIN_SCALAR_STYLE }

    /// The tag of a scalar, sequence or mapping; nil if there is none.
    package var tag: String? {
        switch event.pointee.type {
        case YAML_SCALAR_EVENT: Self.string(event.pointee.data.scalar.tag)
        case YAML_SEQUENCE_START_EVENT: Self.string(event.pointee.data.sequence_start.tag)
        case YAML_MAPPING_START_EVENT: Self.string(event.pointee.data.mapping_start.tag)
        default: nil
        }
    }

    /// The anchor of a scalar, sequence or mapping, or the anchor that an alias refers to; nil if there is none.
    package var anchor: String? {
        switch event.pointee.type {
        case YAML_SCALAR_EVENT: Self.string(event.pointee.data.scalar.anchor)
        case YAML_SEQUENCE_START_EVENT: Self.string(event.pointee.data.sequence_start.anchor)
        case YAML_MAPPING_START_EVENT: Self.string(event.pointee.data.mapping_start.anchor)
        case YAML_ALIAS_EVENT: Self.string(event.pointee.data.alias.anchor)
        default: nil
        }
    }

    private static func string(_ bytes: UnsafePointer<UInt8>?) -> String? {
        bytes.map { String(cString: $0) }
    }

    // MARK: Faults

    private func fault() -> FileFault {
        if let readFault { return readFault }
        let state = parser.pointee
        var problem = state.problem.map { String(cString: $0) } ?? "no memory"
        // Replaces libyaml's message for the most frequent mistake, which gives no cause.
        if problem.hasPrefix("found character that cannot start any token") {
            problem = "a tab, or another character that no value begins with: indent with spaces, or quote the text"
        }
        switch state.error {
        case YAML_READER_ERROR:
            return FileFault(line: file.line(at: state.problem_offset), reason: "not YAML: \(problem)")
        case YAML_SCANNER_ERROR, YAML_PARSER_ERROR:
            let context = state.context.map { ", \(String(cString: $0)) from line \(real(state.context_mark))" } ?? ""
            return FileFault(line: real(state.problem_mark), reason: "not YAML: \(problem)\(context)")
        default:
            return FileFault(line: real(state.mark), reason: "not YAML: \(problem)")
        }
    }

    /// The line of a mark; libyaml reports the end of a file as the line after the last one.
    private func real(_ mark: yaml_mark_t) -> Int {
        min(mark.line + 1, file.line(at: .max) ?? .max)
    }
}
