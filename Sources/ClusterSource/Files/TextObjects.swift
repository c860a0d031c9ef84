package import ClusterModel

/// The objects of a YAML or JSON text from a request, read like those of a file.
package struct TextObjects: Sendable {
    /// The objects, in the order of the text.
    package private(set) var objects: [ClusterObject] = []
    /// The first hundred findings.
    package private(set) var findings: [FileFinding] = []

    private static let findingLimit = 100

    /// Reads a text.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON.
    ///   - name: the name of the text in findings.
    /// - Throws: an error if it is neither YAML nor JSON, or contains something other than objects.
    package init(_ text: [UInt8], name: String) throws(FileFault) {
        let collector = Collector()
        try ObjectFile(text: text, name: name).read(collector)
        (objects, findings) = (collector.objects, collector.findings)
    }

    private final class Collector: ObjectFileVisitor {
        var objects: [ClusterObject] = []
        var findings: [FileFinding] = []

        func visit(_ entry: ObjectFile.Entry) {
            switch entry {
            case .object(let object, _): objects.append(object)
            case .finding(let finding):
                if findings.count < TextObjects.findingLimit { findings.append(finding) }
            case .otherKind: break
            }
        }
    }
}
