import Agent
import ArgumentParser
import Dispatch
import Foundation
import Logging
import Settings
import Synchronization

/// Reads the settings file again when it changes, or when it is asked to, and puts into force what can be.
///
/// A file that cannot be used changes nothing. A ConfigMap that is mounted changes by a symbolic link that is exchanged:
/// what the path leads to is looked at, every two seconds.
final class SettingsWatcher: Sendable {
    private struct State {
        var settings: ResolvedSettings
        var stamp: FileStamp?
    }

    private let options: [String]
    private let threshold: LogThreshold
    private let logger: Logger
    private let state: Mutex<State>
    /// Sources of Dispatch may be used from any thread, and their protocol does not say so.
    nonisolated(unsafe) private let timer: any DispatchSourceTimer

    private static let pause = DispatchTimeInterval.seconds(2)

    /// Begins to look at the file.
    ///
    /// - Parameters:
    ///   - options: of the command line, which go before the file.
    ///   - threshold: the log's.
    ///   - logger: gets what changes, and what is wrong.
    init(options: [String], threshold: LogThreshold, logger: Logger) {
        self.options = options
        self.threshold = threshold
        self.logger = logger
        let settings = Launch.settings(for: options)
        state = Mutex(State(settings: settings, stamp: settings.path.flatMap(FileStamp.init)))
        timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: .now() + Self.pause, repeating: Self.pause)
        timer.setEventHandler { [weak self] in self?.look() }
        timer.activate()
    }

    deinit {
        timer.cancel()
    }

    /// What is in force, as a JSON array on one line.
    var json: String { state.withLock { $0.settings.json } }

    /// Reads the file now.
    func reload() {
        let (former, path) = state.withLock { state in
            state.stamp = state.settings.path.flatMap(FileStamp.init)
            return (state.settings, state.settings.path)
        }
        let settings = Launch.settings(for: options)
        let faults = settings.faults.map(\.description) + parserFault(settings)
        guard faults.isEmpty else {
            for fault in faults { logger.error("\(fault); the settings stay as they were") }
            return
        }
        let restarts = apply(settings, former)
        guard !restarts.isEmpty else {
            logger.notice("settings read again", metadata: ["file": "\(path ?? "none")"])
            return
        }
        logger.warning(
            "settings read again; a restart is needed for some that changed",
            metadata: ["file": "\(path ?? "none")", "settings": "\(restarts.joined(separator: " "))"]
        )
    }

    private func look() {
        let isChanged = state.withLock { state in
            guard let path = state.settings.path, let stamp = FileStamp(path) else { return false }
            return state.stamp != stamp
        }
        if isChanged { reload() }
    }

    /// What the parser of the command line says of settings that are not wrong by themselves.
    private func parserFault(_ settings: ResolvedSettings) -> [String] {
        do {
            _ = try RunCommand.parse(settings.arguments + options)
            return []
        } catch {
            return ["\(settings.path ?? "settings"): \(RunCommand.message(for: error))"]
        }
    }

    /// Puts into force what can be; returns the names of what changed and cannot.
    private func apply(_ settings: ResolvedSettings, _ former: ResolvedSettings) -> [String] {
        var restarts: [String] = []
        for (new, old) in zip(settings.listing, former.listing) where new.values != old.values {
            guard new.setting.reload == .live else {
                restarts.append(new.setting.name)
                continue
            }
            if new.setting.name == "log-level", let level = new.values.first.flatMap({ Logger.Level(rawValue: $0) }) {
                threshold.level = level
                logger.notice("log level is now \(level)")
            }
        }
        state.withLock { $0.settings = settings }
        return restarts
    }
}

/// Which file a path leads to, and when it was written.
private struct FileStamp: Equatable {
    private let device: UInt64
    private let number: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    /// Looks at a path; nil if nothing is there.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        size = Int64(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}
