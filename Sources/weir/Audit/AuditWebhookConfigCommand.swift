import ArgumentParser
import FoundationEssentials
import Server

extension AuditCommand {
    /// `weir audit webhook-config`: prints the kubeconfig by which an API server finds `weir run --audit-listen`.
    struct WebhookConfig: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "webhook-config",
            abstract: "Print the file for kube-apiserver's --audit-webhook-config-file.",
            discussion: """
                It has the contents of the files, so that the API server needs no other one. With a token or a key it is a \
                secret. docs/audit.md has the flags that go with it.

                Examples:
                  weir audit webhook-config --server http://127.0.0.1:9466/audit
                  weir audit webhook-config --server https://10.0.0.7:9466/audit --ca ca.crt --token-file audit.token
                  weir audit webhook-config --server https://10.0.0.7:9466/audit --ca ca.crt \
                    --client-certificate api-server.crt --client-key api-server.key
                """
        )

        @Option(help: ArgumentHelp("The URL of weir run --audit-listen.", valueName: "url"))
        var server: String

        @Option(
            help: ArgumentHelp("The certificates in PEM that signed --audit-certificate.", valueName: "path")
        )
        var ca: String?

        @Option(help: ArgumentHelp("The file of --audit-token-file.", valueName: "path"))
        var tokenFile: String?

        @Option(
            help: ArgumentHelp(
                "The API server's certificate in PEM, signed by one of --audit-client-ca.",
                valueName: "path"
            )
        )
        var clientCertificate: String?

        @Option(help: ArgumentHelp("The key in PEM of --client-certificate.", valueName: "path"))
        var clientKey: String?

        func validate() throws {
            let isPlain = server.hasPrefix("http://")
            guard isPlain || server.hasPrefix("https://"),
                server.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c })
            else { throw ValidationError("--server '\(server)': a URL such as https://127.0.0.1:9466/audit is needed") }
            guard (clientCertificate == nil) == (clientKey == nil) else {
                throw ValidationError("--client-certificate and --client-key belong together: give both, or none")
            }
            guard !isPlain || (ca == nil && clientKey == nil) else {
                throw ValidationError("--server \(server): certificates need https")
            }
        }

        func run() throws {
            do throws(ServerError) {
                print(try text(), terminator: "")
            } catch {
                throw CommandFailure(description: "\(error)")
            }
        }

        private func text() throws(ServerError) -> String {
            let user = try [
                tokenFile.map { path throws(ServerError) in "token: \"\(try Self.token(path))\"" },
                clientCertificate.map { path throws(ServerError) in
                    "client-certificate-data: \(Self.encoded(try SecretFile.readPublic(path)))"
                },
                clientKey.map { path throws(ServerError) in
                    "client-key-data: \(Self.encoded(try SecretFile.read(path)))"
                },
            ]
            .compactMap(\.self)
            let authority = try ca.map { path throws(ServerError) in
                "\n    certificate-authority-data: \(Self.encoded(try SecretFile.readPublic(path)))"
            }
            return """
                # For kube-apiserver: --audit-webhook-config-file=PATH --audit-policy-file=POLICY \
                --audit-webhook-mode=batch
                \(user.isEmpty ? "" : "# A secret: only the API server's user may read it (chmod 0600).\n")apiVersion: v1
                kind: Config
                clusters:
                - name: weir
                  cluster:
                    server: "\(server)"\(authority ?? "")
                users:
                - name: api-server
                  user:\(user.isEmpty ? " {}" : user.map { "\n    \($0)" }.joined())
                contexts:
                - name: weir
                  context: {cluster: weir, user: api-server}
                current-context: weir

                """
        }

        private static func token(_ path: String) throws(ServerError) -> String {
            let text = String(decoding: try SecretFile.read(path), as: UTF8.self)
            let token = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }) else {
                throw .file(path, reason: "a token is one line of printable characters without quotes")
            }
            return token
        }

        private static func encoded(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
    }
}
