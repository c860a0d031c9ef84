import CWeir
import FlowModel

/// Reports of sockets, and the flows that they belong to.
extension Datapath {
    /// Begins to read sockets if that is configured; if it is not possible, sends a notice with the reason.
    func readSockets() {
        guard !collects.isDisjoint(with: [.tcp, .process]), sockets == nil else { return }
        do throws(DatapathError) {
            let reader = try SocketReader(beside: programs, positions: positions)
            sockets = reader
            if collects.contains(.process) {
                let (paths, arguments) = (collects.contains(.processPath), collects.contains(.processArguments))
                let known = ProcessPrograms(paths: paths, arguments: arguments)
                processPrograms = known
                if let reason = known.unavailable { onNotice(.processesUnavailable(reason: "\(reason)")) }
                if let reason = reader.ownersUnavailable { onNotice(.ownersUnavailable(reason: "\(reason)")) }
                if paths || arguments, let reason = DatapathSurvey.hiddenProcesses {
                    onNotice(.olderProcessesUnavailable(reason: reason))
                }
            }
        } catch {
            onNotice(.socketsUnavailable(reason: "\(error)"))
        }
    }

    /// Finds the sockets that are older than the programs; if that is not possible, sends a notice with the reason.
    func readOlderSockets() {
        guard let sockets else { return }
        sockets.findOlder()
        if let reason = sockets.olderUnavailable.map({ "\($0)" }) ?? DatapathSurvey.hiddenProcesses {
            onNotice(.olderSocketsUnavailable(reason: reason))
        }
    }

    /// Begins to read owners of UDP sockets if that is configured; if it is not possible, sends a notice with the reason.
    func readDatagrams() {
        guard collects.contains(.process), datagrams == nil, let sockets else { return }
        if let reason = datagramsUnavailable {
            datagramsUnavailable = nil
            return onNotice(.datagramsUnavailable(reason: reason))
        }
        do throws(DatapathError) {
            let reader = try DatagramReader(beside: programs, sockets)
            reader.divide(among: positions)
            datagrams = reader
            if let reason = reader.newUnavailable { onNotice(.datagramsUnavailable(reason: "\(reason)")) }
        } catch {
            onNotice(.datagramsUnavailable(reason: "\(error)"))
        }
    }

    /// A descriptor that becomes readable when ``drainDatagrams()`` has work.
    ///
    /// It is -1 if nothing is read, or if the limit is reached until the next scan.
    public var datagramDescriptor: Int32 {
        guard let datagrams, socketReports.count < Self.reportLimit else { return -1 }
        return datagrams.descriptor
    }

    /// Takes the owners of UDP sockets, before they fill the ring.
    public func drainDatagrams() {
        guard let datagrams, socketReports.count < Self.reportLimit else { return }
        datagrams.drain(positions: positions) { socketReports.append($0) }
    }

    /// Whether sockets are read.
    public var readsSockets: Bool { sockets != nil }

    /// Slots that are fetched into the cache before the first of them is looked at.
    private static let searchesAtOnce = 16

    /// The most reports of a batch: half a megabyte, which stays in the cache until the next stage reads it.
    private static let batchReports = 2048

    /// The most reports whose memory is kept between scans: 1 MiB.
    private static let keptReports = 10_000

    /// The maximum number of reports that wait for a scan; later reports stay in the ring until the next scan.
    private static let reportLimit = 1 << 17

    /// A descriptor that becomes readable when ``drainSockets()`` has work.
    ///
    /// It is -1 if nothing is read, or if the limit is reached until the next scan.
    public var socketDescriptor: Int32 {
        guard let sockets, socketReports.count < Self.reportLimit else { return -1 }
        return sockets.descriptor
    }

    /// Takes the last reports of ended connections, before they fill the ring.
    public func drainSockets() {
        guard let sockets, socketReports.count < Self.reportLimit else { return }
        sockets.drain { socketReports.append($0) }
    }

    /// Samples the gauges of TCP sockets; the samples are in their next reports.
    public func sampleSockets() { sockets?.sample() }

    /// Reads the last reports of ended connections and owners of UDP sockets; with `ofAll`, the reports of all sockets.
    func takeSocketReports(ofAll: Bool) {
        if ofAll { sockets?.read { socketReports.append($0) } } else { drainSockets() }
        drainDatagrams()
    }

    /// Emits the reports of flows that have begun; keeps the others.
    ///
    /// - Parameters:
    ///   - earlier: the number of reports that were taken before a scan of the table; if the scan has not found their flows, they
    ///     are discarded. The scan may have passed the slots of later reports' flows: these wait for the next scan.
    ///   - emit: takes a batch.
    func emitSocketReports(discarding earlier: Int = 0, _ emit: (FlowBatch) -> Void) {
        guard !socketReports.isEmpty else { return }
        // Further reports may come while a batch waits for the pipeline.
        var reports: [weir_socket_report] = []
        swap(&reports, &socketReports)
        defer { keep(&reports) }
        var batch = FlowBatch()
        batch.sockets.reserveCapacity(min(reports.count, Self.batchReports))
        // Interfaces that are being detached keep their positions until their last counts are read.
        let places = positionsByIndex
        var later = 0
        var searches: [FlowTableReader.Search?] = []
        for first in stride(from: 0, to: reports.count, by: Self.searchesAtOnce) {
            let indices = first..<min(first + Self.searchesAtOnce, reports.count)
            if batch.sockets.count + indices.count > Self.batchReports {
                emit(batch)
                batch.sockets = []
                batch.sockets.reserveCapacity(Self.batchReports)
            }
            searches.removeAll(keepingCapacity: true)
            for index in indices { searches.append(search(for: reports[index], places)) }
            for (index, search) in zip(indices, searches) {
                let report = reports[index]
                if let flowID = flowID(of: report, search, places) {
                    batch.sockets.append(FlowSocket(report, of: flowID, by: self))
                } else if index >= earlier {
                    reports[later] = report
                    later += 1
                }
            }
        }
        reports.removeLast(reports.count - later)
        if !batch.isEmpty { emit(batch) }
    }

    /// Keeps reports for the next time, before those that came meanwhile, or else their memory.
    private func keep(_ reports: inout [weir_socket_report]) {
        if reports.isEmpty, !socketReports.isEmpty || reports.capacity > Self.keptReports { return }
        reports += socketReports
        swap(&reports, &socketReports)
    }

    /// The positions of interfaces, by the kernel's index.
    var positionsByIndex: [UInt32: Int] {
        Dictionary(positions.map { (indices[$0], $0) }) { first, _ in first }
    }

    /// Returns the flow of a reported socket, if it has a slot and has begun.
    ///
    /// A socket of this host is the far end of flows on its interfaces. Its connections to a workload behind an interface
    /// are not reported, because the workload is the reporting endpoint there.
    private func flowID(
        of report: weir_socket_report,
        _ search: FlowTableReader.Search?,
        _ places: [UInt32: Int]
    ) -> UInt32? {
        if let flowID = search.flatMap({ table.flowID(of: $0) }) { return flowID }
        guard report.isHost, let place = place(of: report, places), roles[place] == .host else { return nil }
        // Packets that this host sends through a bond or VLAN are counted at its lower interfaces.
        return uppers.lowers(of: place).lazy.compactMap { self.search(for: report, at: $0) }
            .compactMap { self.table.flowID(of: $0) }.first
    }

    private func search(for report: weir_socket_report, _ places: [UInt32: Int]) -> FlowTableReader.Search? {
        place(of: report, places).flatMap { search(for: report, at: $0) }
    }

    /// The position of the interface that a socket's packets cross; that of its bridge, if only the bridge is watched.
    private func place(of report: weir_socket_report, _ places: [UInt32: Int]) -> Int? {
        places[report.of.ifindex] ?? network.links[report.of.ifindex]?.master.flatMap { places[$0] }
    }

    private func search(for report: weir_socket_report, at position: Int) -> FlowTableReader.Search? {
        guard (roles[position] == .host) == report.isHost else { return nil }
        return table.search(for: weir_flow_slot(report.of, isNear: !report.isHost, position: position))
    }
}

extension FlowTableReader {
    /// A search for the flow with the key of a slot.
    struct Search {
        fileprivate var wanted: weir_flow_slot
        /// The slot where it begins.
        fileprivate var home: UInt32
    }

    /// Begins a search: fetches the slot where it begins into the cache.
    func search(for wanted: weir_flow_slot) -> Search {
        var wanted = wanted
        let home = unsafe withUnsafePointer(to: configuration) { unsafe weir_slot_home(&wanted, $0) }
        let index = Int(home & configuration.slot_mask)
        table.need(index)
        unsafe weir_slot_prefetch(table.slots.base + index, table.taken.base + index)
        return Search(wanted: wanted, home: home)
    }

    /// The identifier of the flow with a key, if it has begun and not ended.
    func flowID(of search: Search) -> UInt32? {
        slotIndex(of: search) { hasBegun($0) }.map { UInt32($0) }
    }

    /// Returns the index of the live slot with a given key for which `isRight` returns true.
    ///
    /// The index is the identifier of the flow, even if no scan has found the flow yet.
    func slotIndex(of wanted: weir_flow_slot, where isRight: (Int) -> Bool = { _ in true }) -> Int? {
        slotIndex(of: search(for: wanted), where: isRight)
    }

    private func slotIndex(of search: Search, where isRight: (Int) -> Bool) -> Int? {
        var wanted = search.wanted
        for step in 0..<UInt32(WEIR_WINDOW) {
            let index = Int((search.home &+ step) & configuration.slot_mask)
            table.need(index)
            let slot = unsafe table.slots.base + index
            guard unsafe weir_slot_head(slot) != 0 else { return nil }
            if unsafe weir_slot_same_key(&wanted, slot), isRight(index) { return index }
        }
        return nil
    }
}

extension weir_flow_slot {
    /// Creates the key of the flow of a socket.
    fileprivate init(_ socket: weir_socket, isNear: Bool, position: Int) {
        let local: End = (socket.local, socket.local_port)
        let remote: End = (socket.remote, socket.remote_port)
        let (near, far) = isNear ? (local, remote) : (remote, local)
        let isIPv4 = Self.isMapped(near.address) && Self.isMapped(far.address)
        self.init(
            near: near,
            far: far,
            ipv4: isIPv4 ? (near.address.3, far.address.3) : nil,
            proto: socket.flags & UInt32(WEIR_SOCKET_IS_DATAGRAM) != 0 ? .udp : .tcp,
            position: position
        )
    }

    /// Whether an address is ::ffff:a.b.c.d, which no socket sends in this form.
    private static func isMapped(_ address: (UInt32, UInt32, UInt32, UInt32)) -> Bool {
        address.0 == 0 && address.1 == 0 && address.2 == UInt32(0xffff).bigEndian
    }
}

extension weir_socket_report {
    /// Whether it is of a socket of this host.
    fileprivate var isHost: Bool { of.flags & UInt32(WEIR_SOCKET_IS_HOST) != 0 }

    /// Whether it is a report of a UDP socket.
    fileprivate var isDatagram: Bool { of.flags & UInt32(WEIR_SOCKET_IS_DATAGRAM) != 0 }
}

extension FlowSocket {
    /// The report of a socket of a flow.
    fileprivate init(_ report: weir_socket_report, of flowID: UInt32, by datapath: Datapath) {
        let hasStatistics = datapath.collects.contains(.tcp) && !report.isDatagram
        self.init(
            flowID: flowID,
            isNear: !report.isHost,
            statistics: hasStatistics ? TCPStatistics(report) : nil,
            process: datapath.processPrograms?.process(report.of.owner)
        )
    }
}

extension TCPStatistics {
    /// The statistics of one report.
    fileprivate init(_ report: weir_socket_report) {
        self.init()
        retransmissions = UInt64(report.retransmissions)
        lost = UInt64(report.lost)
        timeouts = UInt64(report.timeouts)
        let (values, samples) = (report.gauges.values, report.gauges.samples)
        window = Gauge(values.0, samples.0)
        rtt = Gauge(values.1, samples.1)
        minRTT = Gauge(values.2, samples.2)
        mss = Gauge(values.3, samples.3)
    }
}

extension TCPStatistics.Gauge {
    /// The samples of a report.
    fileprivate init(_ gauge: weir_gauge, _ samples: UInt16) {
        self.init(count: UInt32(samples), sum: UInt64(gauge.sum), smallest: gauge.smallest, largest: gauge.largest)
    }
}
