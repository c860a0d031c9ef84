import Foundation
import Lab

/// Where a scenario's files are: a folder of the user's, or one that goes away with this object.
final class LabFolder {
    /// The folder with the inventory.
    let inventory: String
    /// The folder.
    let path: String
    private let isKept: Bool

    /// Makes the folder and writes the inventory.
    ///
    /// - Parameters:
    ///   - kept: where the user wants it; nil for a temporary folder.
    ///   - files: the inventory.
    /// - Throws: `CommandFailure` if the folder holds something already, or cannot be written.
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

    /// Where the records go, if they are kept.
    var records: String? { isKept ? path + "/records.jsonl" : nil }

    /// Where the account goes, if it is kept.
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
