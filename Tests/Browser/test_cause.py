"""The denied connection of the bank is found and explained, and numbers are those of the API."""

from selenium.webdriver.common.keys import Keys
from support import PAIR, PageTest, api, browser, link, raw, site


class RootCause(PageTest):
    """The denied connection of the bank is found and explained."""

    def test_overview_to_reason_in_two_clicks(self):
        for width, height in ((1280, 720), (390, 844)):
            browser.size(width, height)
            browser.open(link())
            browser.click(".denied-table .row-link", "customer")
            reason = browser.wait(".reason-line", "denied by the default of tier application because rule 0")
            self.assertIn("requires port 80; it is 2379", reason.text)
            self.assertIn("DENY~", reason.text)
            browser.settled()
            self.assertTrue(self.is_above_the_fold(reason), f"the reason is below the fold at {width}")
            self.assertIn("If staged policies were enforced", browser.text(".trace"))
            self.assertIn("staged:customer-to-database", browser.text(".trace-side.pending"))
            self.assertIn(
                "rule 0 (spec.egress[0]) allow: does not hold: destination port is 80; it is 2379",
                browser.text(".checks"),
            )
            self.assertEqual(len(browser.all(".step.different")), 2)

    def press(self, selector):
        """Chooses a shape of a drawing; its middle may be covered by others."""
        element = browser.wait(selector)
        browser.script("arguments[0].focus()", element)
        browser.key(Keys.ENTER)
        browser.settled()

    def test_ring_with_100_000_flows_to_reason_in_three_clicks(self):
        browser.open(link("large", view="flows"))
        self.press(".arc.other")
        self.press(".arc[aria-label^='yaobank']")
        browser.click(".pair-table .row-link", "database")
        browser.wait(".reason-line", "denied by the default of tier application")

    def test_list_with_100_000_flows_to_reason_in_one_click(self):
        browser.open(link("large", view="flows"))
        browser.click(".pair-table .row-link", "yaobank")
        browser.wait(".reason-line", "denied by the default of tier application")

    def test_record_to_reason_in_one_click(self):
        browser.open(link(view="records", filter='action == "deny"'))
        browser.click(".records-table tbody tr", "customer")
        self.assertIn("because rule 0", browser.wait(".record-detail .trace-sentence").text)


class Numbers(PageTest):
    """The page shows the numbers of the API."""

    def test_tiles_lead_to_as_many_records(self):
        browser.open(link())
        totals = api("overview")["totals"]
        tiles = {
            one.find_element("css selector", ".tile-label").text: one.find_element("css selector", ".tile-value").text
            for one in browser.all(".tile")
        }
        self.assertEqual(tiles["Denied"], str(totals["denied"]["connections"]))
        browser.click(".tile", "Denied")
        browser.settled()
        matched = api("records", filter='action == "deny"')["matched"]
        self.assertIn(f"{matched} record", browser.text(".view-records .card-head"))
        self.assertEqual(len(browser.all(".records-table tbody tr")), min(100, matched))

    def test_pairs_and_other_add_up_to_the_total(self):
        browser.open(link("large", view="flows", by="workload"))
        shown = browser.script("""
            return [...document.querySelectorAll(".pair-table tbody tr, .pair-table tfoot tr")].map((row) => {
                const cell = row.cells[1].querySelector(".number");
                return cell ? Number(cell.title || cell.innerText) : Number(row.cells[1].innerText);
            })""")
        self.assertEqual(sum(shown[:-1]), shown[-1])
        self.assertEqual(shown[-1], api("graph", "large", by="workload")["total"]["denied"]["connections"])

    def test_port_of_a_pair_counts_once(self):
        browser.open(link(**{**PAIR, "port": "", "from": PAIR["from"], "to": "workload:yaobank/summary-5877cf7d76-*"}))
        edges = api("graph", by="workload")["edges"]
        edge = next(one for one in edges if "customer" in one["source"] and "summary" in one["dest"])
        browser.wait(".ports-table tbody tr")
        cells = [cell.text for cell in browser.all(".ports-table tbody tr td")]
        self.assertEqual(cells[0], "80/tcp")
        number = browser.script(
            "const n = document.querySelectorAll('.ports-table tbody td')[3].querySelector('.number'); return n.title || n.innerText"
        )
        self.assertEqual(int(number), edge["allowed"]["connections"])

    def test_export_has_exactly_the_filtered_records(self):
        browser.open(link(view="records", filter="dest_port == 2379"))
        site.mock.requests.clear()
        lines = raw("records", filter="dest_port == 2379", format="ndjson").splitlines()
        self.assertEqual(len(lines), api("records", filter="dest_port == 2379")["matched"])
        site.mock.requests.clear()
        browser.click(".card-actions .button", "JSON lines")
        name, query = browser.until(
            lambda: next((one for one in site.mock.requests if one[1].get("format") == "ndjson"), None),
            "the export is asked for",
        )
        self.assertEqual((name, query["filter"]), ("records", "dest_port == 2379"))
