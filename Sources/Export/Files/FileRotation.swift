import Glibc

/// When a file of records gives way to a new one, and what becomes of the old ones.
///
/// A rotated file is `NAME-yyyy-mm-ddThh-mm-ss.mmm.EXT` beside the file, in UTC, as Calico's agent names them.
public struct FileRotation: Sendable, Hashable {
    /// The size that the file does not exceed, but for a single longer line, bytes; nil: it grows without end.
    public var maximumBytes: Int?
    /// How many rotated files are kept beside the file.
    public var maximumFiles: Int
    /// The age at which the file gives way even if it is small; nil: it may be of any age.
    public var maximumAge: Duration?
    /// How long a file stays in its place at least, so that readers that look for new files now and then find each of
    /// them; in that time the file may grow to ``burst`` times its size.
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

/// How an output works, beyond where its records go.
public struct OutputOptions: Sendable, Hashable {
    /// When a file gives way to a new one.
    public var rotation = FileRotation()
    /// The permissions of files that are made.
    public var fileMode: UInt32 = 0o640
    /// The folder in which records wait for a reader that is away, beyond the end of the process; nil: in memory alone.
    public var spoolFolder: String?
    /// The most bytes that wait there, for each output.
    public var spoolBytes = 1 << 30
    /// Whether the oldest records make room for new ones where that is full, and not the new ones are refused.
    public var spoolDropsOldest = false
    /// What messages of syslog say of a record.
    public var syslogContent = SyslogContent.json
    /// How records go to a server over HTTP.
    public var http = HTTPOptions()

    /// The defaults.
    public init() {}
}
