import ClusterModel

/// The objects of each file, to find objects that are defined twice.
///
/// Objects are identified by 64 bits of a hash with a random key. With 100,000 objects, a collision occurs in one of
/// three billion runs, and causes a false warning. Names would need several times the memory.
struct ObjectPlaces {
    private struct Place {
        var source: SourceID
        var line: UInt32
    }

    private var places: [Int: Place] = [:]
    private var paths: [SourceID: String] = [:]

    /// Replaces the objects of a file.
    ///
    /// - Returns: a warning for each object that this or another file already defines.
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

    /// The place of an object in a file; nil if it is unknown, or if another file defined the object later.
    func place(of object: ObjectReference, from source: SourceID) -> String? {
        guard let place = places[object.hashValue], place.source == source else { return nil }
        return text(place)
    }

    /// Removes the objects of a file.
    mutating func forget(_ source: SourceID) {
        guard paths.removeValue(forKey: source) != nil else { return }
        places = places.filter { $0.value.source != source }
    }

    private func text(_ place: Place) -> String {
        "\(paths[place.source] ?? "?"):\(place.line)"
    }
}

extension FileFinding {
    /// A warning about an object that is defined at two places.
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
