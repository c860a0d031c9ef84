import Glibc

/// When a file of records is rotated, and how many rotated files are kept.
///
/// A rotated file is `NAME-yyyy-mm-ddThh-mm-ss.mmm.EXT` beside the file, in UTC, as Calico's agent names them.
public struct FileRotation: Sendable, Hashable {
    /// The maximum size in bytes, which only a single longer line exceeds; nil for no limit.
    public var maximumBytes: Int?
    /// How many rotated files are kept beside the file.
    public var maximumFiles: Int
    /// The age at which a file is rotated regardless of its size; nil for no limit.
    public var maximumAge: Duration?
    /// The minimum time between rotations, so that readers that poll for new files find each of them.
    ///
    /// The file may grow to ``burst`` times its maximum size in that time.
    public var minimumAge: Duration
    /// Whether rotated files are compressed, all but the newest, which readers may still read.
    public var isCompressing: Bool

    /// How much larger than ``maximumBytes`` a file may become within ``minimumAge``.
    static let burst = 4

    /// Takes all members; the defaults are those of Calico's agent.
    public init(
        maximumBytes: Int? = 100 << 20,
        maximumFiles: Int = 5,
        maximumAge: Duration? = nil,
        minimumAge: Duration = .seconds(5),
        isCompressing: Bool = false
    ) {
        self.maximumBytes = maximumBytes
        self.maximumFiles = maximumFiles
        self.maximumAge = maximumAge
        self.minimumAge = minimumAge
        self.isCompressing = isCompressing
    }
}

/// The options of an output, besides its destination.
public struct OutputOptions: Sendable, Hashable {
    /// When a file is rotated.
    public var rotation = FileRotation()
    /// The permissions of new files.
    public var fileMode: UInt32 = 0o640
    /// The folder of the spools, whose records survive the end of the process; nil for queues in memory only.
    public var spoolFolder: String?
    /// The maximum size of each output's spool, in bytes.
    public var spoolBytes = 1 << 30
    /// Whether a full spool drops its oldest records; otherwise it refuses new ones.
    public var spoolDropsOldest = false
    /// The content of syslog messages.
    public var syslogContent = SyslogContent.json
    /// How records go to a server over HTTP.
    public var http = HTTPOptions()

    /// The defaults.
    public init() {}
}
