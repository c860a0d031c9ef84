package import ClusterModel
package import Logging
import Synchronization

/// Objects from files: YAML or JSON as `kubectl get -o yaml` and `-o json` print it, one file or many.
///
/// A path is a file, or a folder whose `*.yaml`, `*.yml` and `*.json` are read (not those that begin with a dot, and not
/// those of its folders). Each file is a source of its own. ``poll()`` picks up what changed on disk: files that were
/// written, replaced, put behind a symbolic link (as Kubernetes does it with a ConfigMap's folder), added or deleted.
///
/// What a file says replaces what it said before. A broken file changes nothing; an object that cannot be used is named
/// in the log, and the others of its file are used.
///
/// JSON is the better form for large inventories: it is read several times faster than YAML. Either needs memory for one
/// object at a time.
package final class FileSource: Sendable {
    private struct State {
        var paths: [String]
        var files: [String: LoadedFile] = [:]
        var freeSources: [SourceID] = []
        var nextSource: SourceID
        var places = ObjectPlaces()
        /// The logged problems of paths that cannot be read, so that each is logged once.
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

    /// Takes the paths; reads nothing yet.
    ///
    /// - Parameters:
    ///   - paths: files and folders.
    ///   - firstSource: the number of the first file; each other file has a higher one.
    ///   - observer: receives the objects of the files.
    ///   - logger: gets what is wrong with them.
    package init(paths: [String], firstSource: SourceID, observer: any ClusterObserver, logger: Logger) {
        self.observer = observer
        log = FileLog(logger: logger)
        state = Mutex(State(paths: paths, nextSource: firstSource))
    }

    /// Reads all files for the first time.
    ///
    /// - Throws: if a path is missing or cannot be read, or a file is broken.
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

    /// Takes other files and folders: the next ``poll()`` reads new ones, and removes the objects of those that are left.
    package func use(_ paths: [String]) {
        state.withLock { $0.paths = paths }
    }

    /// Looks once whether files have changed, and reads those that have; to be called about once a second.
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

    /// The numbers of files and objects, as of the last ``load()`` or ``poll()``; from any thread.
    package var statistics: FileStatistics {
        published.withLock { $0 }
    }

    /// Returns the place where an object of this source is defined, as in `pods.yaml:12`; nil if it is in none of these files.
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
            // It stays broken: it is not being written just now.
            if let fault = file.unsaidFault { log.isBroken(path, fault, keepsState: !file.kinds.isEmpty) }
            file.unsaidFault = nil
            return
        }
        let wasBroken = file.isBroken
        if let fault = read(&file, stamp, &state.places) {
            file.unsaidFault = fault
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

    /// Reads a file and delivers its objects; its former objects stay if it is broken.
    private func read(_ file: inout LoadedFile, _ stamp: FileStamp, _ places: inout ObjectPlaces) -> FileFault? {
        file.stamp = stamp
        do throws(FileFault) {
            let content = try ObjectFile(file.path)
            // As when a writer has just begun to write it anew.
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
