"""Shared by the browser tests: one server, one browser, addresses of pages, answers of the API."""

import atexit
import json
import unittest
import urllib.request
from urllib.parse import urlencode

import mock_server
from browser import Browser

VIEWS = ["overview", "flows", "graph", "policies", "timeline", "records"]
# The denied pair of the bank.
PAIR = {
    "view": "flows",
    "by": "workload",
    "from": "workload:yaobank/customer-856cd6d9f5-*",
    "to": "workload:yaobank/database-69f6f4db5b-*",
    "port": "2379/tcp",
}


class Site:
    """The mock server and the browser, started with the first test."""

    def __init__(self):
        self.server, self.mock = mock_server.start("bank")
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self):
        """Ends all connections without an answer, as if nothing listened."""
        self.mock.is_down = True

    def start(self):
        """Answers again."""
        self.mock.is_down = False


site = Site()
browser = Browser()
atexit.register(browser.close)


def link(scenario="bank", **state):
    """The address of a state of the page."""
    return f"{site.base}/{scenario}/?{urlencode(state)}"


def raw(path, scenario="bank", **query):
    """The bytes of an answer of the API."""
    with urllib.request.urlopen(f"{site.base}/{scenario}/api/v1/{path}?{urlencode(query)}") as answer:
        return answer.read()


def api(path, scenario="bank", **query):
    """An answer of the API."""
    return json.loads(raw(path, scenario, **query))


class PageTest(unittest.TestCase):
    """A test that also fails where the page breaks its policy or logs an error."""

    def setUp(self):
        site.mock.token = None
        browser.size(1280, 720)

    def tearDown(self):
        self.assertEqual(browser.problems(), [])

    def is_above_the_fold(self, element):
        return browser.script(
            "const box = arguments[0].getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight",
            element,
        )
