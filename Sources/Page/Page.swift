internal import CPage

/// The web page: its files, embedded in the program.
///
/// It only sends requests to `/api/v1` of the server that serves it.
package enum Page {
    /// A file of the page.
    package struct File: Sendable {
        /// The path of the file, such as `/assets/main.js`.
        package let path: String
        /// The value of `Content-Type`.
        package let contentType: String
        /// The content.
        package let bytes: [UInt8]
        /// The value of `ETag`, in quotes; it is derived from the content.
        package let entityTag: String
    }

    /// All files by path; `/` is the page.
    package static let files: [String: File] = {
        var files: [String: File] = [:]
        for index in 0..<weir_page_file_count() {
            let file = File(weir_page_file_at(index))
            files[file.path] = file
        }
        return files
    }()

    /// The headers of every response with a file of the page.
    ///
    /// The page cannot load, run or request anything from other servers, and other pages cannot show it in a frame.
    package static let headers: [(name: String, value: String)] = [
        (
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
    ]
}

extension Page.File {
    init(_ file: weir_page_file) {
        let bytes = Array(UnsafeBufferPointer(start: file.bytes, count: file.size))
        self.init(
            path: String(cString: file.path),
            contentType: String(cString: file.content_type),
            bytes: bytes,
            entityTag: Page.entityTag(of: bytes)
        )
    }
}

extension Page {
    /// Returns the 64-bit FNV-1a hash; collisions are harmless, because the files are our own.
    static func entityTag(of bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "\"\(String(hash, radix: 16))\""
    }
}
