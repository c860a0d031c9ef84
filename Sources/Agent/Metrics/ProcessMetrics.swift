import Glibc
import Server

/// Writes the resources of the process, under the names that every exporter uses.
struct ProcessMetrics: MetricsSource {
    let version: String
    /// Unix time of the start of the run, in seconds.
    private let startTime = Double(Clock.wall) / 1e9

    init(version: String) {
        self.version = version
    }

    func write(to writer: inout MetricsWriter) {
        writer.family("weir_build", .info, "What is running.")
        writer.sample(MetricLabels(["version": version, "kernel": Self.kernel]), UInt64(1))
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            writer.family("process_cpu_seconds", .counter, "CPU time of the process, user and system.")
            writer.sample(.none, Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime))
        }
        writer.family("process_start_time_seconds", .gauge, "When the run began, in seconds since 1970.")
        writer.sample(.none, startTime)
        if let resident = ProcessMemory.resident {
            writer.family("process_resident_memory_bytes", .gauge, "Resident memory.")
            writer.sample(.none, UInt64(resident))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            writer.family("process_max_fds", .gauge, "The most descriptors that may be open.")
            writer.sample(.none, UInt64(limit.rlim_cur))
        }
        if let count = Self.openDescriptors {
            writer.family("process_open_fds", .gauge, "Descriptors that are open.")
            writer.sample(.none, UInt64(count))
        }
    }

    private static let kernel: String = {
        var name = utsname()
        guard uname(&name) == 0 else { return "unknown" }
        return withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }

    /// The number of open descriptors.
    ///
    /// The size of the folder is their number since Linux 6.2; before, it is 0, and the folder has to be read.
    private static var openDescriptors: Int? {
        var status = stat()
        if stat("/proc/self/fd", &status) == 0, status.st_size > 0 { return Int(status.st_size) }
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // This excludes the folder's own entries and its descriptor.
        return max(0, count - 3)
    }
}
