#!/usr/bin/env python3
"""Makes pictures of every page at both widths, light and dark: pictures.py FOLDER [SCENARIO]."""

import os
import sys

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


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    pictures(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "bank")
