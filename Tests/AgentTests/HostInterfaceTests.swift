import FlowModel
import Glibc
import Testing

@testable import Agent

/// The interfaces of this host, by index.
struct HostInterfaceTests {
    /// What happens at a time, in ms.
    enum Step: Sendable {
        /// An interface comes up.
        case up(UInt32)
        /// An interface goes away.
        case down(UInt32)
        /// An index is looked up, and is known or not.
        case sought(UInt32, at: Int64, isKnown: Bool)
    }

    /// Steps from when interface 1 is there, and how often the interfaces are read for them.
    struct Run: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var steps: [Step]
        var readings: Int
    }

    static let runs = [
        Run(
            testDescription: "an interface that comes up is found at once",
            steps: [
                .sought(1, at: 0, isKnown: true), .up(2), .sought(1, at: 50, isKnown: true),
                .sought(2, at: 100, isKnown: true), .sought(2, at: 101, isKnown: true),
            ],
            readings: 2
        ),
        Run(
            testDescription: "the first reading is enough",
            steps: [.sought(9, at: 0, isKnown: false)],
            readings: 1
        ),
        Run(
            testDescription: "unknown indices are sought once a second",
            steps: [
                .sought(1, at: 0, isKnown: true), .sought(9, at: 10, isKnown: false),
                .sought(9, at: 20, isKnown: false), .sought(8, at: 1_009, isKnown: false),
                .sought(8, at: 1_010, isKnown: false), .sought(9, at: 1_011, isKnown: false),
            ],
            readings: 3
        ),
        Run(
            testDescription: "behind an unknown index an interface is found after a second",
            steps: [
                .sought(1, at: 0, isKnown: true), .sought(9, at: 10, isKnown: false), .up(2),
                .sought(2, at: 500, isKnown: false), .sought(2, at: 1_010, isKnown: true),
            ],
            readings: 3
        ),
        Run(
            testDescription: "known interfaces are read again after five seconds",
            steps: [
                .sought(1, at: 0, isKnown: true), .down(1), .sought(1, at: 5_000, isKnown: true),
                .sought(1, at: 5_001, isKnown: false),
            ],
            readings: 2
        ),
        Run(
            testDescription: "a reading for an unknown index is valid for five seconds",
            steps: [
                .sought(1, at: 0, isKnown: true), .sought(9, at: 3_000, isKnown: false), .down(1),
                .sought(1, at: 8_000, isKnown: true), .sought(1, at: 8_001, isKnown: false),
            ],
            readings: 3
        ),
    ]

    @Test(arguments: runs)
    func findsNewInterfaces(_ run: Run) {
        var (now, present, readings) = (Int64(0), Set<UInt32>([1]), 0)
        let interfaces = HostInterfaces(
            clock: { now * 1_000_000 },
            read: {
                readings += 1
                let found = present.map { ($0, HostInterface(node: "gw", name: "eth\($0)", addresses: [])) }
                return Dictionary(uniqueKeysWithValues: found)
            }
        )
        for step in run.steps {
            switch step {
            case .up(let index):
                present.insert(index)
            case .down(let index):
                present.remove(index)
            case .sought(let index, let time, let isKnown):
                now = time
                #expect(interfaces.interface(index)?.name == (isKnown ? "eth\(index)" : nil), "\(index) at \(time)")
            }
        }
        #expect(readings == run.readings)
    }

    /// If the interfaces cannot be read, those of the last reading stay.
    @Test func keepsInterfacesThatCannotBeRead() {
        var answers: [[UInt32: HostInterface]?] = [[1: HostInterface(node: "gw", name: "eth1", addresses: [])], nil]
        let interfaces = HostInterfaces(clock: { 0 }, read: { answers.removeFirst() })
        #expect(interfaces.interface(1)?.name == "eth1")
        #expect(interfaces.interface(2) == nil && interfaces.interface(1)?.name == "eth1")
        #expect(answers.isEmpty)
    }

    @Test func readsInterfacesOfThisHost() {
        let interfaces = HostInterfaces(node: "gw")
        let loopback = interfaces.interface(if_nametoindex("lo"))
        #expect(loopback?.name == "lo" && loopback?.node == "gw")
        #expect(interfaces.interface(0) == nil)
    }
}
