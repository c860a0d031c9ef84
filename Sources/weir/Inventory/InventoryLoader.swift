import Agent
import ClusterModel
import ClusterSource
import Foundation
import Glibc
import Logging
import Synchronization

/// Loads objects from files and an API server into an observer once, and records the origin of each object.
final class InventoryLoader: Sendable {
    private static let cluster = SourceID(rawValue: 1)
    private static let firstFile = SourceID(rawValue: 2)

    /// The files and directories.
    let paths: [String]
    private let configuration: KubernetesConfiguration?
    private let limit: Duration
    private let purpose: String
    private let files = Mutex<FileSource?>(nil)

    /// Takes the options; reads nothing yet.
    ///
    /// - Parameters:
    ///   - options: the sources.
    ///   - morePaths: additional files and directories.
    ///   - limit: the maximum time to wait for the API server.
    ///   - purpose: the purpose of the requests, for the user agent in the API server's log.
    /// - Throws: `CommandFailure` if the configuration for the API server is invalid.
    init(_ options: InventoryOptions, morePaths: [String] = [], limit: Duration, purpose: String) throws {
        paths = options.paths + morePaths
        configuration = try options.cluster()
        self.limit = limit
        self.purpose = purpose
    }

    /// The location of an object from the given source.
    func place(of object: ObjectReference?, from source: SourceID?) -> String? {
        guard let object, let source else { return nil }
        if source == Self.cluster { return configuration?.server }
        return files.withLock { $0?.place(of: object, from: source) }
    }

    /// Reads all files, and waits until the API server has sent all objects.
    ///
    /// - Parameters:
    ///   - observer: receives the objects.
    ///   - isCheck: whether the caller reports errors in files itself, so that invalid files are skipped.
    /// - Throws: `CommandFailure` if a file is invalid, or the API server sends no objects.
    func load(into observer: some ClusterObserver, isCheck: Bool = false) throws {
        if !paths.isEmpty {
            let logger = Logger.toStandardError(isCheck ? .critical : .warning)
            let source = FileSource(paths: paths, firstSource: Self.firstFile, observer: observer, logger: logger)
            files.withLock { $0 = source }
            do throws(FileSourceError) {
                try source.load()
            } catch  where !isCheck {
                throw CommandFailure(description: "\(error)")
            } catch {
                // The caller reports the error.
            }
        }
        if let configuration { try load(configuration, into: observer) }
    }

    private func load(_ configuration: KubernetesConfiguration, into observer: some ClusterObserver) throws {
        let source: KubernetesSource
        do throws(KubernetesError) {
            source = try KubernetesSource(
                configuration: configuration,
                observer: observer,
                source: Self.cluster,
                userAgent: "weir/\(weirVersion) (\(purpose))",
                // Missing kinds are reported below, once.
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
            throw CommandFailure(description: "\(configuration.server) gives no answer: \(missing.reasons)")
        }
        for kind in missing { Self.say("warning: answers may be wrong: not known are \(kind.name): \(kind.reason)") }
    }

    /// Waits until all kinds are loaded or unavailable; logs when that takes longer than a second.
    private func wait(for source: KubernetesSource, _ server: String) {
        let start = ContinuousClock.now
        var hasReported = false
        while !source.statistics.isSettled, ContinuousClock.now - start < limit {
            usleep(20_000)
            guard !hasReported, ContinuousClock.now - start >= .seconds(1) else { continue }
            hasReported = true
            let kinds = source.statistics.kinds.values
            let settled = kinds.count(where: \.isSettled)
            Self.say("waiting for \(server): \(settled) of \(kinds.count) kinds are known so far")
        }
    }

    private static func say(_ line: String) {
        complain(line)
    }
}

extension KubernetesStatistics {
    /// Whether all kinds are loaded or unavailable.
    fileprivate var isSettled: Bool { kinds.values.allSatisfy(\.isSettled) }

    /// The kinds that should be loaded and are not, with the reasons.
    fileprivate var missing: [(name: String, reason: String)] {
        ObjectKind.allCases.compactMap { kind in
            guard let state = kinds[kind], !state.isSynced, state.presence != .absent else { return nil }
            return (kind.rawValue, state.lastError ?? "no answer in time")
        }
    }
}

extension [(name: String, reason: String)] {
    /// The distinct reasons, each with its kinds.
    fileprivate var reasons: String {
        Dictionary(grouping: self, by: \.reason).sorted { $0.value.count > $1.value.count }
            .map { "\($0.key) (\($0.value.map(\.name).joined(separator: ", ")))" }.joined(separator: "; ")
    }
}
