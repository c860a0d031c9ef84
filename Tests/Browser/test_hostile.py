"""Text from the cluster is shown as text, without any other effect."""

from mock_data import HOSTILE
from selenium.webdriver.common.keys import Keys
from support import VIEWS, PageTest, browser, link


class Hostile(PageTest):
    """Text from the cluster is shown as text, without any other effect."""

    def test_every_page_shows_hostile_names_as_text(self):
        for view in VIEWS:
            for width in (1280, 390):
                browser.size(width, 844)
                browser.open(link("hostile", view=view, by="workload" if view in ("flows", "graph") else ""))
                self.assertEqual(browser.problems(), [])
                self.assertEqual(
                    browser.script(
                        "return document.querySelectorAll('#app script, #app img, #app iframe, #app a[href^=javascript]').length"
                    ),
                    0,
                )
                self.assertFalse(
                    browser.script("return /[\\p{Cf}\\p{Default_Ignorable_Code_Point}]/u.test(document.body.innerText)"),
                    view,
                )
                self.assertLessEqual(
                    browser.script("return document.documentElement.scrollWidth"),
                    width,
                    f"{view} is wider than {width}",
                )

    def test_filters_with_hostile_names(self):
        for name in HOSTILE:
            if '"' in name and "'" in name:
                continue
            quoted = name.replace('"', '""')
            browser.open(link("hostile", view="records", filter=f'source_name_aggr == "{quoted}"'))
            self.assertEqual(browser.problems(), [], name)
            self.assertGreater(len(browser.all(".records-table tbody tr")), 0, name)

    def test_open_records_with_hostile_names(self):
        browser.open(link("hostile", view="records"))
        for _ in range(5):
            browser.key("j")
            browser.key(Keys.ENTER)
            browser.wait(".record-detail .fields")
            browser.key(Keys.ESCAPE)
        self.assertEqual(browser.problems(), [])
