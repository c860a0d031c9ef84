import FlowModel

/// What sockets say of flows.
extension FlowAggregator {
    /// Takes in what sockets said; what the other end's said is not the reporting endpoint's.
    mutating func add(_ sockets: borrowing [FlowSocket]) {
        for index in sockets.indices { add(sockets[index]) }
    }

    /// Takes in what one socket said.
    mutating func add(_ socket: FlowSocket) {
        let numbered = numbers[socket.number]
        if numbered.isReported {
            guard (numbered.localEnd == .near) == socket.isNear else { return }
            ledger.groups.add(socket, to: numbered.group)
        } else if numbered.isHeld {
            held[numbered.place].add(socket)
        } else if numbered.isJudged, let own = judged[numbered.place].own {
            guard (judged[numbered.place].localEnd == .near) == socket.isNear else { return }
            ledger.groups.add(socket, to: own.group)
        }
    }
}
