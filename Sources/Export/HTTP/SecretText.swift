import Foundation
import Glibc

/// A secret in a file of its own, which others may not read.
enum SecretText {
    /// The fault of a file with a secret; nil if there is none, or if the file does not exist.
    static func fault(at path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        guard status.st_mode & 0o007 != 0 else { return nil }
        return "\(path): everybody may read it, and it holds a secret; chmod 0600 it"
    }

    /// Reads a secret, without white space around it.
    ///
    /// - Throws: ``Unreadable`` if everybody may read it, or an error of Foundation.
    static func read(_ path: String) throws -> String {
        if let fault = fault(at: path) { throw Unreadable(description: fault) }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Why a secret is not used.
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
