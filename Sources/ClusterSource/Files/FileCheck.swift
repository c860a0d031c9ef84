package import ClusterModel
import FlowModel

/// The result of checking an inventory's files.
package struct FileCheckReport: Sendable, Hashable {
    /// The findings, by file and line.
    package var findings: [FileFinding] = []
    /// The number of files that were read.
    package var files = 0
    /// The number of usable objects of each kind.
    package var objects: [ObjectKind: Int] = [:]
    /// The number of objects of kinds that Weir does not use.
    package var otherObjects = 0

    /// Creates an empty report.
    package init() {}

    /// Returns the number of findings of a severity.
    package func count(_ severity: FileFinding.Severity) -> Int {
        findings.count { $0.severity == severity }
    }
}

/// Finds the faults in the files of an inventory.
///
/// Besides unusable objects, it reports objects that are defined twice, addresses of two pods, services without ports,
/// network sets that are empty or share a range, and names that no API server accepts.
package enum FileCheck {
    /// Checks files, and the files of folders, as ``FileSource`` reads them.
    ///
    /// - Parameters:
    ///   - paths: the files and folders.
    ///   - validation: further checks of objects; nil for none.
    /// - Returns: the report.
    package static func run(_ paths: [String], _ validation: FileValidation? = nil) -> FileCheckReport {
        let listing = FileListing(paths)
        let checker = ObjectChecker(namedElsewhere: validation?.kinds ?? [])
        for path in listing.missing {
            checker.add(FileFinding(path: path, line: nil, severity: .error, reason: "no such file or folder"))
        }
        for (path, reason) in listing.unknown {
            checker.add(FileFinding(path: path, line: nil, severity: .error, reason: reason))
        }
        for path in listing.files.keys.sorted() {
            checker.begin(path)
            do throws(FileFault) {
                let before = checker.progress
                try ObjectFile(path).read(checker, validation)
                if checker.progress == before { checker.warn(path, "there are no objects in it") }
            } catch {
                checker.add(FileFinding(path: path, error))
            }
        }
        if listing.files.isEmpty, listing.missing.isEmpty, listing.unknown.isEmpty {
            for path in paths { checker.warn(path, "there is no *.yaml, *.yml or *.json in this folder") }
        }
        return checker.finish()
    }
}

/// Collects faults within objects and between objects.
private final class ObjectChecker: ObjectFileVisitor {
    private struct Place {
        var object: ObjectReference
        var path: String
        var line: Int

        var text: String { "\(object) in \(path):\(line)" }
    }

    private var path = ""
    private var report = FileCheckReport()
    private var objects: [ObjectReference: Place] = [:]
    private var podAddresses: [IPAddress: Place] = [:]
    private var ranges: [RangeOfSet: Place] = [:]
    /// The kinds of objects whose names the validation checks.
    private let namedElsewhere: Set<ObjectKind>

    init(namedElsewhere: Set<ObjectKind>) {
        self.namedElsewhere = namedElsewhere
    }

    /// A range in the sets among which the name decides: the sets of one namespace, or all global sets.
    private struct RangeOfSet: Hashable {
        var namespace: String?
        var range: IPPrefix
    }

    func begin(_ path: String) {
        self.path = path
        report.files += 1
    }

    /// Grows with every object, used or not, and with every finding.
    var progress: Int { report.objects.values.reduce(report.otherObjects + report.findings.count, +) }

    func add(_ finding: FileFinding) {
        report.findings.append(finding)
    }

    func warn(_ path: String, _ reason: String) {
        add(FileFinding(path: path, line: nil, severity: .warning, reason: reason))
    }

    func visit(_ entry: ObjectFile.Entry) {
        switch entry {
        case .object(let object, let line): check(object, line)
        case .finding(let finding): add(finding)
        case .otherKind: report.otherObjects += 1
        }
    }

    /// Returns the report, with the findings sorted by file and line.
    func finish() -> FileCheckReport {
        report.findings.sort { ($0.path, $0.line ?? 0) < ($1.path, $1.line ?? 0) }
        return report
    }

    private func warn(_ place: Place, _ reason: String) {
        add(FileFinding(path: place.path, line: place.line, severity: .warning, object: place.object, reason: reason))
    }

    // MARK: Objects

    private func check(_ object: ClusterObject, _ line: Int) {
        let place = Place(object: object.reference, path: path, line: line)
        report.objects[place.object.kind, default: 0] += 1
        if let first = objects.updateValue(place, forKey: place.object) {
            add(.twice(place.object, path: path, line: line, first: "\(first.path):\(first.line)"))
            return
        }
        if !namedElsewhere.contains(place.object.kind) { checkNames(place) }
        switch object {
        case .pod(let pod): check(pod, place)
        case .service(let service): check(service, place)
        case .networkSet(let set): check(set, place)
        default: break
        }
    }

    private func checkNames(_ place: Place) {
        let name = place.object.name
        let isLabel = [.namespace, .service].contains(place.object.kind)
        if !(isLabel ? ObjectName.isLabel(name) : ObjectName.isSubdomain(name)) {
            warn(place, "no API server accepts this name")
        }
        if let namespace = place.object.namespace, !ObjectName.isLabel(namespace) {
            warn(place, "no API server accepts this namespace")
        }
    }

    private func check(_ pod: Pod, _ place: Place) {
        // Pods in their node's network share its addresses; a pod that has ended has released its addresses.
        guard pod.phase == .live, !pod.usesHostNetwork else { return }
        for address in pod.addresses {
            guard let first = podAddresses[address] else {
                podAddresses[address] = place
                continue
            }
            guard first.object != place.object else { continue }
            warn(place, "\(address) is an address of \(first.text), too; the newest one is used")
        }
    }

    private func check(_ service: Service, _ place: Place) {
        if !service.addresses.isEmpty, service.ports.isEmpty {
            warn(place, "it has no ports, so that no record can name it")
        }
    }

    private func check(_ set: NetworkSet, _ place: Place) {
        if set.nets.isEmpty, set.domains.isEmpty { warn(place, "it is empty: it has no nets") }
        for range in set.nets {
            let key = RangeOfSet(namespace: place.object.namespace, range: range)
            guard let first = ranges[key] else {
                ranges[key] = place
                continue
            }
            if first.object == place.object {
                warn(place, "\(range) is in it twice")
            } else {
                let winner = min(first.object.name, place.object.name)
                warn(place, "\(range) is in \(first.text), too; \(winner) is used, the first by name")
            }
        }
    }
}
