import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

@testable import Server

/// A log handler that collects lines in memory.
final class QuietLog: LogHandler, Sendable {
    let lines: Mutex<[String]>
    var logLevel: Logger.Level {
        get { .debug }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    subscript(metadataKey _: String) -> Logger.MetadataValue? {
        get { nil }
        set {}
    }

    init() { lines = Mutex([]) }

    func log(event: LogEvent) {
        lines.withLock { $0.append("\(event.level) \(event.message)") }
    }

    var logger: Logger { Logger(label: "test") { _ in self } }
    var text: String { lines.withLock { $0.joined(separator: "\n") } }
}

/// An answer with its body.
struct Answer {
    var status: Int
    var headers: HTTPHeaders
    var body: String
}

/// Sends a request to a URL, with a timeout of five seconds.
func ask(
    _ url: String,
    method: String = "GET",
    _ headers: [(String, String)] = [],
    body: String? = nil,
    trusting root: String? = nil
) async throws -> Answer {
    var configuration = HTTPClient.Configuration(timeout: .init(connect: .seconds(5)))
    if let root {
        configuration.tlsConfiguration = .makeClientConfiguration()
        configuration.tlsConfiguration?.trustRoots = .file(root)
    }
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
        var request = HTTPClientRequest(url: url)
        request.method = .RAW(value: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await client.execute(request, timeout: .seconds(5))
        let bytes = try await response.body.collect(upTo: 64 << 20)
        try await client.shutdown()
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            body: String(buffer: bytes)
        )
    } catch {
        try await client.shutdown()
        throw error
    }
}

/// The URL of a path behind a Unix socket.
func url(socket: String, _ path: String) -> String {
    let escaped = socket.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? socket
    return "http+unix://\(escaped)\(path)"
}

/// A temporary folder that is removed at the end of the test.
final class TestFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "weir-server-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        let file = path + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }

    /// Runs a program in the folder.
    func run(_ arguments: [String], input: String = "") throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: path)
        let inputFile = try write("input-\(UUID().uuidString)", input)
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: inputFile))
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
