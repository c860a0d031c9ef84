import ClusterModel

/// A file as it was read last.
struct LoadedFile {
    /// The path of the file.
    let path: String
    /// The name of the source in the inventory.
    let source: SourceID
    /// The state on disk that was read last, whether or not that could be used.
    var stamp: FileStamp?
    /// The kinds of the objects that it contains.
    var kinds: Set<ObjectKind> = []
    /// The number of objects that are used.
    var objects = 0
    /// The number of objects that cannot be used.
    var unusableObjects = 0
    /// The number of objects of kinds that are not used.
    var otherObjects = 0
    /// The number of times in a row that it was broken.
    var failures = 0
    /// The reason why it is broken, as long as the log does not contain it: perhaps the file is being written.
    var unsaidFault: FileFault?
    /// The logged findings about its objects.
    var saidFindings: Set<FileFinding> = []

    init(path: String, source: SourceID) {
        self.path = path
        self.source = source
    }

    /// Whether it could not be used as it is now.
    var isBroken: Bool { failures > 0 }

    /// Whether it was broken and changed so often that it is time to say so; each time twice as often.
    var isLongBeingWritten: Bool { failures >= 16 && failures & (failures - 1) == 0 }

    /// Takes over what was read.
    mutating func take(_ delivery: FileDelivery) {
        kinds = delivery.kinds
        objects = delivery.lines.count
        unusableObjects = delivery.unusableObjects
        otherObjects = delivery.otherObjects
        failures = 0
        unsaidFault = nil
    }
}

/// Delivers the objects of a file to an observer, as a replacement of its earlier objects.
final class FileDelivery: ObjectFileVisitor {
    private static let batchSize = 512
    private static let findingLimit = 100

    private let source: SourceID
    private let earlierKinds: Set<ObjectKind>
    private let observer: any ClusterObserver
    private var batch: [ClusterChange] = []
    /// The kinds that were read.
    private(set) var kinds: Set<ObjectKind> = []
    /// The objects that were read, in their order, and their lines.
    private(set) var lines: [(object: ObjectReference, line: Int)] = []
    /// The findings, up to a limit.
    private(set) var findings: [FileFinding] = []
    /// The number of all findings.
    private(set) var findingCount = 0
    /// The number of objects that cannot be used.
    private(set) var unusableObjects = 0
    /// The number of objects of kinds that are not used.
    private(set) var otherObjects = 0

    init(_ file: LoadedFile, _ observer: any ClusterObserver) {
        source = file.source
        earlierKinds = file.kinds
        self.observer = observer
        batch.reserveCapacity(Self.batchSize + 1)
    }

    func visit(_ entry: ObjectFile.Entry) {
        switch entry {
        case .object(let object, let line):
            let reference = object.reference
            if kinds.insert(reference.kind).inserted { batch.append(.beginReplace(reference.kind)) }
            batch.append(.upsert(object))
            lines.append((reference, line))
            if batch.count >= Self.batchSize { flush() }
        case .finding(let finding):
            if finding.severity == .error { unusableObjects += 1 }
            findingCount += 1
            if findings.count < Self.findingLimit { findings.append(finding) }
        case .otherKind:
            otherObjects += 1
        }
    }

    /// Says that there are no more.
    func finish() {
        for kind in earlierKinds.subtracting(kinds).order { batch += [.beginReplace(kind), .endReplace(kind)] }
        batch += kinds.order.map { .endReplace($0) }
        flush()
    }

    private func flush() {
        guard !batch.isEmpty else { return }
        observer.observe(batch, from: source)
        batch.removeAll(keepingCapacity: true)
    }
}

extension Set<ObjectKind> {
    /// The kinds in the order in which they are declared.
    var order: [ObjectKind] { ObjectKind.allCases.filter(contains) }
}
