import FlowModel

/// A flow that is held back, with its traffic, because an end has no name yet and may get one.
struct HeldFlow {
    /// The datapath's identifier of the flow.
    let flowID: UInt32
    /// The ends, ports and protocol.
    let conversation: Conversation
    /// Traffic that entered the node through the interface so far.
    private(set) var ingress = TrafficCounters.zero
    /// Traffic that left the node through the interface so far.
    private(set) var egress = TrafficCounters.zero
    /// Its denied packets so far.
    private(set) var drops: [FlowDrop] = []

    /// Statistics of either end's sockets so far.
    private(set) var sockets: [FlowSocket] = []

    /// Holds back a flow that has carried nothing yet.
    init(flowID: UInt32, conversation: Conversation) {
        self.flowID = flowID
        self.conversation = conversation
    }

    /// Adds traffic.
    mutating func add(ingress: TrafficCounters, egress: TrafficCounters) {
        self.ingress += ingress
        self.egress += egress
    }

    /// Adds the report of a socket, of a handshake, or of lookups.
    ///
    /// Those of one end and one process are added up. Where an end has had more processes than are kept, they count for the
    /// last one.
    mutating func add(_ socket: FlowSocket) {
        let ofEnd = sockets.indices.filter { sockets[$0].isNear == socket.isNear }
        if let same = ofEnd.first(where: { sockets[$0].process == socket.process }) {
            sockets[same].add(socket)
        } else if ofEnd.count == FlowProcesses.limit, let last = ofEnd.last {
            sockets[last].add(socket)
        } else {
            sockets.append(socket)
        }
    }

    /// Adds denied packets.
    mutating func add(_ drop: FlowDrop) {
        if let same = drops.firstIndex(where: { $0.isIngressCounted == drop.isIngressCounted }) {
            drops[same].add(drop)
        } else {
            drops.append(drop)
        }
    }
}
