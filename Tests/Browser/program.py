"""The program itself behind the page: `weir ui` over the records and the policies of docs/examples."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def path():
    """The program: WEIR, or the newest of .build; None if there is none."""
    if "WEIR" in os.environ:
        return os.environ["WEIR"]
    built = [ROOT / ".build" / kind / "weir" for kind in ("release", "debug")]
    return max((one for one in built if one.exists()), key=lambda one: one.stat().st_mtime, default=None)


class Program:
    """`weir ui` with records, those of the bank's bad hour unless others are given; `base` is its address."""

    def __init__(self, records=ROOT / "docs/examples/hour.jsonl"):
        inventory = ROOT / "docs/examples/bank.yaml"
        self.process = subprocess.Popen(
            [path(), "ui", "--listen", "127.0.0.1:0", "--from", records, "--inventory", inventory],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.base = self.process.stdout.readline().strip().rstrip("/")
        assert self.base.startswith("http://"), f"weir ui ended with {self.process.wait()}"

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
