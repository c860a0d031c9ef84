import CWeir
import FlowModel
import Glibc

/// Looks connections up with a program in the kernel (bpf/conntrack.bpf.c): hundreds with one system call, where ctnetlink
/// sends one message for each.
///
/// It finds TCP and UDP, in zone 0 of the network namespace where it was made.
///
/// `@unchecked Sendable`: the program and the memory are not shared, and ``Conntrack``, which owns this, calls it only while
/// it holds the lock of its state.
struct ConntrackProgram: ~Copyable, @unchecked Sendable {
    /// The results of some lookups.
    struct Outcome {
        /// Connections that the kernel found.
        var found = 0
        /// Answered queries, including queries for unknown connections.
        var answered = 0
        /// The indices of the lookups that the program cannot answer.
        var unanswered: [Int] = []
    }

    private let program: FileDescriptor
    private let questions: MappedMap<weir_conntrack_question>
    /// The namespace in which it was created: the program looks up in the namespace of the calling thread.
    private let home: ino_t

    /// The most queries in one system call.
    static let maximumQuestions = Int(WEIR_CONNTRACK_QUESTIONS)

    /// A frame that a program can be run on.
    private static let frame = [UInt8](repeating: 0, count: 64)

    /// Loads the program; nothing is attached.
    ///
    /// - Throws: ``DatapathError`` where the kernel has no such functions (before 5.18, or without `CONFIG_NF_CONNTRACK`),
    ///   or does not allow it.
    init() throws(DatapathError) {
        guard let home = Self.namespace else {
            throw .system(operation: "find the network namespace", errno: errno, advice: "mount /proc")
        }
        let object = try ProgramObject(.conntrack)
        try object.load()
        // The object and its megabyte for the verifier's messages are not needed any more.
        let loaded = try object.program("weir_conntrack")
        let program = FileDescriptor(
            owning: try systemCall("keep a BPF program") { fcntl(loaded, F_DUPFD_CLOEXEC, 0) }
        )
        let questions = try MappedMap<weir_conntrack_question>(
            descriptor: object.map("questions"),
            name: "questions",
            count: Self.maximumQuestions
        )
        self.home = home
        self.program = program
        self.questions = questions
    }

    /// Looks up some of the connections that packets belong to.
    ///
    /// - Parameters:
    ///   - packets: those that one of the ends sends, before their addresses are translated.
    ///   - asked: the indices of those to look up, at most ``maximumQuestions``; both addresses are of one family.
    ///   - connections: gets the results, by the indices of `packets`.
    /// - Returns: the number of connections that were found, and the lookups that were not answered.
    func lookUp(
        _ packets: [TrackedConnection.Tuple],
        _ asked: ArraySlice<Int>,
        _ connections: inout [TrackedConnection?]
    ) -> Outcome {
        var outcome = Outcome()
        let asked = asked.prefix(Self.maximumQuestions)
        var numbers: [Int] = []
        numbers.reserveCapacity(asked.count)
        for number in asked {
            guard packets[number].proto == .tcp || packets[number].proto == .udp else {
                outcome.unanswered.append(number)
                continue
            }
            let question = unsafe questions.base + numbers.count
            unsafe question.pointee.original = conntrack_tuple(packets[number])
            unsafe question.pointee.state = WEIR_CONNTRACK_ASKED.rawValue
            numbers.append(number)
        }
        guard !numbers.isEmpty, run(numbers.count) else {
            outcome.unanswered = Array(asked)
            return outcome
        }
        for (index, number) in numbers.enumerated() {
            let question = unsafe questions.base + index
            switch unsafe question.pointee.state {
            case WEIR_CONNTRACK_FOUND.rawValue:
                connections[number] = TrackedConnection(
                    original: unsafe question.pointee.original.tuple,
                    reply: unsafe question.pointee.reply.tuple
                )
                outcome.found += 1
                outcome.answered += 1
            case WEIR_CONNTRACK_UNKNOWN.rawValue: outcome.answered += 1
            default: outcome.unanswered.append(number)
            }
        }
        return outcome
    }

    /// Runs the program on this number of queries; false if that fails.
    private func run(_ count: Int) -> Bool {
        guard Self.namespace == home else { return false }
        if count < Self.maximumQuestions {
            unsafe questions[count].pointee.state = WEIR_CONNTRACK_END.rawValue
        }
        return (try? ProgramTestRun.run(program.number, frame: Self.frame)) != nil
    }

    /// The network namespace of the calling thread; nil if it cannot be read.
    private static var namespace: ino_t? {
        var status = stat()
        return unsafe stat("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : nil
    }
}

extension conntrack_tuple {
    /// The addresses of packets of TCP or UDP.
    fileprivate init(_ tuple: TrackedConnection.Tuple) {
        self.init()
        family = UInt16(tuple.source.isIPv4 ? AF_INET : AF_INET6)
        source = Self.words(tuple.source)
        destination = Self.words(tuple.destination)
        source_port = tuple.sourcePort.bigEndian
        destination_port = tuple.destinationPort.bigEndian
        self.protocol = tuple.proto.rawValue
    }

    fileprivate var tuple: TrackedConnection.Tuple {
        TrackedConnection.Tuple(
            source: address(source),
            destination: address(destination),
            sourcePort: UInt16(bigEndian: source_port),
            destinationPort: UInt16(bigEndian: destination_port),
            proto: IPProtocol(rawValue: self.protocol)
        )
    }

    private static func words(_ address: IPAddress) -> (UInt32, UInt32, UInt32, UInt32) {
        if let ipv4 = address.ipv4 { return (ipv4.bigEndian, 0, 0, 0) }
        let (high, low) = address.ipv6Words
        return (
            UInt32(truncatingIfNeeded: high), UInt32(truncatingIfNeeded: high >> 32),
            UInt32(truncatingIfNeeded: low), UInt32(truncatingIfNeeded: low >> 32)
        )
    }

    private func address(_ words: (UInt32, UInt32, UInt32, UInt32)) -> IPAddress {
        guard family == UInt16(AF_INET6) else { return IPAddress(ipv4: UInt32(bigEndian: words.0)) }
        return IPAddress(
            ipv6Word0: UInt64(words.0) | UInt64(words.1) << 32,
            word1: UInt64(words.2) | UInt64(words.3) << 32
        )
    }
}
