"""The page without records, without permission and without a server."""

from selenium.webdriver.common.keys import Keys
from support import VIEWS, PageTest, browser, link, site


class States(PageTest):
    """Messages of pages without content: each has a cause and an action."""

    def message(self):
        return browser.wait(".message").text

    def test_pages_without_records_have_a_message(self):
        for view in VIEWS:
            browser.open(link("empty", view=view), "main h2, .message")
            self.assertRegex(browser.text("main"), "Nothing is recorded|weir run|No verdict changed")

    def test_filter_without_matches_shows_the_hidden_records(self):
        browser.open(link(filter='source_namespace == "nowhere"'))
        self.assertRegex(
            browser.until(
                lambda: "The time range has" in self.message() and self.message(), "the count of hidden records"
            ),
            r"has [\d.]+k records",
        )
        browser.click(".message .button", "Remove the filter")
        browser.wait(".tiles")

    def test_range_before_retention_leads_to_the_oldest_hour(self):
        browser.open(link(since="1000", until="2000"))
        self.assertIn("before what is kept", self.message())
        browser.click(".message .button", "Go to the oldest hour")
        browser.wait(".tiles")

    def test_token_is_required_and_removed_from_the_address(self):
        site.mock.token = "secret"
        browser.driver.get(link())
        self.assertIn("A token is needed", self.message())
        browser.click(".message .button", "Enter the token")
        browser.wait(".dialog input").send_keys("secret", Keys.ENTER)
        browser.wait(".tiles")
        browser.script("sessionStorage.clear()")
        browser.driver.get("about:blank")
        browser.open(link() + "#token=secret")
        self.assertNotIn("token", browser.address)

    def test_lost_connection_keeps_the_numbers(self):
        browser.open(link())
        numbers = browser.text(".tiles")
        site.stop()
        self.addCleanup(site.start)
        browser.key("r")
        self.assertIn("No connection to weir ui", self.message())
        self.assertIn(
            "Next attempt in",
            browser.until(lambda: "Next attempt" in self.message() and self.message(), "the time of the next attempt"),
        )
        self.assertEqual(browser.text(".tiles"), numbers)
        site.start()
        browser.click(".message .button", "Try now")
        browser.until(lambda: not browser.all(".outage"), "the connection is back")
