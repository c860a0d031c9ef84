import Foundation
import Glibc
import Posix

/// Reads a secret from a file, which other users must not be able to read.
enum SecretText {
    private static let largest = 1 << 20

    /// Returns the error of a file with a secret; nil if there is none, or if the file does not exist.
    static func fault(at path: String) -> String? {
        guard access(path, F_OK) == 0 else { return nil }
        do {
            _ = try bytes(of: path)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Reads a secret, without surrounding white space.
    ///
    /// - Throws: ``Unreadable`` if all users can read it, or if another user can redirect its path.
    static func read(_ path: String) throws -> String {
        let text = String(decoding: try bytes(of: path), as: UTF8.self)
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func bytes(of path: String) throws -> [UInt8] {
        do {
            let file = try TrustedFile.openForReading(path)
            let (size, type) = try file.status()
            guard type == S_IFREG, size <= largest else {
                throw Unreadable(description: "\(path): it is no regular file of 1 MiB at most")
            }
            guard try file.permissions() & 0o007 == 0 else {
                throw Unreadable(description: "\(path): everybody may read it, and it holds a secret; chmod 0600 it")
            }
            return try file.read(size, at: 0)
        } catch let error as FileError {
            throw Unreadable(description: "\(path): \(error.reason); \(error.advice)")
        }
    }

    /// The reason why a secret is rejected.
    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }
}

extension HTTPOptions {
    /// The files that hold secrets.
    var secretFiles: [String] {
        [passwordFile, tokenFile, apiKeyFile, keyFile ?? certificateFile].compactMap(\.self)
    }
}
