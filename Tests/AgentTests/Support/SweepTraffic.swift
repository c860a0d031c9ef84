import Glibc
import Lab
import Synchronization

/// Datagrams of many flows from the peer to the node, without end.
final class SweepTraffic: Sendable {
    private final class Flag: Sendable {
        let isSet = Atomic<Bool>(false)
    }

    private let ended = Flag()
    private let work: BackgroundWork<Void>

    /// Begins to send.
    init(_ cable: Cable, flows: Int) throws {
        let (peer, node) = (try LabAddress("10.1.0.2"), try LabAddress("10.1.0.1"))
        let sweep = try FlowSweep(flows: flows, from: peer, to: node)
        let (ended, namespace) = (ended, cable.peer)
        work = try BackgroundWork {
            let sender = try FrameSender("eth0", in: namespace)
            while !ended.isSet.load(ordering: .relaxed) {
                try sender.send(sweep, count: flows)
                usleep(50_000)
            }
        }
    }

    /// Ends it; everything that was sent is on the wire then.
    func end() throws {
        ended.isSet.store(true, ordering: .relaxed)
        try work.value()
    }
}
