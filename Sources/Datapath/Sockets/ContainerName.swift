/// The identifiers of containers in the names of their cgroups.
package enum ContainerName {
    /// The possible lengths of an identifier; 64 digits are usual.
    private static let sizes = 32...64

    /// The identifier in the text of `/proc/PID/cgroup` (cgroups(7)): lines of `number:controllers:path`.
    ///
    /// The hierarchy of version 2, number 0, comes first.
    package static func identifier(inMemberships text: String) -> String? {
        let lines = text.split(separator: "\n").map {
            $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        }
        let paths = lines.filter { $0.count == 3 }
        let ordered = paths.filter { $0[0] == "0" } + paths.filter { $0[0] != "0" }
        return ordered.lazy.compactMap { identifier(inPath: $0[2]) }.first
    }

    /// The identifier in the path of a cgroup.
    ///
    /// The first directory with an identifier counts: the container itself may have created the directories below it, under any
    /// name.
    private static func identifier(inPath path: Substring) -> String? {
        path.split(separator: "/").lazy.compactMap(identifier(inName:)).first
    }

    /// The identifier in the name of one directory.
    ///
    /// With systemd the name is `cri-containerd-ID.scope`, `crio-ID.scope`, `docker-ID.scope` or `libpod-ID.scope`; without,
    /// the identifier alone.
    package static func identifier(inName name: Substring) -> String? {
        let suffix = ".scope"
        guard name.hasSuffix(suffix) else { return isIdentifier(name) ? String(name) : nil }
        // The process that monitors a container of CRI-O or Podman (crio-conmon-ID.scope) is not part of the container.
        guard let dash = name.lastIndex(of: "-"), !name[..<dash].hasSuffix("-conmon") else { return nil }
        let part = name[name.index(after: dash)...].dropLast(suffix.count)
        return isIdentifier(part) ? String(part) : nil
    }

    private static func isIdentifier(_ text: Substring) -> Bool {
        sizes.contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
