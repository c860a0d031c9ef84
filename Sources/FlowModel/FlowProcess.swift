/// A process that owns the socket of one end of a flow: immutable, so that reports and records of its flows share it.
public final class FlowProcess: Sendable, Hashable {
    /// A number that no other process object has or had.
    public let number = UniqueNumber.next()
    /// The PID in the initial PID namespace.
    public let id: UInt32
    /// The name.
    public let name: ProcessName
    /// The arguments, or the beginning of them; nil if they are not known or not collected.
    public let arguments: String?
    /// The identifier of the container; nil if the process is in none, or if that is not known.
    public let container: String?

    /// Takes all members.
    public init(id: UInt32, name: ProcessName, arguments: String? = nil, container: String? = nil) {
        self.id = id
        self.name = name
        self.arguments = arguments
        self.container = container
    }

    /// Whether all members but the number are equal.
    public static func == (left: FlowProcess, right: FlowProcess) -> Bool {
        if left === right { return true }
        return left.id == right.id && left.name == right.name && left.arguments == right.arguments
            && left.container == right.container
    }

    /// Hashes the compared members of which most processes differ.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(name)
    }
}

/// The name of a process: the path of its executable, else the name that it has set itself (`comm`).
///
/// The process chooses the latter: at most 15 bytes, each with any value but 0.
public struct ProcessName: Sendable, Hashable {
    private let bytes: (UInt64, UInt64)
    private let path: String?

    /// Takes the bytes up to the first 0, at most 15.
    public init(_ text: some Collection<UInt8>) {
        var bytes: (UInt64, UInt64) = (0, 0)
        for (place, byte) in text.prefix(15).prefix(while: { $0 != 0 }).enumerated() {
            if place < 8 {
                bytes.0 |= UInt64(byte) << (8 * place)
            } else {
                bytes.1 |= UInt64(byte) << (8 * (place - 8))
            }
        }
        self.bytes = bytes
        path = nil
    }

    /// Takes a name, and the path of the executable if it is known.
    public init(_ name: ProcessName, path: String?) {
        bytes = name.bytes
        self.path = path
    }

    /// The name; bytes that are not UTF-8 are U+FFFD.
    public var text: String {
        if let path { return path }
        let all = (0..<15).lazy.map { UInt8(truncatingIfNeeded: ($0 < 8 ? bytes.0 : bytes.1) >> (8 * ($0 & 7))) }
        return String(decoding: all.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Whether two names have the same path; without paths, whether they have the same bytes.
    public static func == (left: ProcessName, right: ProcessName) -> Bool {
        left.path == right.path && (left.path != nil || left.bytes == right.bytes)
    }

    /// Hashes the compared parts.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(path)
        guard path == nil else { return }
        hasher.combine(bytes.0)
        hasher.combine(bytes.1)
    }
}

/// The processes of the flows of a record: at least one.
public struct FlowProcesses: Sendable, Equatable {
    /// The maximum number of distinct names, and of distinct process identifiers, that are counted.
    public static let limit = 16

    /// The maximum number of argument texts in a record (`flowLogsFilePerFlowProcessArgsLimit`).
    public static let argumentLimit = 5

    /// Distinct values, at least one.
    private struct Few<Value: Sendable & Hashable>: Sendable, Hashable {
        let first: Value
        private(set) var others: [Value] = []

        init(_ first: Value) { self.first = first }

        /// All values.
        var all: [Value] { [first] + others }

        /// The value if there is only one; nil otherwise.
        var only: Value? { others.isEmpty ? first : nil }
        var count: Int { 1 + others.count }

        mutating func add(_ value: Value) {
            guard value != first, count < FlowProcesses.limit, !others.contains(value) else { return }
            others.append(value)
        }

        mutating func add(_ other: Few) {
            add(other.first)
            for value in other.others { add(value) }
        }
    }

    /// The properties of several processes.
    private struct Several: Sendable, Hashable {
        var names: Few<ProcessName>
        var ids: Few<UInt32>
        var argumentTexts: Few<String>?
        var containers: Few<String>?
        /// Whether this is the set of processes beyond the limit of names with records of their own in a group.
        var areOthers = false

        init(_ process: FlowProcess) {
            (names, ids) = (Few(process.name), Few(process.id))
            argumentTexts = process.arguments.map(Few.init)
            containers = process.container.map(Few.init)
        }

        mutating func add(_ other: Several) {
            if other.areOthers { areOthers = true }
            names.add(other.names)
            ids.add(other.ids)
            if let texts = other.argumentTexts {
                if argumentTexts == nil { argumentTexts = texts } else { argumentTexts?.add(texts) }
            }
            if let others = other.containers {
                if containers == nil { containers = others } else { containers?.add(others) }
            }
        }
    }

    /// Most records have one process, so that a copy of this is one reference.
    private enum Contents: Sendable {
        case one(FlowProcess)
        indirect case several(Several)
    }

    private var contents: Contents

    /// Creates the set of one process.
    public init(_ process: FlowProcess) { contents = .one(process) }

    /// The only process; nil if there are several, or if these are the others of a group.
    public var only: FlowProcess? {
        guard case .one(let process) = contents else { return nil }
        return process
    }

    private var several: Several {
        switch contents {
        case .one(let process): Several(process)
        case .several(let several): several
        }
    }

    /// The name that all processes have; nil if there are several names, or if these are the others of a group.
    public var name: ProcessName? {
        switch contents {
        case .one(let process): process.name
        case .several(let several): several.areOthers ? nil : several.names.only
        }
    }

    /// The PID if there is only one; nil otherwise.
    public var id: UInt32? {
        switch contents {
        case .one(let process): process.id
        case .several(let several): several.ids.only
        }
    }

    /// The number of names, at most ``limit``.
    public var nameCount: Int {
        guard case .several(let several) = contents else { return 1 }
        return several.names.count
    }

    /// The number of processes, at most ``limit``.
    public var count: Int {
        guard case .several(let several) = contents else { return 1 }
        return several.ids.count
    }

    /// The argument texts of the processes.
    ///
    /// At most ``argumentLimit`` texts; for a single process, only the longest one. Empty if none are known.
    public var arguments: [String] {
        switch contents {
        case .one(let process):
            return process.arguments.map { [$0] } ?? []
        case .several(let several):
            guard let texts = several.argumentTexts else { return [] }
            guard several.ids.only == nil else {
                return texts.all.max { $0.utf8.count < $1.utf8.count }.map { [$0] } ?? []
            }
            return Array(texts.all.prefix(Self.argumentLimit))
        }
    }

    /// The text that stands for several values.
    package static let several = "*"

    /// The identifier of the processes' container; nil if it is not known, or if there are several.
    public var container: String? {
        switch contents {
        case .one(let process): process.container
        case .several(let several): several.containers?.only
        }
    }

    /// The same, but ``several`` if there are several.
    package var containerText: String? {
        switch contents {
        case .one(let process): process.container
        case .several(let several): several.containers.map { $0.only ?? Self.several }
        }
    }

    /// The number of distinct argument texts, at most ``limit``; 1 for a single process.
    public var argumentCount: Int {
        switch contents {
        case .one(let process): process.arguments == nil ? 0 : 1
        case .several(let several):
            several.ids.only == nil ? several.argumentTexts?.count ?? 0 : several.argumentTexts == nil ? 0 : 1
        }
    }

    /// Makes this the set of processes beyond the limit of names with records of their own in a group.
    ///
    /// Its record has no name (``FlowRecord/processLimit``).
    package mutating func beOthers() {
        var several = several
        several.areOthers = true
        contents = .several(several)
    }

    /// Adds a process.
    public mutating func add(_ process: FlowProcess) { add(FlowProcesses(process)) }

    /// Adds the processes of another record.
    public mutating func add(_ other: FlowProcesses) {
        if let only, only == other.only { return }
        var several = several
        several.add(other.several)
        contents = .several(several)
    }

    /// Whether the same values are known for both.
    public static func == (left: FlowProcesses, right: FlowProcesses) -> Bool {
        if let one = left.only, let other = right.only { return one == other }
        return left.several == right.several
    }
}

/// Socket statistics of a record's flows.
public struct SocketSummary: Sendable, Hashable {
    /// The sum of the statistics; nil if there is no report, or if statistics are not collected.
    public private(set) var tcp: TCPStatistics?
    /// The handshakes; nil if none completed in the interval, or if they are not timed.
    public private(set) var handshakes: HandshakeTimes?
    /// The durations of DNS lookups, microseconds; nil if none was answered in the interval, or if they are not collected.
    public private(set) var lookups: TCPStatistics.Gauge?

    /// Creates an empty value.
    public init() {}

    /// Adds the report of one socket.
    public mutating func add(_ socket: borrowing FlowSocket) {
        if let statistics = socket.statistics { add(statistics) }
        if let times = socket.handshake { handshakes.add(times) }
        lookups.add(socket.lookups)
    }

    /// Adds statistics of other sockets.
    public mutating func add(_ other: borrowing SocketSummary) {
        if let statistics = other.tcp { add(statistics) }
        handshakes.add(other.handshakes)
        lookups.add(other.lookups)
    }

    private mutating func add(_ statistics: TCPStatistics) {
        if tcp == nil { tcp = statistics } else { tcp?.add(statistics) }
    }
}

extension HandshakeTimes? {
    /// Adds other handshakes, if there are any.
    package mutating func add(_ other: HandshakeTimes?) {
        guard let other else { return }
        if self == nil { self = other } else { self?.add(other) }
    }
}

extension TCPStatistics.Gauge? {
    /// Adds the samples of another gauge, if there is one.
    package mutating func add(_ other: TCPStatistics.Gauge?) {
        guard let other else { return }
        if self == nil { self = other } else { self?.add(other) }
    }
}
