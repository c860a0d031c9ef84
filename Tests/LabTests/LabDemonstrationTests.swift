import Lab
import Testing

@Suite("LabDemonstration", .needsRoot)
struct LabDemonstrationTests {
    @Test func everyConversationCrossesTheNode() throws {
        let demonstration = try LabDemonstration()
        var asked = 0
        let result = try demonstration.generateTraffic(for: .seconds(60)) {
            asked += 1
            return asked > 2
        }
        // Two rounds of 3 UDP, 3 + 2 + 1 + 1 TCP and 2 echo.
        #expect(result.clientSent.messages == 2 * 12)
        #expect(result.serverReceived.messages == 2 * 10)
        #expect(result.clientReceived.messages == 2 * 12)
        #expect(demonstration.interfaces == ["caliclient", "caliweb", "calidb"])
        for interface in demonstration.interfaces {
            #expect(try demonstration.node.counters(of: interface).receivedPackets > 10)
        }
    }

    @Test func trafficEndsAfterDuration() throws {
        let demonstration = try LabDemonstration()
        let duration = try ContinuousClock().measure {
            try demonstration.generateTraffic(for: .milliseconds(150))
        }
        #expect(duration >= .milliseconds(150))
        #expect(duration < .seconds(10))
    }

    @Test func describesParticipantsAndConversations() throws {
        let demonstration = try LabDemonstration()
        #expect(demonstration.participants.map(\.name) == ["node", "client", "web", "db"])
        #expect(demonstration.participants.map(\.ipv4) == ["10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.4"])
        #expect(demonstration.participants.allSatisfy { !$0.role.isEmpty })
        #expect(demonstration.participants.dropFirst().map(\.interface) == demonstration.interfaces)
        #expect(demonstration.conversations.map(\.perSecond) == [30, 30, 20, 10, 10, 10, 10])
        let names = Set(demonstration.participants.map(\.name))
        #expect(demonstration.conversations.allSatisfy { names.contains($0.client) && names.contains($0.server) })
    }
}
