"""A Chromium without a window, for the tests of the page, with functions to find and use elements."""

import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--lang=en",
]


class Browser:
    """One browser; `open` begins anew, with nothing kept from before."""

    def __init__(self):
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_script_timeout(20)
        # This script runs before those of the page, and collects their violations.
        self.cdp(
            "Page.addScriptToEvaluateOnNewDocument",
            {
                "source": """
            window.violations = [];
            addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI));
            window.alert = window.confirm = window.prompt = (text) => window.violations.push("dialog " + text);
        """
            },
        )
        self.size(1280, 800)

    def cdp(self, command, parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def size(self, width, height, dark=False):
        self.width, self.height = width, height
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        self.cdp(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]},
        )

    def open(self, address, ready="main h2, main .message"):
        """Opens an address and waits until the page has loaded."""
        self.driver.get(address)
        self.wait(ready)
        self.settled()

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def until(self, test, what, seconds=15):
        """Waits until a test is true, and returns its value."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = test()
            except Exception as error:  # an element that was just replaced
                value, what = None, f"{what} ({type(error).__name__})"
            if value:
                return value
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.text()[:1500]}"
            time.sleep(0.03)

    def wait(self, selector, text=""):
        """The first element of a selector that is seen and has a text."""
        return self.until(
            lambda: next((one for one in self.all(selector) if one.is_displayed() and text in one.text), None),
            f"{selector} {text}",
        )

    def settled(self):
        """Waits until nothing is being loaded and everything is drawn."""
        self.until(lambda: not self.all(".skeleton") and not self.all(".stale"), "everything loaded")
        self.frame()

    def frame(self):
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))"
        )

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector="body"):
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def click(self, selector, text=""):
        element = self.wait(selector, text)
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.frame()

    def key(self, key):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(key).perform()
        self.frame()

    @property
    def address(self):
        return self.driver.current_url

    def problems(self):
        """Violations of the policy, dialogs and errors on the console; failed requests belong to tests and do not count."""
        noted = self.script("return window.violations ?? []")
        logged = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "/api/v1/" not in entry["message"]
        ]
        return noted + logged

    def picture(self, path):
        """A picture of all of the page, at most 3,000 pixels high."""
        high = min(3000, max(self.height, self.script("return document.documentElement.scrollHeight")))
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": self.width, "height": high, "deviceScaleFactor": 1, "mobile": self.width < 600},
        )
        self.frame()
        self.frame()
        self.driver.save_screenshot(path)
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": self.width, "height": self.height, "deviceScaleFactor": 1, "mobile": self.width < 600},
        )

    def close(self):
        self.driver.quit()
