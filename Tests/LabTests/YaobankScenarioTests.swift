import Lab
import Testing

@Suite("YaobankScenario", .needsRoot)
struct YaobankScenarioTests {
    @Test func interfaceNamesFollowCalico() throws {
        let bank = try YaobankScenario()
        for pod in bank.network.pods {
            let digest = try machine("printf yaobank.\(pod.name) | sha1sum")
            #expect(pod.interface == "cali" + digest.prefix(11))
        }
    }

    @Test func servesPagesAndDropsCustomersDatabaseCalls() throws {
        let bank = try YaobankScenario()
        let customer = try bank.pod(.customer)
        let start = ContinuousClock.now
        // Until TCP has tried the first call once more.
        let story = try bank.generateTraffic(for: .seconds(60)) {
            ContinuousClock.now - start > .seconds(30) || ((try? bank.droppedFromCustomer().messages) ?? 0) > 1
        }
        #expect(story.attempts >= 1)
        #expect(story.page.clientReceived.messages == story.accounts.clientReceived.messages)
        #expect(story.page.clientReceived.bytes == 3000 * story.page.clientReceived.messages)
        let dropped = try bank.droppedFromCustomer()
        #expect(dropped.messages > 1)
        // A SYN has 40 bytes of headers and 20 bytes of options.
        #expect(dropped.bytes == 60 * dropped.messages)
        #expect(try bank.dropped() == dropped)
        #expect(try bank.node.counters(of: customer.interface).receivedPackets > UInt64(dropped.messages))
    }

    @Test func leavesNoPendingConnections() throws {
        let bank = try YaobankScenario()
        #expect(try bank.generateTraffic(for: .milliseconds(50)).attempts == 1)
        let customer = try bank.pod(.customer).namespace
        // A program that another test starts at this moment has the sockets until it runs. 02 is SYN_SENT.
        #expect(try eventually { try !customer.command(["cat", "/proc/net/tcp"]).contains(":094B 02 ") })
    }

    @Test func describesParticipantsAndInventory() throws {
        let bank = try YaobankScenario()
        #expect(bank.participants.map(\.name) == [YaobankScenario.nodeName] + bank.network.pods.map(\.name))
        #expect(bank.participants.dropFirst().map(\.interface) == bank.interfaces)
        let names = ["cluster", "pods", "tiers", "networksets", "policies", "staged"]
        #expect(bank.inventory.map(\.name) == names.map { $0 + ".yaml" })
        #expect(bank.inventory.allSatisfy { $0.text.hasPrefix("apiVersion: v1\nitems:\n- apiVersion: ") })
    }
}
