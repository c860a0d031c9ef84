import Logging

/// Writes the log lines about the files of an inventory.
struct FileLog: Sendable {
    /// The most findings of a file that are logged at a time; further ones are counted.
    private static let limit = 10

    let logger: Logger

    /// Logs that there are no files.
    func isEmpty(_ paths: [String]) {
        logger.warning("inventory: no files", metadata: ["paths": "\(paths.joined(separator: ", "))"])
    }

    /// Logs that a file was read after a change.
    func isRead(_ path: String, objects: Int, isNew: Bool, wasBroken: Bool) {
        let what = isNew ? "new" : wasBroken ? "good again" : "changed"
        logger.info("inventory: file is \(what)", metadata: ["file": "\(path)", "objects": "\(objects)"])
    }

    /// Logs that a file is unusable.
    func isBroken(_ path: String, _ fault: FileFault, keepsState: Bool) {
        let finding = FileFinding(path: path, fault)
        logger.error(
            "inventory: file cannot be used\(keepsState ? "; its earlier objects stay" : "")",
            metadata: ["file": "\(finding.place)", "reason": "\(finding.reason)"]
        )
    }

    /// Logs that a file was deleted.
    func isGone(_ path: String, objects: Int) {
        logger.warning(
            "inventory: file was removed; its objects are removed",
            metadata: ["file": "\(path)", "objects": "\(objects)"]
        )
    }

    /// Logs that paths are unreadable.
    func unknown(_ paths: [String: String], before: [String: String]) {
        for (path, reason) in paths.sorted(by: { $0.key < $1.key }) where before[path] != reason {
            logger.error(
                "inventory: path cannot be read; its previous objects stay in force",
                metadata: ["path": "\(path)", "reason": "\(reason)"]
            )
        }
    }

    /// Logs the findings of a file, except those that were logged before.
    func findings(_ findings: [FileFinding], of file: inout LoadedFile, count: Int) {
        let withoutLines = findings.prefix(Self.limit).map { finding in
            var finding = finding
            finding.line = nil
            return finding
        }
        for (finding, key) in zip(findings, withoutLines) where !file.reportedFindings.contains(key) {
            let metadata: Logger.Metadata = ["file": "\(finding.place)", "reason": "\(finding.message)"]
            switch finding.severity {
            case .error: logger.warning("inventory: object cannot be used", metadata: metadata)
            case .warning: logger.warning("inventory: object is used, but", metadata: metadata)
            }
        }
        let isNew = Set(withoutLines) != file.reportedFindings
        file.reportedFindings = Set(withoutLines)
        guard count > Self.limit, isNew else { return }
        logger.warning(
            "inventory: further mistakes are not logged; see: weir inventory check",
            metadata: ["file": "\(file.path)", "findings": "\(count - Self.limit)"]
        )
    }
}
