import FlowModel

extension FlowBatch {
    /// New flows that one piece has at most.
    static let pieceSize = 2_048

    /// The batch in pieces that amount to the same one after the other, so that the time can be checked between them: a
    /// number is born in the piece that has its delta and its drops, and all ends are in the last one.
    ///
    /// - Parameter size: the most births in a piece.
    /// - Returns: the pieces; the batch itself if it has no more births than that.
    func pieces(of size: Int = FlowBatch.pieceSize) -> [FlowBatch] {
        guard births.count > size else { return [self] }
        var pieces = [FlowBatch](repeating: FlowBatch(), count: (births.count + size - 1) / size)
        var places: [UInt32: Int] = [:]
        places.reserveCapacity(births.count)
        for (index, birth) in births.enumerated() {
            places[birth.flowID] = index / size
            pieces[index / size].births.append(birth)
        }
        // What goes on was born before.
        for delta in deltas { pieces[places[delta.flowID] ?? 0].deltas.append(delta) }
        for drop in drops { pieces[places[drop.flowID] ?? 0].drops.append(drop) }
        for more in flags { pieces[places[more.flowID] ?? 0].flags.append(more) }
        for socket in sockets { pieces[places[socket.flowID] ?? 0].sockets.append(socket) }
        pieces[pieces.count - 1].verdicts = verdicts
        pieces[pieces.count - 1].remainders = remainders
        pieces[pieces.count - 1].ends = ends
        return pieces
    }
}
