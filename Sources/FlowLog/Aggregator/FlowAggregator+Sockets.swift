import FlowModel

/// Socket statistics of flows.
extension FlowAggregator {
    /// Takes in socket statistics; those of the other end's socket are not the reporting endpoint's.
    mutating func add(_ sockets: borrowing [FlowSocket]) {
        for index in sockets.indices { add(sockets[index]) }
    }

    /// Takes in the statistics of one socket.
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
