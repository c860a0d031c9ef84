extension FlowMarks {
    /// All that says who began: openings, and answers to them.
    public static let handshake: FlowMarks = [.openedIngress, .openedEgress, .acceptedIngress, .acceptedEgress]

    /// Whether the near end began, as far as openings and answers to them say; nil if they do not.
    ///
    /// An opening outweighs an answer. Where both ends sent an opening, the one that was seen first counts; answers from
    /// both ends say nothing.
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
