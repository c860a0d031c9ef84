import ClusterModel
import Foundation
import Logging
import Synchronization
import Testing

@testable import ClusterSource

/// A new folder for files, which goes away with the test.
final class FilesFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/weir-files-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file in place, and returns its path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try write(Array(text.utf8), to: name)
    }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: file(name))
    }

    func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: file(name), withIntermediateDirectories: true)
    }

    /// Replaces a symbolic link atomically, as kubelet does: renames a new link over the old one.
    func link(_ name: String, to target: String) throws {
        try #require(symlink(target, file(name + ".new")) == 0)
        try #require(rename(file(name + ".new"), file(name)) == 0)
    }
}

/// A file of the fixtures.
func filesFixture(_ name: String) throws -> String {
    let folder = try #require(Bundle.module.resourceURL)
    return folder.appending(path: "Fixtures/files/\(name)").path
}

/// An observer that keeps the reported objects and counts the changes.
final class FilesObserver: ClusterObserver {
    struct State {
        var objects: [SourceID: [ObjectReference: ClusterObject]] = [:]
        var replacing: [SourceID: [ObjectKind: Set<ObjectReference>]] = [:]
        var changes = 0
        var faults: [String] = []
    }

    private let state = Mutex(State())

    func observe(_ changes: [ClusterChange], from source: SourceID) {
        state.withLock { state in
            state.changes += changes.count
            for change in changes { state.apply(change, source) }
        }
    }

    /// The number of reported changes.
    var changes: Int { state.withLock { $0.changes } }
    /// The changes that were reported in a wrong order.
    var faults: [String] { state.withLock { $0.faults } }

    /// The objects of all files, as in `Pod shop/cart-1`, and how often each one is there.
    var objects: [String: Int] {
        state.withLock { state in
            var counts: [String: Int] = [:]
            for objects in state.objects.values {
                for object in objects.keys { counts[object.description, default: 0] += 1 }
            }
            return counts
        }
    }

    /// The names of the objects, ascending.
    var names: [String] { objects.keys.sorted() }

    /// The number of sources that have objects.
    var sources: Int { state.withLock { $0.objects.values.count { !$0.isEmpty } } }

    /// All objects of a name.
    func object(_ name: String) -> [ClusterObject] {
        state.withLock { state in
            state.objects.values.flatMap { $0.filter { $0.key.description == name }.values }
        }
    }
}

extension FilesObserver.State {
    mutating func apply(_ change: ClusterChange, _ source: SourceID) {
        switch change {
        case .upsert(let object):
            let reference = object.reference
            if replacing[source]?[reference.kind]?.insert(reference) == nil {
                faults.append("\(reference) is told outside of a replacement")
            }
            objects[source, default: [:]][reference] = object
        case .delete(let reference, _):
            objects[source]?[reference] = nil
        case .beginReplace(let kind):
            replacing[source, default: [:]][kind] = []
        case .endReplace(let kind):
            guard let told = replacing[source]?.removeValue(forKey: kind) else {
                faults.append("\(kind) ends without a beginning")
                return
            }
            objects[source] = objects[source]?.filter { $0.key.kind != kind || told.contains($0.key) }
        case .forget(let kind): faults.append("a file never forgets \(kind)")
        }
    }
}

/// Collects log messages.
final class FilesLog: Sendable {
    private let messages = Mutex<[String]>([])

    var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    /// Returns the messages since the last call, with their metadata.
    func take() -> [String] {
        messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
    }

    private struct Handler: LogHandler {
        let log: FilesLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let text = "\(event.level): \(event.message) \(metadata.joined(separator: " "))"
            log.messages.withLock { $0.append(text) }
        }
    }
}

/// The texts that a file is cut into.
struct FilesTexts: ObjectTextReceiver {
    var items: [ObjectText] = []
    var documents: [ObjectText] = []
    var heads: [DocumentHead] = []

    mutating func item(_ text: ObjectText) {
        items.append(text)
    }

    mutating func document(_ text: ObjectText, _ head: DocumentHead) {
        documents.append(text)
        heads.append(head)
    }

    init(yaml path: String) throws {
        var transcoder = try YAMLTranscoder(FileReader(path))
        try transcoder.read(&self)
    }

    init(json path: String) throws {
        var scanner = JSONFileScanner(try FileReader(path))
        try scanner.read(&self)
    }
}

extension ObjectText {
    /// The text.
    var string: String { String(decoding: json, as: UTF8.self) }
}

/// The entries of a file.
final class FilesEntries: ObjectFileVisitor {
    var objects: [(object: ClusterObject, line: Int)] = []
    var findings: [FileFinding] = []
    var otherKinds = 0

    init(_ path: String) throws {
        try ObjectFile(path).read(self)
    }

    func visit(_ entry: ObjectFile.Entry) {
        switch entry {
        case .object(let object, let line): objects.append((object, line))
        case .finding(let finding): findings.append(finding)
        case .otherKind: otherKinds += 1
        }
    }

    /// The descriptions of the objects with all their fields, sorted.
    var dump: [String] { objects.map { String(reflecting: $0.object) }.sorted() }
}

/// A seeded generator of pseudorandom numbers.
struct FilesRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    /// Changes some bytes of a text: replaces, removes, repeats or cuts off.
    mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self) where !bytes.isEmpty {
            let at = bytes.indices.randomElement(using: &self) ?? 0
            let end = min(bytes.count, at + Int.random(in: 1...40, using: &self))
            switch UInt8.random(in: 0..<6, using: &self) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &self)
            case 1: bytes[at] = Array("{}[]:,\"'\\&*!|>-#%@`?\n\t ~<0".utf8).randomElement(using: &self) ?? 0
            case 2: bytes.removeSubrange(at..<end)
            case 3: bytes.insert(contentsOf: bytes[at..<end], at: bytes.indices.randomElement(using: &self) ?? 0)
            case 4: bytes.swapAt(at, bytes.indices.randomElement(using: &self) ?? 0)
            default: bytes.removeSubrange(at...)
            }
        }
        return bytes
    }
}
