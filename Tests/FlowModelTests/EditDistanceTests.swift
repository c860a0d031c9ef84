import FlowModel
import Testing

/// The suggestions for a mistyped name.
struct EditDistanceTests {
    /// The expected distances were counted by hand.
    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "ab", 2), ("run", "run", 0), ("rnu", "run", 1), ("urn", "run", 1),
        ("tpo", "top", 1), ("iu", "ui", 1), ("helpp", "help", 1), ("kitten", "sitting", 3), ("ca", "abc", 3),
        ("abcd", "badc", 2),
    ])
    func countsExchangedBytesOnce(_ left: String, _ right: String, _ distance: Int) {
        #expect(EditDistance.between(left.utf8, right.utf8) == distance)
        #expect(EditDistance.between(right.utf8, left.utf8) == distance)
    }

    @Test(arguments: [
        ("iu", "ui"), ("rnu", "run"), ("xyz", nil), ("ab", nil), ("interfcae", "interface"),
        ("itnerfcaes", "interface"), ("inte", "interface"), ("aud", "audit"), ("inxxxxce", nil), ("", nil),
        ("INTERFCAE", "interface"), ("au", "audit"), ("a", nil),
    ])
    func distanceLimitGrowsWithNameLength(_ text: String, _ name: String?) {
        #expect(EditDistance.nearest(to: text, among: ["run", "ui", "interface", "audit"]) == name)
    }
}
