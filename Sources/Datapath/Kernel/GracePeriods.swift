import Glibc

/// Shortens the grace periods of RCU while many programs are attached or detached.
///
/// The kernel waits for a grace period whenever a program is attached to or detached from TCX (`tcx_entry_sync`): some 10 ms
/// each, one after the other. While `/sys/kernel/rcu_expedited` is 1 a grace period takes some 0.1 ms, and interrupts every
/// CPU.
///
/// The setting applies to the whole machine. A mark, a folder in bpffs, shows that it was 0 and that Weir has set it to 1. Runs
/// that need it at 1 hold a shared lock of the mark, and the last of them resets it. If a run is killed, its lock is released
/// but its mark stays: the next run, or `weir detach`, resets the setting.
final class GracePeriods {
    /// The number of interfaces above which grace periods are expedited.
    static let threshold = 16
    /// The setting of the kernel.
    static let kernelSetting = "/sys/kernel/rcu_expedited"

    /// The outcome of a request, or of a setting that a killed run left behind.
    enum Outcome: Equatable {
        /// Grace periods are expedited until ``end()``.
        case expedited
        /// Grace periods are expedited already: another program or the administrator has set it.
        case isSet
        /// The setting is missing or cannot be written, for a reason.
        case unavailable(reason: String)
        /// The setting was at 1 for a run that was killed, and is 0 again.
        case putBack
        /// The setting is at 1 for Weir, and cannot be set to 0, for a reason.
        case stuck(reason: String)
    }

    private let setting: String
    private let mark: String
    private var lock: FileDescriptor?

    /// Changes nothing yet.
    ///
    /// - Parameters:
    ///   - setting: the kernel's file.
    ///   - bpffs: a mounted bpffs, the same for all runs on the machine.
    init(setting: String = kernelSetting, bpffs: String) {
        self.setting = setting
        mark = "\(bpffs)/weir-rcu-expedited"
    }

    /// The kernel's setting; nil if no bpffs is mounted at a path, where a mark would outlive a container.
    convenience init?(ifMountedAt bpffs: String) {
        guard PinFolder.isMounted(at: bpffs) else { return nil }
        self.init(bpffs: bpffs)
    }

    deinit { end() }

    /// Requests short grace periods.
    func begin() -> Outcome {
        guard lock == nil else { return .expedited }
        for _ in 0..<Self.attempts {
            guard let value = read() else { return .unavailable(reason: Self.text(setting, errno)) }
            if value != 0, !exists(mark) { return .isSet }
            if unsafe value == 0 && mkdir(mark, 0o700) != 0 && errno != EEXIST {
                return .unavailable(reason: Self.text(mark, errno))
            }
            guard let shared = lockMark(LOCK_SH) else { continue }
            lock = consume shared
            guard !write("1") else { return .expedited }
            let reason = Self.text(setting, errno)
            end()
            return .unavailable(reason: reason)
        }
        return .unavailable(reason: Self.text(mark, EAGAIN))
    }

    /// Resets the setting, unless another run still needs it.
    ///
    /// - Returns: nil, or ``Outcome/stuck(reason:)``.
    @discardableResult
    func end() -> Outcome? {
        guard let held = lock.take() else { return nil }
        // The shared lock is lost even if this fails, so that the last run succeeds.
        guard flock(held.number, LOCK_EX | LOCK_NB) == 0 else { return nil }
        return setBack()
    }

    /// Releases everything as for a killed process, for tests.
    func leave() { lock = nil }

    /// Resets the setting that a killed run left behind.
    ///
    /// - Returns: nil if there is none, else ``Outcome/putBack`` or ``Outcome/stuck(reason:)``.
    func recover() -> Outcome? {
        guard lock == nil, let alone = lockMark(LOCK_EX) else { return nil }
        lock = consume alone
        defer { lock = nil }
        let wasSet = read() != 0
        if let stuck = setBack() { return stuck }
        return wasSet ? .putBack : nil
    }

    // MARK: The mark

    private static let attempts = 16

    /// Opens and locks the mark; nil if there is none, if others hold a conflicting lock, or if it was removed meanwhile.
    private func lockMark(_ operation: Int32) -> FileDescriptor? {
        let number = unsafe open(mark, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let folder = FileDescriptor(owning: number)
        guard flock(number, operation | LOCK_NB) == 0 else {
            // Another run resets the setting, which takes microseconds.
            if operation == LOCK_SH { usleep(1_000) }
            return nil
        }
        var (here, there) = (stat(), stat())
        guard unsafe fstat(number, &here) == 0, unsafe stat(mark, &there) == 0, here.st_ino == there.st_ino else {
            return nil
        }
        return .some(consume folder)
    }

    private func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Sets the setting to 0 and removes the mark, on which this object has an exclusive lock.
    private func setBack() -> Outcome? {
        // The mark is removed last: it stays if the process is killed here.
        if read() != 0, !write("0") { return .stuck(reason: Self.text(setting, errno)) }
        _ = unsafe rmdir(mark)
        return nil
    }

    // MARK: The setting

    /// The value of the setting; nil, with errno, if it cannot be read.
    private func read() -> Int? {
        let number = unsafe open(setting, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = FileDescriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = unsafe Glibc.read(file.number, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let digits = bytes.prefix(count).prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        return Int(String(decoding: digits, as: UTF8.self)) ?? 1
    }

    /// Writes the setting; false, with errno, if that is not possible.
    private func write(_ value: String) -> Bool {
        let number = unsafe open(setting, O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { return false }
        let file = FileDescriptor(owning: number)
        let bytes = Array((value + "\n").utf8)
        let written = unsafe Glibc.write(file.number, bytes, bytes.count)
        let code = errno
        defer { errno = code }
        return written == bytes.count
    }

    private static func text(_ path: String, _ errno: Int32) -> String { "\(path): \(DatapathError.text(of: errno))" }

    /// Returns the reason why grace periods cannot be expedited, in plain words; nil if they can.
    static func failure() -> String? {
        guard unsafe access(kernelSetting, W_OK) != 0 else { return nil }
        return text(kernelSetting, errno)
    }
}

extension Datapath {
    /// Works on many interfaces: with short grace periods if they are more than ``GracePeriods/threshold``.
    func onMany<Failure: Error>(_ count: Int, _ work: () throws(Failure) -> Void) throws(Failure) {
        guard expedites, count > GracePeriods.threshold, let gracePeriods else { return try work() }
        if case .unavailable(let reason) = gracePeriods.begin() { onNotice(.notExpedited(reason: reason)) }
        defer { report(gracePeriods.end()) }
        try work()
    }

    /// Resets the setting that a killed run left behind.
    func recoverGracePeriods() { report(gracePeriods?.recover()) }

    private func report(_ outcome: GracePeriods.Outcome?) {
        switch outcome {
        case .putBack: onNotice(.expeditedPutBack)
        case .stuck(let reason): onNotice(.stillExpedited(reason: reason))
        case .expedited, .isSet, .unavailable, nil: break
        }
    }
}
