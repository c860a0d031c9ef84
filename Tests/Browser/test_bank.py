"""The bank's denied connection, from the overview to its cause, in the page of the program itself."""

import json
import unittest
import urllib.request
from urllib.parse import urlencode

import program
from support import VIEWS, PageTest, browser


@unittest.skipUnless(program.path(), "there is no program: build first, or set WEIR")
class Bank(PageTest):
    """The steps of an operator after a report that the bank's page shows no balance."""

    @classmethod
    def setUpClass(cls):
        cls.program = program.Program()

    @classmethod
    def tearDownClass(cls):
        cls.program.stop()

    def link(self, **state):
        return f"{self.program.base}/?{urlencode({'since': '1h', **state})}"

    def api(self, path, **query):
        with urllib.request.urlopen(f"{self.program.base}/api/v1/{path}?{urlencode({'since': '1h', **query})}") as answer:
            return json.loads(answer.read())

    def test_overview_to_the_cause_and_to_the_preview_of_the_staged_policy(self):
        for width, height in ((1280, 720), (390, 844)):
            browser.size(width, height)
            browser.open(self.link())
            # First click: the denied pair shows the reason.
            browser.click(".denied-table .row-link", "customer")
            reason = browser.wait(".reason-line", "no rule matched, and the tier's default action denied")
            self.assertIn("rule 0 of Calico NetworkPolicy yaobank/application.allow-customer would allow it", reason.text)
            self.assertIn('source is selected by projectcalico.org/namespace == "yaobank" && app == "summary"', reason.text)
            self.assertIn("it is a pod with app=customer", reason.text)
            self.assertIn("DENY~", reason.text)
            self.assertTrue(self.is_above_the_fold(reason), f"the reason is below the fold at {width}")
            self.assertIn("customer-to-database", browser.text(".trace-side.pending"))
            self.assertIn('app == "summary"', "".join(one.text for one in browser.all(".trace-side:not(.pending) .checks")))
            # Second and third click: the preview of the staged policy.
            browser.click(".nav-link", "Policies")
            browser.click(".board-note button", "staged")
            sentence = browser.wait(".preview-result .sentence").text
            self.assertIn("1 pair would be allowed (12 connections)", sentence)
            row = browser.wait(".preview-table tbody tr").text
            for word in ("DENY", "allow", "customer", "database", "2379/tcp", "rule 0 allowed"):
                self.assertIn(word, row)

    def test_numbers_equal_those_of_the_records(self):
        browser.open(self.link())
        denied = self.api("query", filter='action == "deny"', sum="connections")["total"]["sums"][0]
        tile = browser.wait(".tile", "Denied").find_element("css selector", ".tile-value").text
        self.assertEqual(int(tile), denied)

    def test_no_page_breaks_its_policy_or_is_wider_than_the_screen(self):
        for view in VIEWS:
            for width in (1280, 390):
                browser.size(width, 844)
                browser.open(self.link(view=view))
                self.assertEqual(browser.problems(), [], view)
                self.assertLessEqual(browser.script("return document.documentElement.scrollWidth"), width, view)
