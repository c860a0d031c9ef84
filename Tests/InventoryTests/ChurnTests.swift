import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct ChurnTests {
    /// Applies 200,000 changes of a cluster, and checks the statistics at intervals.
    @Test func statisticsStayBoundedOverManyChanges() {
        var world = TestWorld()
        var generator = SeededGenerator(state: 3)
        var lives = [Int](repeating: 0, count: 200)
        var high = InventoryStatistics()
        for step in 0..<200_000 {
            let number = Int.random(in: 0..<200, using: &generator)
            switch step % 20 {
            case 0: world.upsert(.networkSet("s\(number % 20)", nets: "20.\(step % 200).0.0/16", labels: "v=\(step)"))
            case 1:
                let port = Service.Port(name: "p\(step)", port: 80)
                world.upsert(.service("s\(number)", at: "172.20.0.\(number)", ports: [port]))
            case 2: world.upsert(.endpoints("e\(number)", of: "s\(step % 7)", at: "10.2.\(step % 9).1", port: 80))
            case 3: world.upsert(.pod("life-of-pod-number-\(number)-\(lives[number])", phase: .ended))
            case 4: world.delete(.service, "s\(number)", in: "shop")
            default:
                world.delete(.pod, "life-of-pod-number-\(number)-\(lives[number])", in: "shop")
                lives[number] += 1
                world.upsert(
                    .pod(
                        "life-of-pod-number-\(number)-\(lives[number])",
                        at: "10.1.\(step % 50).\(number)",
                        uid: "\(number)-\(lives[number])",
                        generateName: "controller-of-number-\(lives[number] % 11)-",
                        labels: "some-long-key-of-a-label=\(lives[number])-and-a-long-value",
                        serviceAccount: "service-account-\(lives[number] % 13)"
                    )
                )
            }
            if step.isMultiple(of: 50) {
                world.wait(seconds: 2)
                _ = world.inventory.snapshot()
            }
            if step.isMultiple(of: 5_000), step >= 20_000 {
                let now = world.inventory.statistics
                if step == 20_000 { high = now }
                #expect(now.addresses <= high.addresses + 100 && now.identities <= high.identities + 100)
                #expect(now.sharedTexts <= high.sharedTexts + 200 && now.pendingExpiries <= high.pendingExpiries + 200)
                #expect(now.servicePorts <= 200 && now.backends <= 200 && now.prefixes <= 20)
            }
        }
        for kind in ObjectKind.allCases { world.apply(.beginReplace(kind), .endReplace(kind)) }
        world.wait(seconds: 10)
        _ = world.inventory.snapshot()
        #expect(world.inventory.statistics == InventoryStatistics())
    }
}
