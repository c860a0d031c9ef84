package import FlowModel

/// The parts of a DNS message that the domains of addresses and the log require (RFC 1035 section 4).
///
/// These are the header, the question and the answers.
package struct DNSMessage: Sendable, Equatable {
    /// A question (RFC 1035 section 4.1.2).
    package struct Question: Sendable, Hashable {
        /// The name in lower case, without the final dot; a dot for the root.
        package var name: String
        /// The type of the requested records (QTYPE).
        package var type: UInt16
        /// The class of the requested records (QCLASS).
        package var recordClass: UInt16

        /// Takes all members.
        package init(name: String, type: UInt16, recordClass: UInt16 = DNSClass.internet) {
            self.name = name
            self.type = type
            self.recordClass = recordClass
        }
    }

    /// A resource record of the answer section (RFC 1035 section 4.1.3).
    package struct Answer: Sendable, Equatable {
        /// The content of a record.
        package enum Content: Sendable, Equatable {
            /// An address (A, AAAA).
            case address(IPAddress)
            /// A name (CNAME, NS, PTR, DNAME), in the form of ``Question/name``.
            case name(String)
            /// Other data as text.
            case text(String)
        }

        /// The owner name of the record, in the form of ``Question/name``.
        package var name: String
        /// The type of the record.
        package var type: UInt16
        /// The class of the record.
        package var recordClass: UInt16
        /// The time to live, in seconds.
        package var ttl: UInt32
        /// The content.
        package var content: Content

        /// Takes all members.
        package init(
            name: String,
            type: UInt16,
            recordClass: UInt16 = DNSClass.internet,
            ttl: UInt32,
            content: Content
        ) {
            self.name = name
            self.type = type
            self.recordClass = recordClass
            self.ttl = ttl
            self.content = content
        }
    }

    /// The identifier that a response shares with its query.
    package var id: UInt16
    /// Whether the message is a response.
    package var isResponse: Bool
    /// The response code, 0 to 4095: RCODE, extended by the bits in the OPT record (RFC 6891 section 6.1.3).
    ///
    /// These bits are 0 if the message ends before the OPT record.
    package var responseCode: UInt16
    /// The only question.
    package var question: Question
    /// The records of the answer section, in order.
    ///
    /// They end before the first record that is truncated or malformed, or that would exceed the limit of all texts.
    package var answers: [Answer]

    /// Takes all members.
    package init(
        id: UInt16,
        isResponse: Bool,
        responseCode: UInt16 = 0,
        question: Question,
        answers: [Answer] = []
    ) {
        self.id = id
        self.isResponse = isResponse
        self.responseCode = responseCode
        self.question = question
        self.answers = answers
    }
}

extension DNSMessage {
    /// The maximum number of aliases that are followed.
    private static let chainLimit = 16

    /// The addresses of the requested name, including those behind its aliases, with their TTL in seconds.
    ///
    /// Records of other names are ignored.
    package var addresses: [(address: IPAddress, ttl: UInt32)] {
        guard isResponse, responseCode == 0 else { return [] }
        let records = answers.filter { $0.recordClass == DNSClass.internet }
        var chain: [String: UInt32] = [question.name: .max]
        var (name, ttl) = (question.name, UInt32.max)
        for _ in 0..<Self.chainLimit {
            let alias = records.first { $0.type == DNSType.cname && $0.name == name }
            guard let alias, case .name(let target) = alias.content, chain[target] == nil else { break }
            (name, ttl) = (target, min(ttl, alias.ttl))
            chain[name] = ttl
        }
        return records.compactMap { record in
            guard case .address(let address) = record.content, let limit = chain[record.name] else { return nil }
            return (address, min(limit, record.ttl))
        }
    }
}
