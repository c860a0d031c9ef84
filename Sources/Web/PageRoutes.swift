import Hummingbird
import Page
package import Server

/// Serves the web page's files, which are embedded in the program.
package struct PageRoutes: RouteProvider {
    /// Creates the routes of all files.
    package init() {}

    /// The paths that need no token: the files contain no data of this host, and the page prompts for the API's token.
    package var openPaths: Set<String> { Set(Page.files.keys) }

    /// Adds a route for each file.
    package func addRoutes(to router: ServerRouter) {
        for file in Page.files.values {
            router.get(RouterPath(file.path)) { request, _ in Self.response(file, request) }
        }
    }

    private static func response(_ file: Page.File, _ request: Request) -> Response {
        var headers = HTTPFields()
        for (name, value) in Page.headers {
            if let name = HTTPFields.Element.Name(name) { headers[name] = value }
        }
        headers[.eTag] = file.entityTag
        if request.headers[.ifNoneMatch] == file.entityTag { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = file.contentType
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: file.bytes)))
    }
}
