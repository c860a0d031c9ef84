#!/usr/bin/env python3
"""Makes pictures of the page.

    pictures.py FOLDER [SCENARIO]    every page at both widths, light and dark, of made records
    pictures.py --docs               those of docs/pictures, of the program of the bank
"""

import json
import os
import sys
import tempfile
from urllib.parse import urlencode

import mock_data
import program
from support import PAIR, VIEWS, browser, link


def pictures(folder, scenario):
    """Pictures of every page at both widths, light and dark."""
    os.makedirs(folder, exist_ok=True)
    states = {
        **{view: {"view": view} for view in VIEWS},
        "pair": PAIR,
        "record": {"view": "records", "filter": 'action == "deny"'},
    }
    for width in (1280, 390):
        for theme in ("light", "dark"):
            browser.size(width, 844 if width == 390 else 800, theme == "dark")
            for name, state in states.items():
                browser.open(link(scenario, **state))
                if name == "record":
                    browser.click(".records-table tbody tr", "DENY")
                browser.picture(f"{folder}/{name}-{width}-{theme}.png")


def documents():
    """The overview of the bank with a shop around it, and the denied pair of the bank's bad hour in the visualizer."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        bank = mock_data.bank(1_790_000_100)
        for number in range(len(bank.records)):
            file.write(json.dumps(bank.record(number)) + "\n")
        file.flush()
        document("overview", program.Program(file.name), 800, since="15m")
    document("visualizer", program.Program(), 700, since="1h", **PAIR)


def document(name, page, height, **state):
    """A picture of a page of the program, which is ended."""
    try:
        browser.size(1160, height)
        browser.open(f"{page.base}/?{urlencode(state)}")
        browser.driver.save_screenshot(str(program.ROOT / f"docs/pictures/page-{name}.png"))
    finally:
        page.stop()


if __name__ == "__main__":
    if sys.argv[1:] == ["--docs"]:
        documents()
    elif len(sys.argv) in (2, 3):
        pictures(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "bank")
    else:
        sys.exit(__doc__)
