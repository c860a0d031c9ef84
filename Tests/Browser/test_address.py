"""The address has the whole state of the page; the filter is completed and its errors are shown."""

import re

from browser import Browser
from selenium.webdriver.common.keys import Keys
from support import PageTest, browser, link


class Address(PageTest):
    """The address has the whole state of the page."""

    def test_a_link_shows_the_same_numbers_in_a_clean_browser(self):
        browser.open(link(view="flows", filter='namespace == "shop"', measure="bytes", focus="namespace:shop/shop"))
        before = browser.text("main")
        other = Browser()
        try:
            other.open(browser.address)
            self.assertEqual(re.sub(r"\d+ (s|min) ago", "", other.text("main")), re.sub(r"\d+ (s|min) ago", "", before))
        finally:
            other.close()

    def test_back_undoes_the_last_step(self):
        browser.open(link())
        browser.click(".nav-link", "Records")
        browser.settled()
        box = browser.wait("#filter")
        box.send_keys('action == "deny"', Keys.ENTER)
        browser.until(lambda: "filter=" in browser.address, "the filter is in the address")
        browser.driver.back()
        browser.until(
            lambda: "filter=" not in browser.address and "view=records" in browser.address, "the filter is undone"
        )
        browser.driver.back()
        browser.until(lambda: "view=" not in browser.address, "the page is undone")

    def test_all_pages_have_the_same_range(self):
        browser.open(link(view="records", since="5m"))
        browser.click(".nav-link", "Timeline")
        self.assertIn("since=5m", browser.address)
        browser.click("#time")
        browser.click("#time-menu button", "Last hour")
        browser.until(lambda: "since=1h" in browser.address, "the range is in the address")


class Filters(PageTest):
    def test_errors_are_marked_at_their_position(self):
        browser.open(link(filter='source_nam == "x"'), "main")
        self.assertEqual(browser.wait("#filter-error mark").text, "source_nam")
        self.assertIn("did you mean", browser.text("#filter-error"))
        self.assertEqual(browser.wait("#filter").get_attribute("aria-invalid"), "true")

    def test_completion_of_fields_operators_and_values(self):
        browser.open(link(view="records"))
        browser.key("/")
        box = browser.driver.switch_to.active_element
        self.assertEqual(box.get_attribute("id"), "filter")
        box.send_keys("source_namesp")
        browser.wait("#proposals li", "source_namespace")
        box.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
        browser.until(lambda: box.get_attribute("value") == "source_namespace ", "the field is completed")
        browser.wait("#proposals li", "==")
        box.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
        browser.wait("#proposals li", "yaobank")
        box.send_keys("ya")
        browser.until(lambda: [one.text for one in browser.all("#proposals li")] == ["yaobank"], "values that begin so")
        box.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
        browser.until(lambda: box.get_attribute("value") == 'source_namespace == "yaobank" ', "the value is completed")
        box.send_keys(Keys.ESCAPE)
        browser.script("document.querySelector('.filter').requestSubmit()")
        browser.until(lambda: "yaobank" in browser.address, "the filter is used")
        browser.settled()
        self.assertNotIn("shop/", browser.text("main"))

    def test_click_on_a_value_adds_it_to_the_filter(self):
        browser.open(link(view="records"))
        browser.click(".records-table tbody tr", "DENY")
        browser.click(".fields .value", "customer-856cd6d9f5-*")
        browser.until(lambda: "source_name_aggr" in browser.address, "the filter is in the address")
