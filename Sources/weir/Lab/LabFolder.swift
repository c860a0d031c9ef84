import Foundation
import Lab

/// The directory of a scenario's files: one that the user chose, or a temporary one that is removed with this object.
final class LabFolder {
    /// The path of the inventory directory.
    let inventory: String
    /// The path of the directory.
    let path: String
    private let isKept: Bool

    /// Creates the directory and writes the inventory.
    ///
    /// - Parameters:
    ///   - kept: the directory that the user chose; nil for a temporary directory.
    ///   - files: the inventory.
    /// - Throws: `CommandFailure` if the directory is not empty, or cannot be written.
    init(keepingIn kept: String?, _ files: [YaobankScenario.InventoryFile]) throws {
        let path = try kept.map(Self.make) ?? Self.makeTemporary()
        self.path = path
        isKept = kept != nil
        inventory = path + "/inventory"
        do {
            try FileManager.default.createDirectory(atPath: inventory, withIntermediateDirectories: false)
            for file in files {
                try Data(file.text.utf8).write(to: URL(fileURLWithPath: "\(inventory)/\(file.name)"))
            }
        } catch {
            throw CommandFailure(description: "write the inventory to \(inventory): \(error.localizedDescription)")
        }
    }

    deinit {
        if !isKept { try? FileManager.default.removeItem(atPath: path) }
    }

    /// The path for the records; nil for a temporary directory.
    var records: String? { isKept ? path + "/records.jsonl" : nil }

    /// The path for the account; nil for a temporary directory.
    var account: String? { isKept ? path + "/account.json" : nil }

    private static func make(_ path: String) throws -> String {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            guard try FileManager.default.contentsOfDirectory(atPath: path).isEmpty else {
                throw CommandFailure(description: "--keep \(path): the folder is not empty")
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(description: "--keep \(path): \(error.localizedDescription)")
        }
        return path
    }

    private static func makeTemporary() throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("weir-lab-\(UUID().uuidString)").path
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw CommandFailure(description: "make \(folder): \(error.localizedDescription)")
        }
        return folder
    }
}
