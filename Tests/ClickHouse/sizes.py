"""Measures the files of `weir bench aggregation --folder` in ClickHouse's engine: bytes on disk, merged to one part a day."""

import pathlib
import re
import subprocess
import sys

from chdb import session

weir, scratch, minutes = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
files = scratch / "files"
if len(sys.argv) > 4:
    files = pathlib.Path(sys.argv[4])
else:
    files.mkdir()
    subprocess.run([weir, "bench", "aggregation", "--minutes", str(minutes), "--folder", files], check=True)
server = session.Session(str(scratch / "data"))
for statement in scratch.joinpath("schema.sql").read_text().split(";\n"):
    if statement.strip():
        # The generated day is in the past: the tables must not remove its rows.
        server.query(re.sub(r"\nTTL .*", "", statement.strip().rstrip(";")))


def pieces(path, size=64 << 20):
    """The lines of a file, in pieces."""
    with open(path, "rb") as file:
        while lines := file.readlines(size):
            yield b"".join(lines).decode()


def number(query):
    return int(str(server.query(query)).strip() or 0)


def on_disk(table):
    return number(f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'default' AND table = '{table}'")


names = ["level-0", "level-1", "level-2", "level-3", "default"]
print("| records | as lines, MB/day | in ClickHouse, MB/day | of level 0 | bytes a record | sums by minute, MB/day |\n|---|--:|--:|--:|--:|--:|")
for seconds in [10, 300]:
    first = None
    for name in names:
        path = files / f"{seconds}s-{name}.log"
        for table in ["flows", "flows_minutes"]:
            server.query(f"TRUNCATE TABLE {table}")
        for piece in pieces(path):
            server.query(
                "INSERT INTO default.flows SETTINGS input_format_skip_unknown_fields=0, input_format_null_as_default=1, "
                "date_time_input_format='best_effort', async_insert=0 FORMAT JSONEachRow " + piece)
        for table in ["flows", "flows_minutes"]:
            server.query(f"OPTIMIZE TABLE {table} FINAL")
        with open(path, "rb") as file:
            lines = sum(1 for _ in file)
        assert number("SELECT count() FROM flows") == lines, f"{path}: the table has not all {lines} records"
        factor = 1440 / minutes / 1e6
        size, minute = on_disk("flows"), on_disk("flows_minutes")
        first = first or size
        print(
            f"| `{seconds}s-{name}` | {path.stat().st_size * factor:.1f} | {size * factor:.1f} | {size / first:.3f} | {size / lines:.1f}"
            f" | {minute * factor:.1f} |", flush=True)
# Before the interpreter ends, which the engine's threads do not survive.
server.close()
