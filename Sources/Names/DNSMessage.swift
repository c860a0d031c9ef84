package import FlowModel

/// A DNS message (RFC 1035 section 4), as far as names of addresses and a log need it: header, question, answers.
package struct DNSMessage: Sendable, Equatable {
    /// A question (RFC 1035 section 4.1.2).
    package struct Question: Sendable, Hashable {
        /// The name in lower case, without the last dot; empty for the root.
        package var name: String
        /// The type of the records (QTYPE).
        package var type: UInt16
        /// Their class (QCLASS).
        package var recordClass: UInt16

        /// Takes all members.
        package init(name: String, type: UInt16, recordClass: UInt16 = DNSClass.internet) {
            self.name = name
            self.type = type
            self.recordClass = recordClass
        }
    }

    /// A record of the answer (RFC 1035 section 4.1.3).
    package struct Answer: Sendable, Equatable {
        /// The content of a record.
        package enum Content: Sendable, Equatable {
            /// An address (A, AAAA).
            case address(IPAddress)
            /// Another name (CNAME, NS, PTR, DNAME), as ``Question/name``.
            case name(String)
            /// Anything else, as text.
            case text(String)
        }

        /// The owner name of the record, as ``Question/name``.
        package var name: String
        /// Its type.
        package var type: UInt16
        /// Its class.
        package var recordClass: UInt16
        /// The time for which it is valid, seconds.
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

    /// The identifier that an answer shares with its question.
    package var id: UInt16
    /// Whether it is an answer.
    package var isResponse: Bool
    /// The result (RCODE), 0 to 15.
    package var responseCode: UInt8
    /// The only question.
    package var question: Question
    /// Records of the answer, in their order; those that could be read before the first that is cut off or broken.
    package var answers: [Answer]

    /// Takes all members.
    package init(
        id: UInt16,
        isResponse: Bool,
        responseCode: UInt8 = 0,
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
    /// The most names in a chain of aliases that is followed.
    private static let chainLimit = 16

    /// The addresses of the name that was asked for, with how long they hold (seconds): its own and those of what it is an
    /// alias of.
    ///
    /// Records of names that the question does not lead to are not among them.
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
