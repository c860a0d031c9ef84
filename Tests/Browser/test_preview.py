"""A change of policies is previewed on recorded flows, and staged policies lead to the flows that they would change."""

from support import PageTest, api, browser, link

CHANGE = "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: x, namespace: yaobank}\n"


class Preview(PageTest):
    """The preview on the page of policies."""

    def open(self):
        browser.open(link(view="policies"))
        browser.click(".card-actions .button", "Preview a change")
        browser.wait(".preview-text")

    def ask(self):
        browser.click(".preview-actions .primary")
        return browser.wait(".preview-result .sentence").text

    def test_staged_policies_are_previewed_and_lead_to_the_records(self):
        self.open()
        self.assertFalse(browser.wait(".preview-actions .primary").is_enabled())
        browser.click(".check")
        differs = api("overview")["totals"]["pending_differs"]["connections"]
        sentence = self.ask()
        self.assertIn(f"1 pair would be allowed ({differs} connections)", sentence)
        row = browser.wait(".preview-table tbody tr")
        for word in ("DENY", "allow", "customer", "database", "2379/tcp", "now: ", "then: rule 0 allows"):
            self.assertIn(word, row.text)
        browser.click(".preview-table .row-link")
        browser.settled()
        self.assertIn("dest_port == 2379", browser.script("return new URLSearchParams(location.search).get('filter')"))
        self.assertGreater(len(browser.all(".records-table tbody tr")), 0)

    def test_a_change_without_effect_is_reported(self):
        self.open()
        browser.wait(".preview-text").send_keys(CHANGE)
        self.assertIn("Nothing would change", self.ask())
        self.assertIn("+ NetworkPolicy", browser.text(".preview-changes"))
        self.assertIn("weir policy preview --inventory PATH --change FILE", browser.text(".preview-result code"))
        # The result is marked as stale once the change is edited.
        browser.wait(".preview-text").send_keys("# more")
        browser.wait(".preview-result.stale")

    def test_an_error_in_the_change_is_shown_as_text(self):
        self.open()
        browser.wait(".preview-text").send_keys("<script>alert(1)</script><img src=x onerror=alert(2)>")
        browser.click(".preview-actions .primary")
        message = browser.wait(".preview-card .message")
        self.assertIn("line 1: not YAML: <script>alert(1)</script>", message.text)
        self.assertEqual(browser.script("return document.querySelectorAll('.preview-card script').length"), 0)

    def test_the_preview_fits_a_narrow_screen(self):
        browser.size(390, 844)
        self.open()
        browser.click(".check")
        self.ask()
        self.assertLessEqual(browser.script("return document.documentElement.scrollWidth"), 390)

    def test_staged_policies_lead_to_flows(self):
        browser.open(link(view="policies", show="staged"))
        browser.click(".would a", "allow")
        browser.wait(".view-flows .pair-table")
        self.assertIn("yaobank", browser.text(".pair-table"))
        browser.open(link(view="policies"))
        browser.click(".board-note button", "staged")
        browser.wait(".preview-result .sentence")

    def test_unused_policies_and_rules_are_marked(self):
        browser.open(link(view="policies", show="unused"))
        self.assertEqual(len(browser.all(".policy")), 1)
        self.assertIn("unused", browser.text(".policy .badge"))
        self.assertIn("destination port is 8080", browser.text(".rule-text"))
        self.assertIn("1 policy", browser.text(".board-note"))
