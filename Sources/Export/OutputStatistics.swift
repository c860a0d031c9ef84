/// What became of the records that were submitted to an output.
///
/// At any time: submitted = ``delivered`` + ``dropped`` + ``queued``.
public struct OutputStatistics: Sendable, Equatable {
    /// Records that the kernel took over whole: written to the file, or accepted by the socket.
    public var delivered = 0
    /// Records that were refused, given up, or too long for the output.
    public var dropped = 0
    /// Records that wait, those being written included.
    public var queued = 0
    /// How often a connection was made again after it was lost.
    public var reconnects = 0

    /// Nothing submitted yet.
    public init() {}
}
