"""Nothing to show, no right, no server."""

from selenium.webdriver.common.keys import Keys
from support import VIEWS, PageTest, browser, link, site


class States(PageTest):
    """Nothing to show, each time with a cause and what to do."""

    def message(self):
        return browser.wait(".message").text

    def test_nothing_recorded(self):
        for view in VIEWS:
            browser.open(link("empty", view=view), "main h2, .message")
            self.assertRegex(browser.text("main"), "Nothing is recorded|weir run|No verdict changed")

    def test_filter_hides_everything(self):
        browser.open(link(filter='source_namespace == "nowhere"'))
        self.assertRegex(
            browser.until(
                lambda: "The time range has" in self.message() and self.message(), "the count of hidden records"
            ),
            r"has [\d.]+k records",
        )
        browser.click(".message .button", "Remove the filter")
        browser.wait(".tiles")

    def test_before_retention(self):
        browser.open(link(since="1000", until="2000"))
        self.assertIn("before what is kept", self.message())
        browser.click(".message .button", "Go to the oldest hour")
        browser.wait(".tiles")

    def test_no_permission(self):
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

    def test_no_connection_keeps_what_is_shown(self):
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
