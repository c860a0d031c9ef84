import Foundation
import Yams

/// A kubeconfig file (client-go, `tools/clientcmd/api/v1/types.go`).
struct Kubeconfig {
    private let path: String
    private let root: Node

    /// Reads a file.
    init(path: String) throws(KubernetesError) {
        self.path = path
        let text = try readText(path, place: path)
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw KubernetesError(place: path, problem: Self.describe(error), remedy: "mend the file")
        }
        guard let node, node.mapping != nil else {
            throw KubernetesError(
                place: path,
                problem: "not a kubeconfig: it has no clusters, users and contexts",
                remedy: "give the file that kubectl uses"
            )
        }
        root = node
    }

    /// Returns the configuration of a context.
    func configuration(context wanted: String?) throws(KubernetesError) -> KubernetesConfiguration {
        let context = try entry("contexts", "context", named: try contextName(wanted))
        let cluster = try entry("clusters", "cluster", named: try context.required("cluster"))
        let user = try user(of: context)
        var tls = try serverTLS(cluster)
        tls.certificate = try user?.source("client-certificate", relativeTo: path)
        tls.key = try user?.source("client-key", relativeTo: path)
        return try KubernetesConfiguration(
            origin: .kubeconfig(path: path, context: wanted),
            address: try address(of: cluster),
            credentials: try credentials(of: user),
            tls: tls,
            namespace: try context.text("namespace"),
            clusterPlace: cluster.place,
            userPlace: user?.place ?? context.place
        )
    }

    // MARK: Parts

    private func contextName(_ wanted: String?) throws(KubernetesError) -> String {
        if let wanted { return wanted }
        let current = try KubeconfigEntry(place: path, node: root).text("current-context")
        if let current { return current }
        throw KubernetesError(
            place: path,
            problem: "it has no current-context",
            remedy: "name one with --context; there are: \(names(in: "contexts"))"
        )
    }

    /// Finds an entry of a list by its name, and returns its value under `key`.
    private func entry(_ list: String, _ key: String, named name: String) throws(KubernetesError) -> KubeconfigEntry {
        let items = root[list]?.sequence ?? []
        guard let item = items.first(where: { $0["name"]?.scalar?.string == name }) else {
            throw KubernetesError(
                place: path,
                problem: "no \(key) is named \"\(name)\"",
                remedy: "there are: \(names(in: list))"
            )
        }
        return KubeconfigEntry(place: "\(path), \(key) \"\(name)\"", node: item[key] ?? Node(""))
    }

    private func names(in list: String) -> String {
        let names = (root[list]?.sequence ?? []).compactMap { $0["name"]?.scalar?.string }
        return names.isEmpty ? "none" : names.sorted().joined(separator: ", ")
    }

    private func address(of cluster: KubeconfigEntry) throws(KubernetesError) -> ServerAddress {
        let server = try cluster.required("server")
        if let address = ServerAddress(server) { return address }
        throw KubernetesError(
            place: cluster.place,
            problem: "server \"\(server)\" is not a URL of http or https",
            remedy: "write it as in https://10.0.0.1:6443"
        )
    }

    private func serverTLS(_ cluster: KubeconfigEntry) throws(KubernetesError) -> TLSMaterial {
        if cluster.has("proxy-url") {
            throw KubernetesError(
                place: cluster.place,
                problem: "proxy-url is not supported",
                remedy: "give a server that can be reached without a proxy"
            )
        }
        let tls = TLSMaterial(
            authority: try cluster.source("certificate-authority", relativeTo: path),
            skipsVerification: try cluster.flag("insecure-skip-tls-verify"),
            serverName: try cluster.text("tls-server-name")
        )
        if tls.skipsVerification, tls.authority != nil {
            throw KubernetesError(
                place: cluster.place,
                problem: "certificate-authority and insecure-skip-tls-verify exclude each other",
                remedy: "take one of them out"
            )
        }
        return tls
    }

    /// The user of a context; nil if the context has none.
    private func user(of context: KubeconfigEntry) throws(KubernetesError) -> KubeconfigEntry? {
        guard let name = try context.text("user") else { return nil }
        let user = try entry("users", "user", named: name)
        try refuseUnusable(user)
        return user
    }

    private func credentials(of user: KubeconfigEntry?) throws(KubernetesError) -> KubernetesConfiguration.Credentials {
        guard let user else { return .none }
        // As in client-go, `tokenFile` takes precedence over `token`.
        if let file = try user.text("tokenFile") { return .token(.file(KubeconfigEntry.absolute(file, path))) }
        if let token = try user.text("token") { return .token(.fixed(token)) }
        return .none
    }

    /// Refuses settings that need another program, or that would give the agent a different identity.
    private func refuseUnusable(_ user: KubeconfigEntry) throws(KubernetesError) {
        let refused = [
            (["exec"], "exec plugins are not run"),
            (["auth-provider"], "auth-provider is not supported"),
            (["username", "password"], "username and password are not supported"),
            (["as", "as-uid", "as-groups", "as-user-extra"], "acting as another user is not supported"),
        ]
        for (keys, problem) in refused where keys.contains(where: user.has) {
            throw KubernetesError(
                place: user.place,
                problem: problem,
                remedy: "give this user a token, tokenFile, or client-certificate and client-key;"
                    + " kubectl create token prints one for a service account"
            )
        }
    }

    /// The line and the problem; Yams' own text contains the source line, and so perhaps a token.
    private static func describe(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line): not YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, let context):
            "line \(context.mark.line): keys appear twice: \(keys.sorted().joined(separator: ", "))"
        default: "not YAML"
        }
    }
}

/// A cluster, user or context of a kubeconfig file.
struct KubeconfigEntry {
    /// The file and the entry, as in `/root/.kube/config, user "admin"`.
    var place: String
    /// The value of the entry.
    var node: Node

    /// Whether the key has a value that is not null or empty.
    func has(_ key: String) -> Bool {
        guard let value = node[key] else { return false }
        return value.null == nil && value.scalar?.string != ""
    }

    /// The text under a key; nil if it has no value.
    func text(_ key: String) throws(KubernetesError) -> String? {
        guard has(key), let value = node[key] else { return nil }
        if let scalar = value.scalar { return scalar.string }
        throw wrong(key, "is not text")
    }

    /// The text under a required key.
    func required(_ key: String) throws(KubernetesError) -> String {
        if let text = try text(key) { return text }
        throw KubernetesError(place: place, problem: "\(key) is missing", remedy: "add it")
    }

    /// Whether the value of a key is `true`.
    func flag(_ key: String) throws(KubernetesError) -> Bool {
        guard let text = try text(key) else { return false }
        switch text.lowercased() {
        case "true": return true
        case "false": return false
        default: throw wrong(key, "is neither true nor false")
        }
    }

    /// Returns the base64 content of `key-data`, else the path under `key`, as in client-go.
    func source(_ key: String, relativeTo file: String) throws(KubernetesError) -> TLSMaterial.Source? {
        if let data = try text(key + "-data") {
            guard let bytes = Data(base64Encoded: data, options: .ignoreUnknownCharacters), !bytes.isEmpty else {
                throw wrong(key + "-data", "is not base64")
            }
            return .bytes(Array(bytes))
        }
        return try text(key).map { .file(Self.absolute($0, file)) }
    }

    /// A path, resolved relative to the folder of the file that contains it.
    static func absolute(_ path: String, _ file: String) -> String {
        path.hasPrefix("/") ? path : URL(fileURLWithPath: file).deletingLastPathComponent().path + "/" + path
    }

    private func wrong(_ key: String, _ problem: String) -> KubernetesError {
        KubernetesError(place: place, problem: "\(key) \(problem)", remedy: "mend it")
    }
}
