import ClusterModel

/// The objects of each file, to find those that are defined twice.
///
/// Objects are known by 64 bits of a hash with a random key: of 100,000 objects two are taken for one another in one of
/// three billion runs, and then a warning is wrong. Names would need several times the memory.
struct ObjectPlaces {
    private struct Place {
        var source: SourceID
        var line: UInt32
    }

    private var places: [Int: Place] = [:]
    private var paths: [SourceID: String] = [:]

    /// Takes the objects of a file instead of those that it had.
    ///
    /// - Returns: a warning for each object that this or another file has already.
    mutating func replace(_ objects: [(object: ObjectReference, line: Int)], of file: LoadedFile) -> [FileFinding] {
        forget(file.source)
        paths[file.source] = file.path
        var findings: [FileFinding] = []
        for (object, line) in objects {
            let place = Place(source: file.source, line: UInt32(clamping: line))
            guard let other = places.updateValue(place, forKey: object.hashValue) else { continue }
            findings.append(.twice(object, path: file.path, line: line, first: text(other)))
        }
        return findings
    }

    /// Returns the place of an object in a file; nil if that is not known, or another file has defined it later.
    func place(of object: ObjectReference, from source: SourceID) -> String? {
        guard let place = places[object.hashValue], place.source == source else { return nil }
        return text(place)
    }

    /// Forgets the objects of a file.
    mutating func forget(_ source: SourceID) {
        guard paths.removeValue(forKey: source) != nil else { return }
        places = places.filter { $0.value.source != source }
    }

    private func text(_ place: Place) -> String {
        "\(paths[place.source] ?? "?"):\(place.line)"
    }
}

extension FileFinding {
    /// An object that is defined at two places.
    static func twice(_ object: ObjectReference, path: String, line: Int, first: String) -> FileFinding {
        FileFinding(
            path: path,
            line: line,
            severity: .warning,
            object: object,
            reason: "defined twice; the other one is in \(first)"
        )
    }
}
