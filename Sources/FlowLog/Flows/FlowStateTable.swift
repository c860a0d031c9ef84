/// The states of the datapath's flows, by flow identifier.
///
/// The datapath keeps its identifiers dense, so they are positions here.
struct FlowStateTable {
    private var entries: [PackedFlowState] = []

    /// Every identifier in use is below this.
    var limit: UInt32 { UInt32(truncatingIfNeeded: entries.count) }

    /// The state of a flow; any identifier may be read, and setting a state extends the table.
    subscript(flowID: UInt32) -> FlowState {
        get { packed(flowID).state }
        set {
            let position = Int(flowID)
            while entries.count <= position { entries.append(.unused) }
            entries[position] = PackedFlowState(newValue)
        }
    }

    /// The reported flow; nil in any other state.
    @inline(__always)
    func reported(_ flowID: UInt32) -> ReportedFlow? { packed(flowID).reported }

    @inline(__always)
    private func packed(_ flowID: UInt32) -> PackedFlowState {
        let position = Int(flowID)
        return position < entries.count ? entries[position] : .unused
    }

    /// Updates the places in the states after values were moved.
    ///
    /// - Parameter move: returns the state with the new place; called for each identifier in use.
    mutating func move(_ move: (FlowState) -> FlowState) {
        while let last = entries.last, last.state == .unused { entries.removeLast() }
        for position in entries.indices {
            let state = entries[position].state
            if state != .unused { entries[position] = PackedFlowState(move(state)) }
        }
    }

    /// The places of flows with denied packets; O(``limit``).
    var deniedPlaces: [UInt32] {
        entries.compactMap { if case .denied(let place) = $0.state { place } else { nil } }
    }
}
