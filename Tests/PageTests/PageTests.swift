import Foundation
import Testing

@testable import Page

@Suite("The page's files")
struct PageTests {
    private static let web = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Sources/Page/Web").standardizedFileURL

    /// The files of the folder, by the path at which they are served.
    private static func folder() throws -> [String: Data] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: web.path).filter {
            $0.contains(".") && !$0.hasPrefix(".")
        }
        return try Dictionary(
            uniqueKeysWithValues: names.map { name in
                (name == "index.html" ? "/" : "/assets/\(name)", try Data(contentsOf: web.appending(path: name)))
            }
        )
    }

    @Test("Every file of the folder is embedded as it is")
    func embedsEveryFile() throws {
        let folder = try Self.folder()
        #expect(folder.count > 20)
        #expect(Set(Page.files.keys) == Set(folder.keys))
        for (path, data) in folder {
            #expect(Page.files[path]?.bytes == Array(data), "\(path)")
        }
    }

    @Test("The page is at most 600 kB")
    func sizeIsLimited() {
        #expect(Page.files.values.reduce(0) { $0 + $1.bytes.count } <= 600_000)
    }

    @Test("Content types are those of the files' names, and tags differ with the content")
    func filesHaveContentTypesAndEntityTags() {
        let types = [
            "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml",
        ]
        for file in Page.files.values where file.path != "/" {
            #expect(file.contentType == types[String(file.path.split(separator: ".").last ?? "")], "\(file.path)")
        }
        #expect(Page.files["/"]?.contentType == "text/html; charset=utf-8")
        #expect(Set(Page.files.values.map(\.entityTag)).count == Page.files.count)
    }

    @Test("Nothing refers to another host, and nothing is inline")
    func noForeignReferences() throws {
        for file in Page.files.values {
            let text = String(decoding: file.bytes, as: UTF8.self)
                .replacing("http://www.w3.org/2000/svg", with: "")
            #expect(!text.contains(#/(https?:)?\/\/[a-z0-9-]+\.[a-z]/#), "\(file.path)")
            #expect(!text.contains("innerHTML ="), "\(file.path)")
        }
        let page = String(decoding: try #require(Page.files["/"]).bytes, as: UTF8.self)
        #expect(!page.contains(" style=") && !page.contains("<style") && !page.contains("<script>"))
    }

    @Test(
        "The tag is FNV-1a",
        arguments: [("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8")]
    )
    func entityTagIsFNV1a(text: String, hash: String) {
        #expect(Page.entityTag(of: Array(text.utf8)) == "\"\(hash)\"")
    }
}
