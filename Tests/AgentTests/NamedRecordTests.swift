import Agent
import Foundation
import Lab
import Testing

/// Real traffic between pods that an inventory names: records field by field as the format documents them.
@Suite(.serialized, .needsRoot)
struct NamedRecordTests {
    /// A connection, and its records.
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var client: Peer
        var called: (address: String, port: UInt16)
        var server: Peer
        var answering: (address: String, port: UInt16)
        /// The expected records, in order: reporter, then fields and their values.
        var records: [[String: String]]
        var testDescription: String { name }
    }

    /// The place of a socket.
    enum Peer: Sendable {
        case pod(String)
        case node
        case outside
    }

    private static let client = [
        "source_type": "wep", "source_name": "client-7d4f9c-x2", "source_name_aggr": "client-7d4f9c-*",
        "source_namespace": "shop", "source_labels": "app=client",
    ]
    private static let web = [
        "dest_type": "wep", "dest_name": "web-7d4f9c-x3", "dest_name_aggr": "web-7d4f9c-*", "dest_namespace": "shop",
        "dest_labels": "app=web",
    ]
    private static let partners = [
        "type": "ns", "name": "partners", "name_aggr": "partners", "namespace": "-", "labels": "trust=partner",
    ]
    private static let host = ["type": "hep", "name": "node-1", "name_aggr": "node-1", "namespace": "-"]
    private static let noService = [
        "dest_service_namespace": "-", "dest_service_name": "-", "dest_service_port": "-",
        "dest_service_port_num": "null",
    ]
    private static let service = [
        "dest_service_namespace": "shop", "dest_service_name": "web", "dest_service_port": "http",
        "dest_service_port_num": "80",
    ]

    private static func record(_ reporter: String, _ parts: [String: String]...) -> [String: String] {
        parts.reduce(["reporter": reporter, "action": "allow", "proto": "tcp", "num_flows": "1"]) { all, part in
            all.merging(part) { _, new in new }
        }
    }

    private static func end(_ prefix: String, _ part: [String: String]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: part.map { ("\(prefix)_\($0.key)", $0.value) })
    }

    private static func addresses(_ source: String, _ destination: String, _ port: UInt16) -> [String: String] {
        ["source_ip": source, "dest_ip": destination, "dest_port": "\(port)"]
    }

    static let cases = [
        Case(
            name: "pod to pod on one node",
            client: .pod("client"),
            called: ("10.77.0.3", 8080),
            server: .pod("web"),
            answering: ("10.77.0.3", 8080),
            records: [
                record("src", client, web, noService, addresses("10.77.0.2", "10.77.0.3", 8080)),
                record("dst", client, web, noService, addresses("10.77.0.2", "10.77.0.3", 8080)),
            ]
        ),
        Case(
            name: "pod to pod over IPv6",
            client: .pod("client"),
            called: ("fd77::3", 8080),
            server: .pod("web"),
            answering: ("fd77::3", 8080),
            records: [
                record("src", client, web, noService, addresses("fd77::2", "fd77::3", 8080)),
                record("dst", client, web, noService, addresses("fd77::2", "fd77::3", 8080)),
            ]
        ),
        Case(
            name: "pod to service",
            client: .pod("client"),
            called: ("10.96.0.10", 80),
            server: .pod("web"),
            answering: ("10.77.0.3", 8080),
            records: [
                record(
                    "src",
                    client,
                    web,
                    service,
                    addresses("10.77.0.2", "10.77.0.3", 8080),
                    ["nat_outgoing_ports": "null"]
                )
            ]
        ),
        Case(
            name: "pod to service over IPv6",
            client: .pod("client"),
            called: ("fd96::10", 80),
            server: .pod("web"),
            answering: ("fd77::3", 8080),
            records: [record("src", client, web, service, addresses("fd77::2", "fd77::3", 8080))]
        ),
        Case(
            name: "pod to outside with masquerade",
            client: .pod("client"),
            called: (ClusterNode.outsideAddress, 443),
            server: .outside,
            answering: (ClusterNode.outsideAddress, 443),
            records: [
                record(
                    "src",
                    client,
                    end("dest", partners),
                    noService,
                    addresses("10.77.0.2", ClusterNode.outsideAddress, 443),
                    ["nat_outgoing_ports": "[4xxxx]"]
                )
            ]
        ),
        Case(
            name: "outside to node port",
            client: .outside,
            called: (ClusterNode.nodeAddress, ClusterNode.nodePort),
            server: .pod("web"),
            answering: ("10.77.0.3", 8080),
            records: [
                record(
                    "dst",
                    end("source", partners),
                    web,
                    service.merging(["dest_service_port_num": "30080"]) { _, new in new },
                    addresses(ClusterNode.outsideAddress, "10.77.0.3", 8080)
                )
            ]
        ),
        Case(
            name: "host to pod",
            client: .node,
            called: ("10.77.0.3", 8080),
            server: .pod("web"),
            answering: ("10.77.0.3", 8080),
            records: [record("dst", end("source", host), web, noService, addresses("10.77.0.1", "10.77.0.3", 8080))]
        ),
        Case(
            name: "host to outside",
            client: .node,
            called: (ClusterNode.outsideAddress, 443),
            server: .outside,
            answering: (ClusterNode.outsideAddress, 443),
            records: [
                record(
                    "src",
                    end("source", host),
                    end("dest", partners),
                    noService,
                    addresses(ClusterNode.nodeAddress, ClusterNode.outsideAddress, 443),
                    ["nat_outgoing_ports": "null"]
                )
            ]
        ),
    ]

    /// Interfaces are found by Calico's names, and by the routes to pods.
    @Test(arguments: cases, ["cali", "vt"])
    func recordsNameBothEnds(_ test: Case, interfacePrefix: String) throws {
        let folder = try TemporaryFolder()
        let cluster = try ClusterNode(folder, interfacePrefix: interfacePrefix)
        let interfaces = ClusterNode.pods.map { interfacePrefix + $0 } + ["eth0"]
        let weir = try WeirRun(
            in: cluster.network.node,
            folder,
            watching: interfaces,
            ["--aggregation-allowed", "1", "--inventory", cluster.inventory, "--host", "node-1"]
        )
        try talk(test, cluster)
        try weir.finish()

        let records = try weir.lines.map { try Self.fields($0) }
        let sent = records.filter {
            $0["dest_port"] == "\(test.answering.port)" || $0["dest_port"] == "\(test.called.port)"
        }
        for expected in test.records {
            let found = sent.first { $0["reporter"] == expected["reporter"] && $0["proto"] == "tcp" }
            let record = try #require(found, "no \(expected["reporter"] ?? "") record in \(weir.lines)")
            for (field, value) in expected {
                #expect(Self.matches(record[field], value), "\(field) is \(record[field] ?? "not there") in \(record)")
            }
        }
        if test.records.allSatisfy({ $0["reporter"] == "src" }), case .outside = test.server {
            // A flush that falls into the connection makes two records of the same flow.
            let fields = ["reporter", "source_ip", "dest_ip", "dest_port"]
            let flows = Set(sent.map { record in fields.map { record[$0] } })
            #expect(flows.count == test.records.count, "the connection is reported twice: \(sent)")
        }
        Self.expectMirrored(sent)
        #expect(try weir.report().balanced)
    }

    private func talk(_ test: Case, _ cluster: ClusterNode) throws {
        let connection = try HeldConnection(
            .tcp,
            from: try namespace(test.client, cluster),
            to: .init(try LabAddress(test.called.address), test.called.port),
            answeredIn: try namespace(test.server, cluster),
            at: .init(try LabAddress(test.answering.address), test.answering.port)
        )
        connection.close()
    }

    private func namespace(_ peer: Peer, _ cluster: ClusterNode) throws -> NetworkNamespace {
        switch peer {
        case .pod(let name): try cluster.network.pod(name).namespace
        case .node: cluster.network.node
        case .outside: cluster.outside
        }
    }

    /// Expects that one side received exactly what the other sent: nothing is lost on a veth.
    private static func expectMirrored(_ records: [[String: String]]) {
        let (sources, destinations) = (
            records.filter { $0["reporter"] == "src" }, records.filter { $0["reporter"] == "dst" }
        )
        guard sources.count == 1, destinations.count == 1 else { return }
        for (left, right) in [("bytes_in", "bytes_out"), ("packets_in", "packets_out")] {
            #expect(sources[0][left] == destinations[0][right])
            #expect(sources[0][right] == destinations[0][left])
        }
    }

    /// A record's fields as text: labels joined, numbers in decimal, null as `null`.
    static func fields(_ line: Substring) throws -> [String: String] {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        return object.mapValues { value in
            switch value {
            case is NSNull: "null"
            case let labels as [String: [String]]: (labels["labels"] ?? []).joined(separator: ",")
            case let numbers as [Int]: "[" + numbers.map(String.init).joined(separator: ",") + "]"
            default: "\(value)"
            }
        }
    }

    /// Whether a value is the one that is expected; `x` in the latter stands for any digit.
    private static func matches(_ value: String?, _ expected: String) -> Bool {
        guard let value, value.count == expected.count || !expected.contains("x") else { return false }
        guard expected.contains("xx") else { return value == expected }
        return zip(value, expected).allSatisfy { $0 == $1 || ($1 == "x" && $0.isNumber) }
    }
}
