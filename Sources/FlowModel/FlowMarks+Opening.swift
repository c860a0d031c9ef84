extension FlowMarks {
    /// All marks that show which end began: openings, and answers to them.
    public static let handshake: FlowMarks = [.openedIngress, .openedEgress, .acceptedIngress, .acceptedEgress]

    /// Whether the near end began, according to openings and answers to them; nil if these do not decide.
    ///
    /// An opening outweighs an answer. If both ends sent an opening, the first one counts; answers from both ends do not
    /// decide.
    public var nearOpened: Bool? {
        switch (contains(.openedIngress), contains(.openedEgress)) {
        case (true, false): return true
        case (false, true): return false
        case (true, true): return !contains(.firstEgress)
        case (false, false): break
        }
        let nearAccepted = contains(.acceptedIngress)
        return nearAccepted != contains(.acceptedEgress) ? !nearAccepted : nil
    }

    /// The mark of an opening by one of the ends.
    public static func opened(byNear: Bool) -> FlowMarks {
        byNear ? .openedIngress : .openedEgress
    }
}
