import ClusterModel
import Export
import Glibc
import Logging
import Posix
import Server

// MARK: - Audit logs

extension Doctor {
    /// Examines the audit logs that a run reads, its state file, and the outputs of audit events.
    func auditing() async -> [Examination] {
        guard let audit else { return [] }
        let outputs = audit.outputs.flatMap {
            Self.examine($0, name: "audit output", spool: "audit spool", waiting: Self.waiting)
        }
        return audit.logs.map { Self.examine(log: $0) } + [state(audit)] + outputs + (await webhook(audit))
    }

    /// The consequence for events that an output does not accept.
    private static let waiting =
        "the logs are read no further: events wait in the API server's files, until it removes them"

    private static func examine(log path: String) -> Examination {
        let reason: String
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
            let status = try file.status()
            if status.type == S_IFREG {
                return Examination("audit log", .ok, "\(path), \((status.size + (1 << 20) - 1) >> 20) MiB")
            }
            reason = "it is no regular file"
        } catch {
            reason = error.code == ENOENT ? "there is none yet" : "\(error)"
        }
        return Examination(
            "audit log",
            .degraded,
            "\(path): \(reason)",
            cost: "no changes and no audit events are read from it until then",
            fix: "start the API server with --audit-log-path, and mount the folder (docs/audit.md); or give --audit-log"
        )
    }

    /// Examines the folder of the positions and of the webhook's journal, without creating it.
    private func state(_ audit: AuditShipping) -> Examination {
        let path = audit.statePath
        let status = audit.isRequired ? Examination.Status.missing : .degraded
        let cost = audit.isRequired ? "Weir does not start" : "the audit logs are not read"
        do throws(FileError) {
            let folder = try Self.existing(TrustedFile.folder(of: path))
            if folder == TrustedFile.folder(of: path) { try TrustedFile.check(path) }
        } catch {
            return Examination(
                "audit state",
                status,
                "\(path): \(error.path): \(error.reason)",
                cost: cost,
                fix: "\(error.advice); or give another path (--audit-state)"
            )
        }
        if let lock = try? FileDescriptor.open(path + ".lock", O_RDWR | O_NOFOLLOW), (try? lock.lock()) == false {
            if running != nil { return Examination("audit state", .ok, "\(path), which a run of Weir has") }
            return Examination(
                "audit state",
                status,
                "\(path): another process has it",
                cost: cost,
                fix: "end that process, or give another path (--audit-state)"
            )
        }
        return Examination("audit state", .ok, path)
    }

    // MARK: Webhook

    private func webhook(_ audit: AuditShipping) async -> [Examination] {
        guard let configuration = audit.webhook, let address = configuration.address else { return [] }
        var seen = "\(address)"
        do throws(ServerError) {
            let logger = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
            try await HTTPServer(configuration, routes: [], logger: logger).stop()
        } catch {
            guard running != nil, case .listen = error else {
                let fix =
                    switch error {
                    case .file:
                        "correct that file (--audit-certificate, --audit-key, --audit-client-ca, --audit-token-file)"
                    case .address, .listen:
                        "choose another address (--audit-listen), or end the program that listens there"
                    }
                return [Examination("audit webhook", .missing, "\(error)", cost: "Weir does not start", fix: fix)]
            }
            seen += ", where a run of Weir answers"
        }
        guard let path = configuration.certificatePath else {
            return [Examination("audit webhook", .ok, "\(seen), without TLS")]
        }
        guard let validity = try? configuration.certificateValidity() else { return [] }
        return [Self.examine(certificate: path, validity, at: Clock.wall / 1_000_000_000, seen)]
    }

    /// Examines the validity of a certificate.
    ///
    /// - Parameters:
    ///   - path: the file of the certificate.
    ///   - validity: the first and the last second, Unix time.
    ///   - now: the time.
    ///   - address: the address at which it is presented.
    /// - Returns: the examination of the webhook.
    static func examine(
        certificate path: String,
        _ validity: (first: Int64, last: Int64),
        at now: Int64,
        _ address: String
    ) -> Examination {
        let until = Self.date(validity.last)
        let fault: String
        if now > validity.last {
            fault = "the certificate \(path) expired on \(until)"
        } else if now < validity.first {
            fault = "the certificate \(path) is not valid before \(Self.date(validity.first))"
        } else if validity.last - now < Self.renewal {
            fault = "the certificate \(path) expires on \(until)"
        } else {
            return Examination("audit webhook", .ok, "\(address), certificate valid until \(until)")
        }
        let isValid = now >= validity.first && now <= validity.last
        return Examination(
            "audit webhook",
            .degraded,
            "\(address): \(fault)",
            cost: "\(isValid ? "from then on " : "")API servers do not connect, and drop events after some attempts",
            fix: "renew it, and start Weir again"
        )
    }

    /// The time before the end of its validity at which a certificate should be renewed, seconds.
    private static let renewal: Int64 = 14 * 86_400

    private static func date(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&time, &parts) != nil else { return "an unknown date" }
        let numbers = [Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)]
        return numbers.map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: "-") + " UTC"
    }
}

// MARK: - Outputs of either kind

extension Doctor {
    /// Examines an output and its spool.
    ///
    /// - Parameters:
    ///   - configured: the output.
    ///   - name: the name of the output's examination.
    ///   - spoolName: the name of the spool's examination.
    ///   - waiting: the consequence for records that the output does not accept.
    /// - Returns: the examinations of the output and of its spool.
    static func examine(
        _ configured: OutputConfiguration,
        name: String,
        spool spoolName: String,
        waiting: String
    ) -> [Examination] {
        let output = configured.specification
        let spool = examineSpool(configured, spoolName)
        guard let failure = OutputProbe.failure(output, within: .seconds(2)) else {
            return [shortage(configured, name, waiting) ?? Examination(name, .ok, "\(output)")] + spool
        }
        let isFatal = if case .file = output { true } else { output == .standardOutput }
        let fix = OutputProbe.fileAsFolder(of: output).map { "give a path not below \($0), or remove this file" }
        let found = Examination(
            name,
            isFatal ? .missing : .degraded,
            "\(output): \(failure)",
            cost: isFatal ? "Weir does not start" : waiting,
            fix: fix ?? (isFatal ? "make the folder and let root write to it" : "start the reader")
        )
        return [found] + spool
    }

    /// Examines the disk space for an output's file; nil if the space is sufficient until the file is rotated.
    private static func shortage(_ output: OutputConfiguration, _ name: String, _ waiting: String) -> Examination? {
        guard let free = OutputProbe.freeBytes(for: output.specification) else { return nil }
        let isFull = free < 1 << 20
        guard isFull || free < output.options.rotation.maximumBytes ?? 0 else { return nil }
        return Examination(
            name,
            .degraded,
            "\(output.specification): \(isFull ? "the disk is full" : "the disk is full soon"): \(free >> 10) KiB are free",
            cost: waiting,
            fix: "free the disk, keep fewer files (--file-max-files), or rotate earlier (--file-max-size)"
        )
    }

    /// Examines the folder of an output's spool, without creating it.
    private static func examineSpool(_ configured: OutputConfiguration, _ name: String) -> [Examination] {
        switch configured.specification {
        case .file, .standardOutput: return []
        default: break
        }
        guard let folder = configured.options.spoolFolder else { return [] }
        let existing: String
        do throws(FileError) {
            existing = try Self.existing(folder)
        } catch {
            let seen = "\(configured.specification): \(error.path): \(error.reason)"
            return [Examination(name, .missing, seen, cost: "Weir does not start", fix: error.advice)]
        }
        let limit = configured.options.spoolBytes
        let seen = "\(folder), up to \(limit >> 20) MiB"
        let missing = limit - Spool.bytes(in: Spool.folder(of: configured.specification, in: folder))
        guard let free = OutputProbe.freeBytes(for: .file(path: existing + "/spool")), free < missing else {
            return [Examination(name, .ok, seen)]
        }
        return [
            Examination(
                name,
                .degraded,
                "\(seen), \(missing >> 20) MiB more than now, and \(free >> 20) MiB are free",
                cost: "if the reader is away until the disk is full, what follows waits in memory only",
                fix: "free the disk, or give the spool less (--spool-max-size)"
            )
        ]
    }

    /// Returns the folder, or its nearest existing parent if it does not exist.
    private static func existing(_ folder: String) throws(FileError) -> String {
        var folder = folder
        while access(folder, F_OK) != 0, errno == ENOENT, folder != "/", folder != "." {
            folder = TrustedFile.folder(of: folder)
        }
        try TrustedFile.makeFolders(folder, mode: nil)
        guard access(folder, W_OK | X_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            throw FileError(path: folder, reason: reason, advice: "let root write there")
        }
        return folder
    }
}
