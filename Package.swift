// swift-tools-version: 6.2
import PackageDescription

/// The settings of targets that import the HTTP server, or what does: Swift 6 mode, warnings are errors.
///
/// Members of C's structs (`stat`, `timespec`) may belong to modules of swift-nio there, which declare them, too, and cannot
/// be imported.
let lenient: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// The settings of every other Swift target: explicit imports, too.
let strict: [SwiftSetting] = lenient + [.enableUpcomingFeature("MemberImportVisibility")]

/// Targets that hold raw memory say `unsafe` at each place that touches it.
let strictMemory: [SwiftSetting] = strict + [.strictMemorySafety()]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let httpClient: [Target.Dependency] = [
    .product(name: "AsyncHTTPClient", package: "async-http-client"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "NIOTLS", package: "swift-nio"),
]

let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let hummingbird: [Target.Dependency] = [
    .product(name: "Hummingbird", package: "hummingbird"),
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "HummingbirdTLS", package: "hummingbird"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
]

let package = Package(
    name: "weir",
    products: [
        .executable(name: "weir", targets: ["weir"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        .target(
            name: "CWeir",
            cSettings: [
                // #embed finds the committed BPF objects here.
                .unsafeFlags(["--embed-dir=\(Context.packageDirectory)/bpf/objects", "-Wno-c23-extensions"]),
                // Undefined behaviour ends a debug build, and with it the tests, with SIGILL.
                .unsafeFlags(["-fsanitize=undefined", "-fsanitize-trap=undefined"], .when(configuration: .debug)),
            ],
            linkerSettings: [.linkedLibrary("bpf"), .linkedLibrary("elf"), .linkedLibrary("z")]
        ),
        .target(name: "FlowModel", swiftSettings: strictMemory),
        .target(name: "Datapath", dependencies: ["FlowModel", "CWeir", "Posix"], swiftSettings: strictMemory),
        .target(name: "ClusterModel", dependencies: ["FlowModel"], swiftSettings: strictMemory),
        .target(
            name: "ClusterSource",
            dependencies: ["ClusterModel", "FlowModel", logging, yams] + httpClient,
            swiftSettings: strict
        ),
        .target(name: "Inventory", dependencies: ["FlowModel", "ClusterModel"], swiftSettings: strict),
        .target(name: "Policy", dependencies: ["FlowModel", "ClusterModel"], swiftSettings: strict),
        .target(name: "FlowLog", dependencies: ["FlowModel"], swiftSettings: strict),
        .target(name: "Names", dependencies: ["FlowModel"], swiftSettings: strict),
        .target(name: "Filter", dependencies: ["FlowModel"], swiftSettings: strict),
        .target(name: "Records", dependencies: ["FlowModel", "ClusterModel", "Policy"], swiftSettings: strict),
        .target(name: "Audit", dependencies: ["ClusterModel", "Posix"], swiftSettings: strict),
        .target(
            name: "Store",
            dependencies: ["FlowModel", "Records", "CZlib", "Posix", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict
        ),
        .target(
            name: "Query",
            dependencies: ["FlowModel", "Records", "Policy", "Filter", "Store"],
            swiftSettings: strict
        ),
        .target(
            name: "API",
            dependencies: ["FlowModel", "Records", "Filter", "Store", "Query"],
            swiftSettings: strict
        ),
        .target(
            name: "Web",
            dependencies: ["API", "Export", "Page", "Posix", "Server", logging] + hummingbird,
            swiftSettings: lenient
        ),
        .target(name: "Screen", dependencies: ["FlowModel", "Records"], swiftSettings: strict),
        .target(name: "Encoding", dependencies: ["FlowModel"], swiftSettings: strictMemory),
        .target(name: "Posix", swiftSettings: strict),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CZstd"),
        .target(name: "Compression", dependencies: ["CZlib", "CZstd"], swiftSettings: strict),
        .target(
            name: "Export",
            dependencies: ["CZlib", "Compression", "FlowModel", "Posix", logging] + httpClient,
            swiftSettings: strict
        ),
        .target(name: "Settings", dependencies: ["FlowModel", "ClusterSource"], swiftSettings: strict),
        .target(name: "Server", dependencies: ["Posix", logging, metrics] + hummingbird, swiftSettings: lenient),
        .target(
            name: "Agent",
            dependencies: [
                "CWeir", "FlowModel", "ClusterModel", "Datapath", "ClusterSource", "Inventory", "Policy", "FlowLog",
                "Names",
                "Filter", "Encoding", "Compression", "Export", "Posix", "Server", "Audit", logging, metrics,
                .product(name: "Hummingbird", package: "hummingbird"),
            ],
            swiftSettings: lenient
        ),
        .target(
            name: "CPage",
            cSettings: [
                // #embed finds the page's files here.
                .unsafeFlags(["--embed-dir=\(Context.packageDirectory)/Sources/Page/Web", "-Wno-c23-extensions"])
            ]
        ),
        .target(name: "Page", dependencies: ["CPage"], exclude: ["Web"], swiftSettings: strict),
        .target(name: "Lab", dependencies: ["CWeir"], swiftSettings: strict),
        .target(
            name: "Bench",
            dependencies: [
                "FlowModel", "CWeir", "Datapath", "ClusterModel", "Inventory", "Policy", "Encoding", "Filter",
                "FlowLog", "Names", "Lab", "Store", "Query", "Audit", "Posix", "Compression", "Export", "Agent",
                logging,
            ],
            swiftSettings: lenient
        ),
        .executableTarget(
            name: "weir",
            dependencies: [
                "Agent", "ClusterModel", "ClusterSource", "Datapath", "Export", "Filter", "FlowModel", "Inventory",
                "Policy", "Server", "Settings", "Lab", "Bench", "Records", "Screen", "Store", "Query", "API", "Web",
                "Audit", "Compression",
                logging, argumentParser,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: lenient
        ),
        .testTarget(name: "FlowModelTests", dependencies: ["FlowModel"], swiftSettings: strict),
        .target(
            name: "SlotModel",
            path: "Tests/SlotModel",
            cSettings: [
                .headerSearchPath("shim"),
                .headerSearchPath("../../bpf"),
                .headerSearchPath("../../Sources/CWeir/include"),
                // ThreadSanitizer's calls before each access to memory are where the model's threads stop; the functions
                // are the model's own. No other sanitizer goes with it.
                .unsafeFlags([
                    "-O1", "-fno-sanitize=all", "-fsanitize=thread", "-mllvm", "-tsan-instrument-read-before-write=1",
                ]),
            ]
        ),
        .target(
            name: "ForeignPrograms",
            dependencies: ["CWeir", "Lab"],
            path: "Tests/ForeignPrograms",
            swiftSettings: strict
        ),
        .testTarget(
            name: "DatapathTests",
            dependencies: ["Datapath", "FlowModel", "CWeir", "ForeignPrograms", "Lab", "SlotModel"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClusterModelTests",
            dependencies: ["ClusterModel", "FlowModel"],
            resources: [.copy("Fixtures")],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClusterSourceTests",
            dependencies: ["ClusterSource", "ClusterModel", "FlowModel", logging] + httpClient,
            resources: [.copy("Fixtures")],
            swiftSettings: strict
        ),
        .testTarget(
            name: "InventoryTests",
            dependencies: ["Inventory", "ClusterModel", "FlowModel"],
            swiftSettings: strict
        ),
        .testTarget(name: "PolicyTests", dependencies: ["Policy", "ClusterModel", "FlowModel"], swiftSettings: strict),
        .testTarget(
            name: "FlowLogTests",
            dependencies: ["FlowLog", "Encoding", "FlowModel"],
            resources: [.copy("Scenarios")],
            swiftSettings: strict
        ),
        .testTarget(name: "NamesTests", dependencies: ["Names", "FlowModel"], swiftSettings: strict),
        .testTarget(name: "FilterTests", dependencies: ["Filter", "Encoding", "FlowModel"], swiftSettings: strict),
        .testTarget(name: "EncodingTests", dependencies: ["Encoding", "FlowModel"], swiftSettings: strict),
        .testTarget(name: "CompressionTests", dependencies: ["Compression"], swiftSettings: strict),
        .testTarget(
            name: "ExportTests",
            dependencies: ["Compression", "Export", "FlowModel", "Posix", logging] + httpClient,
            swiftSettings: strict
        ),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", logging, metrics, .product(name: "NIOEmbedded", package: "swift-nio"),
            ] + httpClient + hummingbird,
            swiftSettings: lenient
        ),
        .testTarget(name: "SettingsTests", dependencies: ["Settings"], swiftSettings: strict),
        .testTarget(name: "RecordsTests", dependencies: ["Records", "FlowModel"], swiftSettings: strict),
        .testTarget(
            name: "AuditTests",
            dependencies: ["Audit", "ClusterModel", "Posix"],
            resources: [.copy("Fixtures")],
            swiftSettings: strict
        ),
        .testTarget(name: "StoreTests", dependencies: ["Store", "Records", "FlowModel"], swiftSettings: strict),
        .testTarget(
            name: "QueryTests",
            dependencies: ["Query", "API", "Store", "Records", "Filter", "Encoding", "FlowModel", "Policy"],
            swiftSettings: strict
        ),
        .testTarget(name: "ScreenTests", dependencies: ["Screen", "Records", "FlowModel"], swiftSettings: strict),
        .testTarget(name: "WebTests", dependencies: ["Web", "API"] + hummingbird, swiftSettings: lenient),
        .testTarget(name: "PageTests", dependencies: ["Page"], swiftSettings: strict),
        .testTarget(name: "LabTests", dependencies: ["Lab", "CWeir"], swiftSettings: strict),
        .testTarget(
            name: "AgentTests",
            dependencies: [
                "Agent", "Audit", "ClusterModel", "Compression", "Datapath", "Encoding", "Export", "Lab", "FlowLog",
                "FlowModel",
                "ForeignPrograms", "Policy", "CWeir", "Server", "Settings", "Posix", logging, yams,
            ],
            swiftSettings: lenient
        ),
    ]
)
