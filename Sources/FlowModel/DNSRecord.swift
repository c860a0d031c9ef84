/// A line of the DNS log: all lookups of one client for one name with one result, over one interval.
public struct DNSRecord: Sendable {
    /// Records of a response that differ only in their data.
    public struct RecordSet: Sendable, Hashable {
        /// The owner name of these records.
        public var name: String
        /// The type of the records, such as `AAAA`.
        public var type: String
        /// The class of the records, such as `IN`.
        public var recordClass: String
        /// The data of each record, as text.
        public var data: [String]

        /// Takes all members.
        public init(name: String, type: String, recordClass: String, data: [String]) {
            self.name = name
            self.type = type
            self.recordClass = recordClass
            self.data = data
        }
    }

    /// The server that answered, by the address that was queried.
    public struct Server: Sendable {
        /// The address.
        public var address: IPAddress
        /// The owner of the address.
        public var endpoint: Endpoint

        /// Takes both members.
        public init(address: IPAddress, endpoint: Endpoint) {
            self.address = address
            self.endpoint = endpoint
        }
    }

    /// Times between queries and responses, ns.
    public struct Latency: Sendable, Equatable {
        /// The number of measured lookups.
        public var count: UInt64 = 0
        /// The sum of all latencies.
        public var sum: UInt64 = 0
        /// The longest latency.
        public var largest: UInt64 = 0

        /// Creates the latency of no lookup.
        public init() {}

        /// Adds a lookup.
        public mutating func add(_ nanoseconds: UInt64) {
            count += 1
            sum &+= nanoseconds
            largest = max(largest, nanoseconds)
        }

        /// The mean, rounded down; 0 without lookups.
        public var mean: UInt64 { count == 0 ? 0 : sum / count }
    }

    /// The detail in which records distinguish clients (`dnsLogsFileAggregationKind`).
    public enum Detail: Int, Sendable, CaseIterable {
        /// Every client has its own records.
        case client = 0
        /// Clients with the same aggregated name share records.
        case clientPrefix = 1
    }

    /// Start of the interval, Unix seconds.
    public var startTime: Int64
    /// End of the interval, Unix seconds.
    public var endTime: Int64
    /// Whether the record describes its lookups; otherwise it only counts lookups for which there was no room.
    public var isLogged: Bool
    /// The number of lookups.
    public var count: UInt64
    /// The detail in which the client is named.
    public var detail: Detail
    /// The client's address; nil if it is folded away.
    public var clientAddress: IPAddress?
    /// The client; nil if it is not known.
    public var client: Endpoint?
    /// The queried name, in lower case.
    public var name: String
    /// The queried type.
    public var type: String
    /// The queried class.
    public var recordClass: String
    /// The result, such as `NoError` or `NXDomain`.
    public var responseCode: String
    /// The records of the response.
    public var sets: [RecordSet]
    /// The servers that responded.
    public var servers: [Server]
    /// The time between query and response.
    public var latency: Latency

    /// Takes all members.
    public init(
        startTime: Int64,
        endTime: Int64,
        isLogged: Bool = true,
        count: UInt64,
        detail: Detail = .clientPrefix,
        clientAddress: IPAddress? = nil,
        client: Endpoint?,
        name: String = "",
        type: String = "",
        recordClass: String = "",
        responseCode: String = "",
        sets: [RecordSet] = [],
        servers: [Server] = [],
        latency: Latency = Latency()
    ) {
        self.startTime = startTime
        self.endTime = endTime
        self.isLogged = isLogged
        self.count = count
        self.detail = detail
        self.clientAddress = clientAddress
        self.client = client
        self.name = name
        self.type = type
        self.recordClass = recordClass
        self.responseCode = responseCode
        self.sets = sets
        self.servers = servers
        self.latency = latency
    }
}
