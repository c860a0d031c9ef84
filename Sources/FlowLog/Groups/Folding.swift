import FlowModel

/// Folds flows into groups by the configured levels, and makes records of groups.
///
/// Keeps the objects behind the numbers in tuples and group keys: each endpoint, endpoint identity and service once, as long as
/// a flow or a group uses it. The caller must release each tuple and key with `release`.
struct Folding {
    private(set) var configuration: FlowLogConfiguration
    /// The ends of flows.
    var endpoints = EndpointTable()
    private var identities = IdentityTable<Endpoint>()
    private var services = IdentityTable<ServicePort>()
    private var policies = IdentityTable<PolicyTrace>()

    /// Folds to the levels of a configuration.
    init(configuration: FlowLogConfiguration) {
        self.configuration = configuration
    }

    /// Folds to other levels from now on; existing keys do not change.
    mutating func use(_ configuration: FlowLogConfiguration) {
        self.configuration = configuration
    }

    /// Removes objects of the previous interval that are not in use.
    mutating func beginInterval() {
        endpoints.beginInterval()
        identities.forgetRecent()
        services.forgetRecent()
        policies.forgetRecent()
    }

    /// The numbers of names in use, and of cached label intersections.
    var counts: NameCounts {
        NameCounts(
            endpoints: endpoints.count,
            identities: identities.count,
            services: services.count,
            policies: policies.count,
            intersections: endpoints.intersections.count
        )
    }
}

/// The numbers of kept names.
struct NameCounts: Equatable {
    /// Ends of flows.
    var endpoints = 0
    /// The identities of endpoints.
    var identities = 0
    /// The identities of services.
    var services = 0
    /// The identities of policy traces, by their enforced hits.
    var policies = 0
    /// Pairs of label sets whose common labels are cached.
    var intersections = 0
}

// MARK: - Tuples

extension Folding {
    /// Returns the tuple of a flow.
    mutating func tuple(of flow: ResolvedFlow) -> FlowTuple {
        FlowTuple(
            local: endpoints.acquire(flow.local),
            remote: endpoints.acquire(flow.remote),
            localPort: flow.localPort,
            remotePort: flow.remotePort,
            proto: flow.proto
        )
    }

    /// Releases a tuple.
    mutating func release(_ tuple: FlowTuple) {
        endpoints.release(tuple.local)
        endpoints.release(tuple.remote)
    }
}

// MARK: - Groups

extension Folding {
    /// Returns the key of the group that a flow counts for, without the fields that the level of its action folds away.
    ///
    /// - Parameters:
    ///   - flow: the flow.
    ///   - tuple: its tuple.
    ///   - isCoarse: whether addresses and full names are folded away regardless of the level.
    /// - Returns: the key, which the caller must release with ``release(_:)-(GroupKey)``.
    mutating func key(of flow: ResolvedFlow, _ tuple: FlowTuple, isCoarse: Bool) -> GroupKey {
        let configured = configuration.level(for: flow.action)
        let level = isCoarse ? max(configured, .podPrefix) : configured
        let keepsAddresses = level < .podPrefix
        let localBegan = flow.reporter == .source
        let inOrder = localBegan || flow.proto.isICMP
        let sourcePort = inOrder ? flow.localPort : flow.remotePort
        let destinationPort = inOrder ? flow.remotePort : flow.localPort
        let source = localBegan ? flow.local.owner : flow.remote.owner
        let destination = localBegan ? flow.remote.owner : flow.local.owner
        let key = GroupKey(
            sourceEndpoint: keepsAddresses ? (localBegan ? tuple.local : tuple.remote) : GroupKey.none,
            destinationEndpoint: keepsAddresses ? (localBegan ? tuple.remote : tuple.local) : GroupKey.none,
            source: identities.acquire(source, inDetail: keepsAddresses),
            destination: identities.acquire(destination, inDetail: keepsAddresses),
            service: flow.service.map { services.acquire($0, inDetail: level < .noDestinationPort) } ?? GroupKey.none,
            policies: flow.policies.map { policies.acquire($0, inDetail: true) } ?? GroupKey.none,
            sourcePort: level < .sourcePort ? sourcePort : 0,
            destinationPort: level < .noDestinationPort ? destinationPort : 0,
            proto: flow.proto,
            reporter: flow.reporter,
            action: flow.action,
            level: level
        )
        if keepsAddresses {
            endpoints.retain(key.sourceEndpoint)
            endpoints.retain(key.destinationEndpoint)
        }
        return key
    }

    /// Releases a key.
    mutating func release(_ key: GroupKey) {
        identities.release(key.source)
        identities.release(key.destination)
        if key.service != GroupKey.none { services.release(key.service) }
        if key.policies != GroupKey.none { policies.release(key.policies) }
        if key.sourceEndpoint != GroupKey.none {
            endpoints.release(key.sourceEndpoint)
            endpoints.release(key.destinationEndpoint)
        }
    }

    /// Returns the service that the flows of a group called; nil for none.
    func service(of key: GroupKey) -> ServicePort? {
        key.service == GroupKey.none ? nil : services[key.service]
    }

    /// Returns the newest trace of the policies that decided when the flows of a group began; nil for none.
    func policies(of key: GroupKey) -> PolicyTrace? {
        key.policies == GroupKey.none ? nil : policies[key.policies]
    }
}

// MARK: - Records

extension Folding {
    /// Returns the record of a group.
    ///
    /// - Parameters:
    ///   - report: the group's key and numbers.
    ///   - pending: the current decision of the pending policies on its flows.
    ///   - group: the group's number in the survey.
    ///   - survey: the properties of its flows besides the key.
    ///   - interval: the seconds of the interval.
    /// - Returns: the record, without the fields that its level folds away.
    func record(
        of report: GroupReport,
        pending: PolicyTrace?,
        as group: UInt32,
        in survey: borrowing IntervalSurvey,
        interval: ClosedRange<Int64>
    ) -> FlowRecord {
        let key = report.key
        let level = key.level
        let localBegan = key.reporter == .source
        var record = FlowRecord(
            startTime: interval.lowerBound,
            endTime: interval.upperBound,
            level: level,
            source: FlowRecord.End(
                address: address(key.sourceEndpoint),
                port: level < .sourcePort ? key.sourcePort : nil,
                endpoint: identities[key.source],
                labels: localBegan ? survey.localLabels(of: group) : survey.remoteLabels(of: group)
            ),
            destination: FlowRecord.End(
                address: address(key.destinationEndpoint),
                port: level < .noDestinationPort ? key.destinationPort : nil,
                endpoint: identities[key.destination],
                labels: localBegan ? survey.remoteLabels(of: group) : survey.localLabels(of: group)
            ),
            service: service(of: key),
            natOutgoingPorts: survey.natPorts(of: group),
            proto: key.proto,
            action: key.action,
            reporter: key.reporter,
            policies: policies(of: key).map { FlowRecord.Policies(enforced: $0, pending: pending ?? $0) },
            inbound: report.traffic.inbound,
            outbound: report.traffic.outbound,
            flows: FlowCounts(
                total: UInt64(report.counts.total),
                started: UInt64(report.counts.started),
                completed: UInt64(report.counts.completed)
            ),
            drops: report.drops,
            tcp: report.sockets?.tcp,
            handshakes: report.sockets?.handshakes
        )
        record.tcpFlags = survey.flags(of: group)
        record.lookups = report.sockets?.lookups
        return record
    }

    private func address(_ endpoint: UInt32) -> IPAddress? {
        endpoint == GroupKey.none ? nil : endpoints.address(endpoint)
    }
}
