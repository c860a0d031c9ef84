import Agent
import ArgumentParser
import Dispatch
import Foundation
import Logging
import Settings
import Synchronization

/// Reloads the settings file when it changes or on request, and applies the settings that can change.
///
/// An invalid file changes nothing. A mounted ConfigMap changes by replacing a symbolic link, so the target of the path
/// is checked every two seconds.
final class SettingsWatcher: Sendable {
    private struct State {
        var settings: ResolvedSettings
        var stamp: FileStamp?
    }

    /// Applies settings to a running agent.
    ///
    /// Returns the names of settings that need a restart nevertheless, or nil if the run has not started.
    typealias Application = @Sendable (RunCommand) throws -> [String]?

    private let options: [String]
    private let apply: Application
    private let threshold: LogThreshold
    private let logger: Logger
    private let state: Mutex<State>
    /// Dispatch sources are thread-safe, but their protocol is not marked as Sendable.
    nonisolated(unsafe) private let timer: any DispatchSourceTimer
    /// Serializes reloads, and keeps them off the thread that receives signals.
    private let queue = DispatchQueue(label: "weir-settings")

    private static let pause = DispatchTimeInterval.seconds(2)

    /// Starts to watch the file.
    ///
    /// - Parameters:
    ///   - options: the command line options, which take precedence over the file.
    ///   - threshold: the threshold of the log.
    ///   - logger: receives changes and errors.
    ///   - apply: applies settings.
    init(options: [String], threshold: LogThreshold, logger: Logger, apply: @escaping Application) {
        self.options = options
        self.apply = apply
        self.threshold = threshold
        self.logger = logger
        let settings = Launch.settings(for: options)
        state = Mutex(State(settings: settings, stamp: settings.path.flatMap(FileStamp.init)))
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + Self.pause, repeating: Self.pause)
        timer.setEventHandler { [weak self] in self?.look() }
        timer.activate()
    }

    deinit {
        timer.cancel()
    }

    /// The settings in force as a JSON array on one line.
    var json: String { state.withLock { $0.settings.json } }

    /// Schedules a reload; does not wait for it.
    func requestReload() {
        queue.async { [self] in reload() }
    }

    private func look() {
        let isChanged = state.withLock { state in
            guard let path = state.settings.path, let stamp = FileStamp(path) else { return false }
            return state.stamp != stamp
        }
        if isChanged { reload() }
    }

    /// Reloads the file.
    private func reload() {
        let former = state.withLock { state in
            state.stamp = state.settings.path.flatMap(FileStamp.init)
            return state.settings
        }
        let settings = Launch.settings(for: options)
        do {
            guard settings.faults.isEmpty else { throw SettingsFailure(settings.faults) }
            guard let restarts = try apply(try settings.parsed(with: options)) else {
                // The run has not started: the next check tries again.
                return state.withLock { $0.stamp = nil }
            }
            noteInForce(settings, former, restarts)
        } catch let failure as SettingsFailure {
            // The error of a filter has two more lines that show the position in it.
            for fault in failure.faults {
                logger.error("\("\(fault)".prefix { $0 != "\n" }); the settings stay as they were")
            }
        } catch {
            let fault = settings.fault(behind: "\(error)") ?? "\(settings.path ?? "settings"): \(error)"
            logger.error("\(fault); the settings stay as they were")
        }
    }

    /// Logs the settings in force, and those that need a restart.
    private func noteInForce(_ settings: ResolvedSettings, _ former: ResolvedSettings, _ others: [String]) {
        let changed = zip(settings.listing, former.listing).filter { $0.values != $1.values }.map(\.0)
        state.withLock { $0.settings = settings }
        for change in changed where change.setting.name == "log-level" {
            guard let level = change.values.first.flatMap({ Logger.Level(rawValue: $0) }) else { continue }
            threshold.level = level
            logger.notice("log level is now \(level)")
        }
        let live = changed.map(\.setting).filter { $0.reload == .live && !others.contains($0.name) }.map(\.name)
        let restarts = changed.map(\.setting).filter { $0.reload == .restart || others.contains($0.name) }.map(\.name)
        var metadata: Logger.Metadata = ["file": "\(settings.path ?? "none")"]
        if !live.isEmpty { metadata["changed"] = "\(live.joined(separator: " "))" }
        guard !restarts.isEmpty else {
            logger.notice("settings read again", metadata: metadata)
            return
        }
        metadata["settings"] = "\(restarts.joined(separator: " "))"
        logger.warning("settings read again; a restart is needed for some that changed", metadata: metadata)
    }
}

extension ResolvedSettings {
    /// Parses the command line of a run with these settings.
    ///
    /// - Parameter options: the options of the command line itself.
    /// - Returns: the parsed command.
    /// - Throws: `SettingsFailure` with the line of the file if the error is in the file.
    func parsed(with options: [String] = []) throws -> RunCommand {
        do {
            return try RunCommand.parse(arguments + options)
        } catch {
            throw SettingsFailure([fault(RunCommand.message(for: error))])
        }
    }

    /// The parser's error with the location of the setting that it names.
    private func fault(_ message: String) -> SettingFault {
        let words = message.split { !$0.isLetter && $0 != "-" }.filter { $0.hasPrefix("--") }
        let named = words.lazy.compactMap { entries[String($0.dropFirst(2))]?.origin }.first
        // The parser's "The value '7' is invalid for '--name <n>': reason".
        var text = message
        if text.hasPrefix("The value "), let option = words.first, let reason = text.firstRange(of: ">': ") {
            text = "\(option.dropFirst(2)): \(text[reason.upperBound...])"
        }
        guard let origin = named ?? path.map({ .file(path: $0, line: 0) }), origin != .option else {
            return SettingFault(.option, text)
        }
        // In a file and in the environment, the names of settings have no leading dashes.
        for option in words where Setting.named(String(option.dropFirst(2))) != nil {
            text = text.replacing(option, with: option.dropFirst(2))
        }
        return SettingFault(origin, text)
    }
}

/// The identity and modification time of the file at a path.
private struct FileStamp: Equatable {
    private let device: UInt64
    private let number: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    /// Reads the file at a path; nil if it does not exist.
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
