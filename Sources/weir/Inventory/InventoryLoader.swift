import Agent
import ClusterModel
import ClusterSource
import Foundation
import Glibc
import Logging
import Synchronization

/// Tells an observer once what files and an API server say, and knows where each object comes from.
final class InventoryLoader: Sendable {
    private static let cluster = SourceID(rawValue: 1)
    private static let firstFile = SourceID(rawValue: 2)

    /// The files and folders.
    let paths: [String]
    private let configuration: KubernetesConfiguration?
    private let limit: Duration
    private let purpose: String
    private let files = Mutex<FileSource?>(nil)

    /// Takes what the options say; reads nothing yet.
    ///
    /// - Parameters:
    ///   - options: where to look.
    ///   - morePaths: files and folders that are given beside the options.
    ///   - limit: how long to wait for the API server.
    ///   - purpose: what for, as the log of the API server shows it.
    /// - Throws: `CommandFailure` if the configuration of the API server cannot be used.
    init(_ options: InventoryOptions, morePaths: [String] = [], limit: Duration, purpose: String) throws {
        paths = options.paths + morePaths
        configuration = try options.cluster()
        self.limit = limit
        self.purpose = purpose
    }

    /// Where an object that a source told is to be found.
    func place(of object: ObjectReference?, from source: SourceID?) -> String? {
        guard let object, let source else { return nil }
        if source == Self.cluster { return configuration?.server }
        return files.withLock { $0?.place(of: object, from: source) }
    }

    /// Reads all files, and waits until the API server has told everything.
    ///
    /// - Parameters:
    ///   - observer: receives their objects.
    ///   - isCheck: whether somebody else says what is wrong with files, so that broken ones are passed over.
    /// - Throws: `CommandFailure` if a file is broken, or the API server tells nothing at all.
    func load(telling observer: some ClusterObserver, isCheck: Bool = false) throws {
        if !paths.isEmpty {
            let logger = Logger.toStandardError(isCheck ? .critical : .warning)
            let source = FileSource(paths: paths, firstSource: Self.firstFile, observer: observer, logger: logger)
            files.withLock { $0 = source }
            do throws(FileSourceError) {
                try source.load()
            } catch  where !isCheck {
                throw CommandFailure(description: "\(error)")
            } catch {
                // The check has it.
            }
        }
        if let configuration { try load(configuration, telling: observer) }
    }

    private func load(_ configuration: KubernetesConfiguration, telling observer: some ClusterObserver) throws {
        let source: KubernetesSource
        do throws(KubernetesError) {
            source = try KubernetesSource(
                configuration: configuration,
                observer: observer,
                source: Self.cluster,
                userAgent: "weir/\(weirVersion) (\(purpose))",
                // What is missing is said below, once.
                logger: .toStandardError(.critical)
            )
        } catch {
            throw CommandFailure(description: "\(error)")
        }
        let task = Task.detached { await source.run() }
        defer { task.cancel() }
        wait(for: source, configuration.server)
        let missing = source.statistics.missing
        guard source.statistics.kinds.values.contains(where: \.isSynced) else {
            throw CommandFailure(description: "\(configuration.server) tells nothing: \(missing.reasons)")
        }
        for kind in missing { Self.say("warning: answers may be wrong: not known are \(kind.name): \(kind.reason)") }
    }

    /// Waits until all objects are read or cannot be had; logs when that takes longer than a second.
    private func wait(for source: KubernetesSource, _ server: String) {
        let start = ContinuousClock.now
        var hasSaid = false
        while !source.statistics.isSettled, ContinuousClock.now - start < limit {
            usleep(20_000)
            guard !hasSaid, ContinuousClock.now - start >= .seconds(1) else { continue }
            hasSaid = true
            let kinds = source.statistics.kinds.values
            let settled = kinds.count(where: \.isSettled)
            Self.say("waiting for \(server): \(settled) of \(kinds.count) kinds are known so far")
        }
    }

    private static func say(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}

extension KubernetesStatistics {
    /// Whether there is nothing to wait for.
    fileprivate var isSettled: Bool { kinds.values.allSatisfy(\.isSettled) }

    /// The kinds that should be known and are not, and why.
    fileprivate var missing: [(name: String, reason: String)] {
        ObjectKind.allCases.compactMap { kind in
            guard let state = kinds[kind], !state.isSynced, state.presence != .absent else { return nil }
            return (kind.rawValue, state.lastError ?? "no answer in time")
        }
    }
}

extension [(name: String, reason: String)] {
    /// All reasons, each once, with how many kinds it is of.
    fileprivate var reasons: String {
        Dictionary(grouping: self, by: \.reason).sorted { $0.value.count > $1.value.count }
            .map { "\($0.key) (\($0.value.map(\.name).joined(separator: ", ")))" }.joined(separator: "; ")
    }
}
