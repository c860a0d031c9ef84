import FlowModel

extension FlowBatch {
    /// The most new flows of one piece.
    static let pieceSize = 2_048

    /// Divides the batch into pieces with the same effect in sequence, so that the time can be checked between them.
    ///
    /// A flow's birth, delta and drops are in the same piece, and all ends are in the last piece.
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
        // A flow without a birth in this batch began earlier.
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
