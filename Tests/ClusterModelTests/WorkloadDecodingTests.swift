import ClusterModel
import FlowModel
import Testing

/// Pods, nodes, services, endpoints, network sets and host endpoints in forms that the recordings do not have.
struct WorkloadDecodingTests {
    private static func object(_ rest: String, as kind: ObjectKind) throws -> (ClusterObject, [String]) {
        let (object, findings) = try ObjectDecoder.withFindings(
            #"{"metadata":{"name":"a","namespace":"n"},\#(rest)}"#,
            as: kind
        )
        return (try #require(object), findings)
    }

    // MARK: - Pods

    @Test(arguments: [
        (#""status":{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}]}"#, ["10.0.0.1", "fd00::1"]),
        (#""status":{"podIP":"10.0.0.1"}"#, ["10.0.0.1"]),
        (#""status":{"podIP":"10.0.0.1","podIPs":[]}"#, ["10.0.0.1"]),
        (#""status":{"podIP":"","podIPs":null}"#, []), (#""status":{"podIPs":[{"ip":"FD00:0:0::0001"}]}"#, ["fd00::1"]),
        (#""status":{"podIPs":[{"ip":"10.0.0.1"}]},"status":{"phase":"Running"}"#, []),
    ]) func decodesPodAddresses(_ rest: String, _ expected: [String]) throws {
        let (object, findings) = try Self.object(rest, as: .pod)
        #expect(object.facts["addresses"] == expected)
        #expect(findings == [])
    }

    @Test(arguments: [
        (#""10.0.0.300""#, "10.0.0.300"), (#""10.0.0.1\u0000""#, "10.0.0.1\\u0000"), (#""010.0.0.1""#, "010.0.0.1"),
        (#""fe80::1%eth0""#, "fe80::1%eth0"), (#"" 10.0.0.1""#, " 10.0.0.1"), (#""10.0.0.1/32""#, "10.0.0.1/32"),
    ]) func reportsInvalidAddress(_ text: String, _ shown: String) throws {
        let (object, findings) = try Self.object(#""status":{"podIPs":[{"ip":\#(text)},{"ip":"10.0.0.2"}]}"#, as: .pod)
        #expect(object.facts["addresses"] == ["10.0.0.2"])
        #expect(findings == ["status.podIPs[0].ip: expected an address, found \"\(shown)\""])
    }

    @Test(arguments: [
        ("Pending", false), ("Running", false), ("Succeeded", true), ("Failed", true), ("Unknown", false), ("", false),
        ("failed", false),
    ]) func decodesPhase(_ phase: String, _ isEnded: Bool) throws {
        let (object, _) = try Self.object(#""status":{"phase":"\#(phase)"}"#, as: .pod)
        #expect(object.facts["ended"] == ["\(isEnded)"])
    }

    @Test(
        arguments: [
            (#""containerStatuses":[{"name":"web","containerID":"containerd://c1"}]"#, ["c1": "web"]),
            (#""containerStatuses":[{"name":"web","containerID":""},{"name":"b"},{"containerID":"cri-o://c3"}]"#, [:]),
            (
                #""initContainerStatuses":[{"containerID":"cri-o://c1","name":"init","state":{"terminated":{}}}],"#
                    + #""containerStatuses":[{"name":"a","containerID":"docker://c2"}],"#
                    + #""ephemeralContainerStatuses":[{"name":"debug","containerID":"c3"}]"#,
                ["c1": "init", "c2": "a", "c3": "debug"]
            ),
            (#""containerStatuses":null"#, [:]), (#""phase":"Running""#, [:]),
        ] as [(String, [String: String])]
    ) func decodesContainers(_ status: String, _ expected: [String: String]) throws {
        let (object, findings) = try Self.object(#""status":{\#(status)}"#, as: .pod)
        guard case .pod(let pod) = object else { return #expect(Bool(false)) }
        #expect(Dictionary(uniqueKeysWithValues: pod.containers.map { ($0.identifier, $0.name) }) == expected)
        #expect(findings == [])
    }

    @Test func decodesPodSpec() throws {
        let (object, findings) = try Self.object(
            #"""
            "spec":{"nodeName":"node-a","hostNetwork":true,"serviceAccount":"old","serviceAccountName":"new",
            "initContainers":[{"ports":[{"name":"no","containerPort":1}]},
            {"ports":[{"name":"side","containerPort":2,"protocol":"UDP"}],"restartPolicy":"Always"}],
            "containers":[{"ports":[{"name":"http","containerPort":8080},{"containerPort":9},{"name":"x"},
            {"name":"big","containerPort":65536},{"name":"odd","containerPort":3,"protocol":"QUIC"}]},{"ports":null},{}]}
            """#,
            as: .pod
        )
        guard case .pod(let pod) = object else { return #expect(Bool(false)) }
        #expect(pod.node == "node-a")
        #expect(pod.usesHostNetwork)
        #expect(pod.serviceAccount == "new")
        #expect(
            pod.namedPorts == [
                NamedPort(name: "http", port: 8080), NamedPort(name: "side", port: 2, proto: .udp),
            ]
        )
        #expect(
            findings == [
                "spec.containers[0].ports[3].containerPort: expected a port, 1 to 65535, found 65536",
                #"spec.containers[0].ports[4].protocol: expected a protocol: TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or 1 to 255, found "QUIC""#,
            ]
        )
    }

    // MARK: - Services

    @Test(arguments: [
        (#""clusterIP":"None","clusterIPs":["None"]"#, []), (#""clusterIP":"""#, []),
        (#""clusterIP":"10.0.0.1""#, ["10.0.0.1"]),
        (#""clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1","fd00::1"]"#, ["10.0.0.1", "fd00::1"]),
        (#""type":"ExternalName","externalName":"a.example","externalIPs":["192.0.2.1"]"#, []),
        (#""clusterIP":"10.0.0.1","externalIPs":["192.0.2.1","10.0.0.1"]"#, ["10.0.0.1", "192.0.2.1"]),
        (#""type":"LoadBalancer","loadBalancerIP":"192.0.2.2""#, ["192.0.2.2"]),
        (#""type":"ClusterIP","loadBalancerIP":"192.0.2.2""#, []),
    ]) func decodesServiceAddresses(_ spec: String, _ expected: [String]) throws {
        let (object, findings) = try Self.object(#""spec":{\#(spec)}"#, as: .service)
        #expect(object.facts["addresses"] == expected)
        #expect(findings == [])
    }

    @Test func decodesLoadBalancerAddresses() throws {
        let (object, findings) = try Self.object(
            #""status":{"loadBalancer":{"ingress":[{"hostname":"a.example"},{"ip":"192.0.2.3","ipMode":"VIP"}]}}"#,
            as: .service
        )
        #expect(object.facts["addresses"] == ["192.0.2.3"])
        #expect(findings == [])
    }

    @Test func decodesServicePorts() throws {
        let (object, findings) = try Self.object(
            #"""
            "spec":{"ports":[{"name":"dns","port":53,"protocol":"UDP","targetPort":"dns","nodePort":0},
            {"port":80,"nodePort":30080},{"name":"x","port":0},{"port":"80"}]}
            """#,
            as: .service
        )
        #expect(object.facts["ports"] == ["dns 53 0 udp", "- 80 30080 tcp"])
        #expect(
            findings == [
                "spec.ports[2].port: expected a port, 1 to 65535, found 0",
                #"spec.ports[3].port: expected a number, found "80""#,
            ]
        )
    }

    @Test(arguments: [
        (
            #""addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":false}},{"addresses":["10.0.0.2"]}],"ports":[{"name":"","port":80},{"name":"all"}]"#,
            [#"["10.0.0.1", "10.0.0.2"] ["- 80 tcp"]"#]
        ),
        (#""endpoints":[{"addresses":["a.example"]}],"addressType":"FQDN","ports":[]"#, []),
        (#""addressType":"","endpoints":null,"ports":null"#, []),
        (#""endpoints":[{"addresses":null},{}],"ports":[]"#, []),
        (#""ports":null,"endpoints":[{"addresses":["fd00::1"]}]"#, [#"["fd00::1"] []"#]),
    ]) func decodesEndpointSlice(_ rest: String, _ expected: [String]) throws {
        let (object, findings) = try Self.object(rest, as: .endpointSlice)
        #expect(object.facts["groups"] == expected)
        #expect(object.facts["service"] == [])
        #expect(findings == [])
    }

    /// The readiness of an endpoint by its conditions; absent ones have the API's defaults.
    @Test(arguments: [
        ("null", ServiceEndpoints.Readiness.ready), ("{}", .ready), (#"{"ready":true}"#, .ready),
        (#"{"ready":null,"serving":false}"#, .ready), (#"{"ready":true,"serving":false,"terminating":true}"#, .ready),
        (#"{"ready":false}"#, .notReady), (#"{"ready":false,"serving":true}"#, .notReady),
        (#"{"ready":false,"serving":true,"terminating":false}"#, .notReady),
        (#"{"ready":false,"serving":true,"terminating":true}"#, .serving),
        (#"{"ready":false,"serving":null,"terminating":true}"#, .notReady),
    ])
    func decodesReadiness(_ conditions: String, _ expected: ServiceEndpoints.Readiness) throws {
        let endpoints = [
            #"{"conditions":\#(conditions),"addresses":["10.0.0.1","10.0.0.2"]}"#, #"{"addresses":["10.0.0.2"]}"#,
            #"{"conditions":{"ready":false},"addresses":["10.0.0.3"]}"#,
        ]
        for order in [endpoints, endpoints.reversed()] {
            let slice = #""endpoints":[\#(order.joined(separator: ","))],"ports":[{"port":80}]"#
            let (object, _) = try Self.object(slice, as: .endpointSlice)
            guard case .serviceEndpoints(let endpoints) = object, let group = endpoints.groups.first else {
                throw ObjectIssue(reason: "no group")
            }
            let found = try ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map {
                group.readiness(of: try #require(IPAddress($0)))
            }
            // The best readiness of an address takes precedence.
            #expect(found == [expected, .ready, .notReady])
            #expect(Set(group.addresses).count == 3)
        }
    }

    @Test(
        arguments: [
            ("{}", nil, false), (#"{"type":"ClusterIP","externalName":"a.example"}"#, nil, false),
            (#"{"type":"ExternalName","externalName":"a.example"}"#, "a.example", false),
            (#"{"type":"ExternalName"}"#, "", false), (#"{"selector":{}}"#, nil, false),
            (#"{"selector":null}"#, nil, false),
            (#"{"selector":{"a":"b"}}"#, nil, true),
        ] as [(String, String?, Bool)]
    )
    func decodesServiceTypes(_ spec: String, _ name: String?, _ hasSelector: Bool) throws {
        guard case .service(let service) = try Self.object(#""spec":\#(spec)"#, as: .service).0 else {
            throw ObjectIssue(reason: "no service")
        }
        #expect(service.externalName == name)
        #expect(service.hasSelector == hasSelector)
    }

    @Test func decodesEndpoints() throws {
        let (object, _) = try Self.object(
            #"""
            "subsets":[{"addresses":[{"ip":"10.0.0.1","hostname":"x"}],"notReadyAddresses":[{"ip":"10.0.0.2"}],
            "ports":[{"name":"http","port":80,"protocol":"TCP"}]},{"addresses":null},{"addresses":[{"ip":"10.0.0.3"}]}]
            """#,
            as: .endpoints
        )
        #expect(object.facts["groups"] == [#"["10.0.0.1", "10.0.0.2"] ["http 80 tcp"]"#, #"["10.0.0.3"] []"#])
        #expect(object.facts["service"] == ["a"])
        guard case .serviceEndpoints(let endpoints) = object, let notReady = IPAddress("10.0.0.2") else { return }
        #expect(endpoints.groups.map(\.unready) == [[notReady: .notReady], [:]])
    }

    // MARK: - The rest

    @Test func decodesNode() throws {
        let (object, findings) = try Self.object(
            #"""
            "spec":{"podCIDR":"10.1.0.0/24"},"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"},
            {"type":"Hostname","address":"node-a"},{"type":"Hostname","address":"192.0.2.1"},
            {"type":"ExternalIP","address":"2001:db8::1"}]}
            """#,
            as: .node
        )
        #expect(object.facts["addresses"] == ["192.0.2.1", "2001:db8::1"])
        #expect(object.facts["ranges"] == ["10.1.0.0/24"])
        #expect(object.reference == ObjectReference(kind: .node, namespace: nil, name: "a"))
        #expect(findings == [])
    }

    @Test func decodesNetworkSet() throws {
        let spec =
            #""spec":{"nets":["10.0.0.0/8","x","192.0.2.1",7,"2001:db8::/32"],"allowedEgressDomains":["*.example"]}"#
        for kind in [ObjectKind.networkSet, .globalNetworkSet] {
            let (object, findings) = try Self.object(spec, as: kind)
            #expect(object.kind == kind)
            #expect(object.facts["nets"] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"])
            #expect(object.facts["domains"] == ["*.example"])
            #expect(
                findings == [
                    #"spec.nets[1]: expected a range of addresses as in 10.0.0.0/8, found "x""#,
                    "spec.nets[3]: expected a string, found 7",
                ]
            )
        }
    }

    @Test func decodesHostEndpoint() throws {
        let (object, findings) = try Self.object(
            #"""
            "spec":{"node":"node-a","interfaceName":"eth0","expectedIPs":["192.0.2.1"],"profiles":["p"],
            "ports":[{"name":"ssh","port":22,"protocol":"TCP"},{"name":"x","port":9,"protocol":17}]}
            """#,
            as: .hostEndpoint
        )
        guard case .hostEndpoint(let endpoint) = object else { return #expect(Bool(false)) }
        let expected = HostEndpoint(
            metadata: ObjectMetadata(name: "a"),
            node: "node-a",
            interfaceName: "eth0",
            addresses: [IPAddress(192, 0, 2, 1)],
            profiles: ["p"],
            namedPorts: [NamedPort(name: "ssh", port: 22), NamedPort(name: "x", port: 9, proto: .udp)]
        )
        #expect(endpoint == expected)
        #expect(findings == [])
    }

    /// Null leaves the defaults of Felix.
    @Test func decodesFelixConfiguration() throws {
        let (object, findings) = try Self.object(
            #"""
            "spec":{"bpfEnabled":true,"failsafeInboundHostPorts":[{"port":22,"protocol":"tcp"},
            {"port":68,"protocol":"UDP","net":"10.0.0.0/8"},{"port":443,"net":""}],"failsafeOutboundHostPorts":null}
            """#,
            as: .felixConfiguration
        )
        guard case .felixConfiguration(let configuration) = object else { return #expect(Bool(false)) }
        let expected = FelixConfiguration(
            metadata: ObjectMetadata(name: "a"),
            failsafeInbound: [
                .init(proto: .tcp, port: 22), .init(proto: .udp, port: 68, net: IPPrefix("10.0.0.0/8")),
                .init(proto: .tcp, port: 443),
            ]
        )
        #expect(configuration == expected)
        #expect(findings == [])
    }

    @Test(arguments: [
        #"{"port":0,"protocol":"tcp"}"#, #"{"port":22,"protocol":"icmp"}"#, #"{"port":22,"protocol":"x"}"#,
        #"{"protocol":"tcp"}"#,
        #"{"port":22,"net":"here"}"#, "7",
    ])
    func ignoresInvalidFailsafePorts(_ text: String) throws {
        let (object, findings) = try Self.object(
            #""spec":{"failsafeOutboundHostPorts":[\#(text),{"port":53,"protocol":"udp"}]}"#,
            as: .felixConfiguration
        )
        guard case .felixConfiguration(let configuration) = object else { return #expect(Bool(false)) }
        #expect(configuration.failsafeInbound == nil)
        #expect(configuration.failsafeOutbound == [.init(proto: .udp, port: 53)])
        #expect(!findings.isEmpty)
    }
}
