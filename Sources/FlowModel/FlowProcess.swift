/// A process that has the socket of one end of a flow.
public struct FlowProcess: Sendable, Hashable {
    /// Its identifier in the first PID namespace.
    public var id: UInt32
    /// Its name.
    public var name: ProcessName

    /// Takes all members.
    public init(id: UInt32, name: ProcessName) {
        self.id = id
        self.name = name
    }
}

/// The name of a process (`comm`): at most 15 bytes of any value but 0, which the process can choose.
public struct ProcessName: Sendable, Hashable {
    private let bytes: (UInt64, UInt64)

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
    }

    /// The name; what is not UTF-8 in it is U+FFFD.
    public var text: String {
        let all = (0..<15).lazy.map { UInt8(truncatingIfNeeded: ($0 < 8 ? bytes.0 : bytes.1) >> (8 * ($0 & 7))) }
        return String(decoding: all.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Whether two names have the same bytes.
    public static func == (left: ProcessName, right: ProcessName) -> Bool { left.bytes == right.bytes }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(bytes.0)
        hasher.combine(bytes.1)
    }
}

/// The processes of the flows of a record: at least one.
public struct FlowProcesses: Sendable, Hashable {
    /// The most distinct names, and the most distinct process identifiers, that are counted.
    public static let limit = 16

    /// A small set of values, optimized for a single one.
    private struct Few<Value: Sendable & Hashable>: Sendable, Hashable {
        let first: Value
        private(set) var others: [Value] = []

        init(_ first: Value) { self.first = first }

        /// The value if there is only one; else nil.
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

    private var names: Few<ProcessName>
    private var ids: Few<UInt32>

    /// One process.
    public init(_ process: FlowProcess) {
        (names, ids) = (Few(process.name), Few(process.id))
    }

    /// The name of all of them; nil if they have several.
    public var name: ProcessName? { names.only }
    /// The number of the only one; nil if there are several.
    public var id: UInt32? { ids.only }
    /// How many names they have, at most ``limit``.
    public var nameCount: Int { names.count }
    /// How many they are, at most ``limit``.
    public var count: Int { ids.count }

    /// Adds a process.
    public mutating func add(_ process: FlowProcess) {
        names.add(process.name)
        ids.add(process.id)
    }

    /// Adds the processes of another record.
    public mutating func add(_ other: FlowProcesses) {
        names.add(other.names)
        ids.add(other.ids)
    }
}

/// The statistics of the sockets of a record's flows, and the processes that own the sockets.
public struct SocketSummary: Sendable, Hashable {
    /// The sum of their statistics; nil if there is no report, or statistics are not collected.
    public private(set) var tcp: TCPStatistics?
    /// The owners; nil if none is known, or processes are not collected.
    public private(set) var processes: FlowProcesses?

    /// Nothing yet.
    public init() {}

    /// Adds the report of one socket.
    public mutating func add(_ socket: FlowSocket) {
        if let statistics = socket.statistics { add(statistics) }
        guard let process = socket.process else { return }
        if processes == nil { processes = FlowProcesses(process) } else { processes?.add(process) }
    }

    private mutating func add(_ statistics: TCPStatistics) {
        if tcp == nil { tcp = statistics } else { tcp?.add(statistics) }
    }
}
