import ClusterModel

/// The state of a file after it was last read.
struct LoadedFile {
    /// The path of the file.
    let path: String
    /// The source that the file's objects belong to in the inventory.
    let source: SourceID
    /// The stamp when the file was last read, whether or not it was usable.
    var stamp: FileStamp?
    /// The kinds of the objects in the file.
    var kinds: Set<ObjectKind> = []
    /// The number of used objects.
    var objects = 0
    /// The number of unusable objects.
    var unusableObjects = 0
    /// The number of objects of unused kinds.
    var otherObjects = 0
    /// The number of consecutive failures to read the file.
    var failures = 0
    /// The fault that is not logged yet, because the file may still be being written.
    var unreportedFault: FileFault?
    /// The findings about its objects that were logged.
    var reportedFindings: Set<FileFinding> = []

    init(path: String, source: SourceID) {
        self.path = path
        self.source = source
    }

    /// Whether the present file is unusable.
    var isBroken: Bool { failures > 0 }

    /// Whether a fault is logged although the file keeps changing: after 16 failures, then each time after twice as many.
    var isLongBeingWritten: Bool { failures >= 16 && failures & (failures - 1) == 0 }

    /// Stores the results of a delivery.
    mutating func take(_ delivery: FileDelivery) {
        kinds = delivery.kinds
        objects = delivery.lines.count
        unusableObjects = delivery.unusableObjects
        otherObjects = delivery.otherObjects
        failures = 0
        unreportedFault = nil
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
    /// The kinds of the objects that were read.
    private(set) var kinds: Set<ObjectKind> = []
    /// The objects that were read, in order, with their lines.
    private(set) var lines: [(object: ObjectReference, line: Int)] = []
    /// The findings, up to a limit.
    private(set) var findings: [FileFinding] = []
    /// The number of all findings.
    private(set) var findingCount = 0
    /// The number of unusable objects.
    private(set) var unusableObjects = 0
    /// The number of objects of unused kinds.
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

    /// Ends the delivery, and removes the earlier objects that were not read.
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
    /// The kinds in the order of their declaration.
    var order: [ObjectKind] { ObjectKind.allCases.filter(contains) }
}
