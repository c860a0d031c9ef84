import Hummingbird
import Testing

@testable import Web

/// The places of live streams and downloads.
@Suite struct StreamPlacesTests {
    private let routes = APIRoutes(nil, feed: LiveFeed(), isLoopbackOnly: true)

    private func live() -> Response {
        let head = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/api/v1/live")
        return routes.live(Request(head: head, body: RequestBody(buffer: ByteBuffer())))
    }

    /// The router drops the bodies of responses to HEAD, and all responses whose client has gone.
    @Test func droppedResponsesHoldNoPlace() {
        for number in 0..<20 { #expect(live().status == .ok, "\(number)") }
    }

    @Test func ninthStreamIsRefusedUntilOneEnds() {
        var open = (0..<8).map { _ in live() }
        #expect(open.allSatisfy { $0.status == .ok })
        #expect(live().status == .tooManyRequests)
        #expect(live().status == .tooManyRequests)
        open.removeLast()
        open.append(live())
        #expect(open.allSatisfy { $0.status == .ok })
        #expect(live().status == .tooManyRequests)
    }
}
