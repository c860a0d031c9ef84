import FlowModel

extension FlowBatch {
    /// The most new flows of one piece.
    static let pieceSize = 2_048

    /// Divides the batch into pieces that have the same effect one after the other, so that the time can be checked between
    /// them.
    ///
    /// A flow begins in the piece with its delta and its drops, and all ends are in the last one.
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
        // A flow that goes on began before.
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
