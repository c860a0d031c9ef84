import ClusterSource
import FlowModel

extension SettingValues {
    /// The largest accepted file, in bytes.
    private static let largestFile = 1 << 20

    /// Reads a YAML file: one mapping of names to values, with lists for several values.
    ///
    /// It reports all faults with their lines. An unreadable file is reported as one fault.
    package init(file path: String) {
        self.init()
        do throws(FileFault) {
            let file = try FileReader(path)
            guard file.line(at: Self.largestFile + 1) != nil, Self.size(of: file) <= Self.largestFile else {
                throw FileFault(reason: "larger than 1 MiB")
            }
            var reader = SettingsReader(try YAMLEventReader(file), path: path)
            try reader.read(into: &self)
        } catch {
            entries = [:]
            // Earlier faults may follow from this one: an indented line belongs to the value before it.
            faults = [SettingFault(.file(path: path, line: error.line ?? 0), error.reason)]
        }
    }

    private static func size(of file: FileReader) -> Int {
        defer { file.rewind() }
        var size = 0
        return withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { buffer in
            while size <= largestFile, let count = try? file.read(into: buffer), count > 0 { size += count }
            return size
        }
    }
}

/// Reads the events of one settings file.
private struct SettingsReader {
    private let events: YAMLEventReader
    private let path: String

    init(_ events: YAMLEventReader, path: String) {
        self.events = events
        self.path = path
    }

    private var origin: SettingOrigin { .file(path: path, line: events.line) }

    mutating func read(into values: inout SettingValues) throws(FileFault) {
        guard try events.next() == .documentStart else { return }
        switch try events.next() {
        case .mappingStart: break
        case .scalar where events.scalar.isEmpty || (events.isPlainScalar && text == "null" || text == "~"): return
        default: throw FileFault(line: events.line, reason: "the file is not a mapping of names to values")
        }
        entries: while true {
            switch try events.next() {
            case .mappingEnd: break entries
            case .scalar: try readEntry(into: &values)
            default: throw FileFault(line: events.line, reason: "the name of a setting is needed here")
            }
        }
        guard try events.next() == .documentEnd, try events.next() == .streamEnd else {
            throw FileFault(line: events.line, reason: "there is a second document; one is read")
        }
    }

    private var text: String { String(decoding: events.scalar, as: UTF8.self) }

    private func readEntry(into values: inout SettingValues) throws(FileFault) {
        try refuseAnchorAndTag()
        let origin = origin
        let name = text
        if name == "outputs" { return try readOutputs(origin, &values) }
        let setting = Setting.named(name)
        guard setting != nil || FelixAliases.alias(name) != nil || name.lowercased().hasPrefix("flowlogs") else {
            // Skip the value, if any, and ignore its faults.
            var ignored = SettingValues()
            _ = try readValues(origin, name, &ignored)
            let nearest = EditDistance.nearest(to: name, among: Setting.all.map(\.name))
            let hint = nearest.map { "did you mean '\($0)'?" } ?? "`weir config reference` lists the settings"
            return values.faults.append(SettingFault(origin, "'\(name)' is no setting; \(hint)"))
        }
        guard let list = try readValues(origin, name, &values) else { return }
        if let setting {
            values.set(setting, list, origin, as: name)
        } else {
            values.takeFelix(name, list.first ?? "", origin, as: name)
        }
    }

    /// The values of an entry; nil if there are none, or if they are invalid, which adds a fault.
    private func readValues(
        _ origin: SettingOrigin,
        _ name: String,
        _ values: inout SettingValues
    ) throws(FileFault) -> [String]? {
        switch try events.next() {
        case .scalar:
            try refuseAnchorAndTag()
            // `name:` without a value, or with null, counts as unset.
            if events.isPlainScalar, ["", "~", "null"].contains(text) { return nil }
            return [text]
        case .sequenceStart:
            try refuseAnchorAndTag()
            return try readList(origin, name, &values)
        case .alias: throw Self.anchorFault(events.line)
        default:
            try skipMapping()
            values.faults.append(SettingFault(origin, "\(name): a value or a list of values is needed, not a mapping"))
            return nil
        }
    }

    private func readList(
        _ origin: SettingOrigin,
        _ name: String,
        _ values: inout SettingValues
    ) throws(FileFault) -> [String]? {
        var list: [String] = []
        while true {
            switch try events.next() {
            case .sequenceEnd: return list.isEmpty ? nil : list
            case .scalar:
                try refuseAnchorAndTag()
                list.append(text)
            case .alias: throw Self.anchorFault(events.line)
            default: throw FileFault(line: events.line, reason: "\(name): a list of plain values is needed")
            }
        }
    }

    /// Reads a list of outputs; each is one text, or a mapping with `to` and the options of the output.
    private func readOutputs(_ origin: SettingOrigin, _ values: inout SettingValues) throws(FileFault) {
        guard try events.next() == .sequenceStart, events.anchor == nil else {
            throw FileFault(
                line: events.line,
                reason: "outputs: a list is needed: - to: file:/var/log/calico/flowlogs/flows.log"
            )
        }
        var list: [String] = []
        while true {
            switch try events.next() {
            case .sequenceEnd:
                guard let setting = Setting.named("output"), !list.isEmpty else { return }
                return values.set(setting, list, origin, as: "outputs")
            case .scalar where events.anchor == nil: list.append(text)
            case .mappingStart where events.anchor == nil: list.append(try readOutput())
            default:
                throw FileFault(line: events.line, reason: "outputs: a mapping with 'to' is needed for each output")
            }
        }
    }

    /// Converts the mapping of one output to the form of the command line.
    private func readOutput() throws(FileFault) -> String {
        let line = events.line
        var place: String?
        var options: [(name: String, value: String)] = []
        while try events.next() == .scalar {
            let name = text
            guard try events.next() == .scalar, events.anchor == nil else {
                throw FileFault(line: events.line, reason: "outputs: \(name): one value is needed")
            }
            if name == "to" {
                place = text
            } else if options.contains(where: { $0.name == name }) {
                throw FileFault(line: events.line, reason: "outputs: \(name): it is set twice")
            } else if name.contains(";") || name.contains("=") || OutputText.splits(text) {
                throw FileFault(line: events.line, reason: "outputs: \(name): a semicolon must be quoted")
            } else {
                options.append((name, text))
            }
        }
        guard let place else { throw FileFault(line: line, reason: "outputs: 'to' is missing: where records go") }
        return OutputText.join(place, options)
    }

    /// Skips the rest of a mapping.
    private func skipMapping() throws(FileFault) {
        var depth = 1
        while depth > 0 {
            switch try events.next() {
            case .mappingStart, .sequenceStart: depth += 1
            case .mappingEnd, .sequenceEnd: depth -= 1
            case .streamEnd: return
            default: break
            }
        }
    }

    /// Refuses an anchor or a tag (`!!binary`) of the current event.
    private func refuseAnchorAndTag() throws(FileFault) {
        if events.anchor != nil { throw Self.anchorFault(events.line) }
        if let tag = events.tag {
            throw FileFault(line: events.line, reason: "tags (\(tag)) are not used here; write the value")
        }
    }

    private static func anchorFault(_ line: Int) -> FileFault {
        FileFault(line: line, reason: "anchors and aliases are not used here; write the value")
    }
}
