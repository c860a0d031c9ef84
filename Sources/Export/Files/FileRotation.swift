package import Compression
import Glibc

/// The conditions for rotating a record file, and the number of kept rotated files.
///
/// A rotated file is `NAME-yyyy-mm-ddThh-mm-ss.mmm.EXT` in the same folder, in UTC, as with Calico's agent.
package struct FileRotation: Sendable, Hashable {
    /// The maximum size in bytes, which only a single longer line exceeds; nil for no limit.
    package var maximumBytes: Int?
    /// The number of rotated files to keep.
    package var maximumFiles: Int
    /// The age at which a file is rotated regardless of its size; nil for no limit.
    package var maximumAge: Duration?
    /// The minimum time between rotations, so that readers that poll for new files find each of them.
    ///
    /// The file may grow to ``burst`` times its maximum size in that time.
    package var minimumAge: Duration
    /// The compression of rotated files, except the newest, which readers may still read; nil for none.
    package var compression: FileCompression?

    /// The minimum time between a file's rotation and its compression: longer than a flush takes to be committed.
    var compressionDelay = Duration.seconds(60)

    /// The factor of ``maximumBytes`` by which a file may grow within ``minimumAge``.
    static let burst = 4

    /// Takes all members; the defaults are those of Calico's agent.
    package init(
        maximumBytes: Int? = 100 << 20,
        maximumFiles: Int = 5,
        maximumAge: Duration? = nil,
        minimumAge: Duration = .seconds(5),
        compression: FileCompression? = nil
    ) {
        self.maximumBytes = maximumBytes
        self.maximumFiles = maximumFiles
        self.maximumAge = maximumAge
        self.minimumAge = minimumAge
        self.compression = compression
    }
}

/// The options of an output, besides its destination.
package struct OutputOptions: Sendable, Hashable {
    /// The rotation of a file.
    package var rotation = FileRotation()
    /// The permissions of new files.
    package var fileMode: UInt32 = 0o640
    /// The folder of the spools, whose records survive the process; nil for queues in memory only.
    package var spoolFolder: String?
    /// The maximum size of each output's spool, in bytes.
    package var spoolBytes = 1 << 30
    /// Whether a full spool drops its oldest records; otherwise it refuses new ones.
    package var spoolDropsOldest = false
    /// The content of syslog messages.
    package var syslogContent = SyslogContent.json
    /// The time without errors after which datagrams count as arriving again.
    var datagramSettling = SentDatagrams.memory
    /// The options of HTTP outputs.
    package var http = HTTPOptions()
    /// Whether the producer keeps records that are unsent when the output ends, and submits them in the next run.
    package var keepsUnsent = false

    /// The defaults.
    package init() {}
}
