package import ClusterModel
package import Logging
import Synchronization

/// Reads objects from files: YAML or JSON as `kubectl get -o yaml` and `-o json` print it.
///
/// A path is a file, or a folder whose `*.yaml`, `*.yml` and `*.json` files are read, without hidden files and
/// subfolders. Each file is a source of its own. ``poll()`` detects files that were written, replaced, added, deleted, or
/// replaced behind a symbolic link, as Kubernetes replaces the folder of a ConfigMap.
///
/// The new content of a file replaces its earlier content. A broken file changes nothing. An unusable object is logged,
/// and the other objects of the file are used.
///
/// JSON is better for large inventories, because it is read several times faster than YAML. Both need memory for one
/// object at a time.
package final class FileSource: Sendable {
    private struct State {
        var paths: [String]
        var files: [String: LoadedFile] = [:]
        var freeSources: [SourceID] = []
        var nextSource: SourceID
        var places = ObjectPlaces()
        /// The logged reasons of unreadable paths, so that each is logged once.
        var unknown: [String: String] = [:]

        mutating func takeSource() -> SourceID {
            if let source = freeSources.popLast() { return source }
            defer { nextSource.rawValue += 1 }
            return nextSource
        }
    }

    private let observer: any ClusterObserver
    private let log: FileLog
    private let state: Mutex<State>
    private let published = Mutex(FileStatistics())

    /// Creates a source; reads nothing yet.
    ///
    /// - Parameters:
    ///   - paths: files and folders.
    ///   - firstSource: the number of the first file; other files have higher numbers.
    ///   - observer: receives the objects of the files.
    ///   - logger: logs faults of files and objects.
    package init(paths: [String], firstSource: SourceID, observer: any ClusterObserver, logger: Logger) {
        self.observer = observer
        log = FileLog(logger: logger)
        state = Mutex(State(paths: paths, nextSource: firstSource))
    }

    /// Reads all files for the first time.
    ///
    /// - Throws: an error if a path is missing or unreadable, or a file is broken.
    package func load() throws(FileSourceError) {
        let findings = state.withLock { state in
            let listing = FileListing(state.paths)
            var findings = listing.missing.map {
                FileFinding(path: $0, line: nil, severity: .error, reason: "no such file or folder")
            }
            findings += listing.unknown.sorted { $0.key < $1.key }.map {
                FileFinding(path: $0.key, line: nil, severity: .error, reason: $0.value)
            }
            for (path, stamp) in listing.files.sorted(by: { $0.key < $1.key }) {
                var file = LoadedFile(path: path, source: state.takeSource())
                let fault = read(&file, stamp, &state.places)
                state.files[path] = file
                if let fault { findings.append(FileFinding(path: path, fault)) }
            }
            if findings.isEmpty, state.files.isEmpty, !state.paths.isEmpty { log.isEmpty(state.paths) }
            publish(state)
            return findings
        }
        guard findings.isEmpty else { throw FileSourceError(findings: findings) }
    }

    /// The files and folders.
    package var paths: [String] { state.withLock { $0.paths } }

    /// Replaces the files and folders: the next ``poll()`` reads new files, and removes the objects of files that were
    /// left out.
    package func use(_ paths: [String]) {
        state.withLock { $0.paths = paths }
    }

    /// Reads the files that have changed since the last call; to be called about once a second.
    package func poll() {
        state.withLock { state in
            let listing = FileListing(state.paths)
            log.unknown(listing.unknown, before: state.unknown)
            state.unknown = listing.unknown
            for path in state.files.keys.sorted() where listing.files[path] == nil && !listing.mayHold(path) {
                remove(path, &state)
            }
            for (path, stamp) in listing.files.sorted(by: { $0.key < $1.key }) {
                update(path, stamp, &state)
            }
            publish(state)
        }
    }

    /// The counts of files and objects at the last ``load()`` or ``poll()``; readable from any thread.
    package var statistics: FileStatistics {
        published.withLock { $0 }
    }

    /// The place where an object of a source is defined, as in `pods.yaml:12`; nil if no file defines it.
    package func place(of object: ObjectReference, from source: SourceID) -> String? {
        state.withLock { state in
            state.places.place(of: object, from: source) ?? state.files.first { $0.value.source == source }?.key
        }
    }

    // MARK: Files

    private func update(_ path: String, _ stamp: FileStamp, _ state: inout State) {
        let isNew = state.files[path] == nil
        var file = state.files[path] ?? LoadedFile(path: path, source: state.takeSource())
        defer { state.files[path] = file }
        guard file.stamp != stamp else {
            // The stamp is unchanged since the failure, so the file is broken and not just being written.
            if let fault = file.unreportedFault { log.isBroken(path, fault, keepsState: !file.kinds.isEmpty) }
            file.unreportedFault = nil
            return
        }
        let wasBroken = file.isBroken
        if let fault = read(&file, stamp, &state.places) {
            file.unreportedFault = fault
            if file.isLongBeingWritten { log.isBroken(path, fault, keepsState: !file.kinds.isEmpty) }
        } else {
            log.isRead(path, objects: file.objects, isNew: isNew, wasBroken: wasBroken)
        }
    }

    private func remove(_ path: String, _ state: inout State) {
        guard let file = state.files.removeValue(forKey: path) else { return }
        log.isGone(path, objects: file.objects)
        state.places.forget(file.source)
        state.freeSources.append(file.source)
        observer.observe(file.kinds.order.flatMap { [.beginReplace($0), .endReplace($0)] }, from: file.source)
    }

    /// Reads a file and delivers its objects; if the file is broken, its earlier objects stay.
    private func read(_ file: inout LoadedFile, _ stamp: FileStamp, _ places: inout ObjectPlaces) -> FileFault? {
        file.stamp = stamp
        do throws(FileFault) {
            let content = try ObjectFile(file.path)
            // A file is also empty when a writer has just truncated it to write it anew.
            guard !content.isEmpty || file.objects == 0 else { throw FileFault(reason: Self.emptied) }
            let delivery = FileDelivery(file, observer)
            do throws(FileFault) {
                try content.read(delivery)
            } catch {
                file.kinds.formUnion(delivery.kinds)
                throw error
            }
            delivery.finish()
            file.take(delivery)
            let twice = places.replace(delivery.lines, of: file)
            log.findings(twice + delivery.findings, of: &file, count: twice.count + delivery.findingCount)
            return nil
        } catch {
            file.failures += 1
            return error
        }
    }

    private static let emptied =
        "the file is empty; delete it, or write {kind: List, items: []}"

    private func publish(_ state: State) {
        var sum = FileStatistics()
        for file in state.files.values {
            sum.files += 1
            sum.brokenFiles += file.isBroken ? 1 : 0
            sum.objects += file.objects
            sum.unusableObjects += file.unusableObjects
            sum.otherObjects += file.otherObjects
        }
        published.withLock { $0 = sum }
    }
}
