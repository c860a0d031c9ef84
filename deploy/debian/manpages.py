#!/usr/bin/env python3
"""Writes a manual page for each command of weir, from what the program says of itself.

    weir --experimental-dump-help | deploy/debian/manpages.py FOLDER VERSION

FOLDER gets weir.1, weir-run.1, weir-policy-trace.1 and so on. The date is that of SOURCE_DATE_EPOCH, else today's.
"""

import json
import os
import re
import sys
import time
from pathlib import Path


def roff(text):
    """Text as roff reads it back: no escapes, no hyphenation signs, no requests by accident."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def paragraphs(text):
    """Prose as paragraphs, indented lines as they stand."""
    lines = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        prose = [line for line in block.split("\n") if not line.startswith(" ")]
        verbatim = [line for line in block.split("\n") if line.startswith(" ")]
        lines.append(".PP")
        lines += [roff(line) for line in prose]
        if verbatim:
            lines += [".RS 4", ".nf", *(roff(line.strip()) for line in verbatim), ".fi", ".RE"]
    return lines


def spelled(name):
    """A name of an option with its dashes."""
    return ("--" if name["kind"] == "long" else "-") + name["name"]


def term(argument):
    """The heading of an argument's entry: its names and what follows them."""
    value = rf"\fI{roff(argument.get('valueName', 'value'))}\fR"
    if argument["kind"] == "positional":
        return value
    names = ", ".join(rf"\fB{roff(spelled(name))}\fR" for name in argument["names"])
    return names if argument["kind"] == "flag" else f"{names} {value}"


def explanation(argument):
    """What an entry says below its heading."""
    text = " ".join(part for part in (argument.get("abstract"), argument.get("discussion")) if part)
    values = argument.get("allValues")
    if values and argument["kind"] == "option":
        text += f" One of: {', '.join(values)}."
    default = argument.get("defaultValue")
    if default is not None and "efault:" not in text and argument["kind"] != "flag":
        text += f" Default: {default}."
    return roff(text.strip() or "No description.")


def synopsis(arguments):
    """What may stand behind the command's name."""
    parts = [r"[\fIoption\fR ...]"] if any(a["kind"] != "positional" for a in arguments) else []
    for argument in arguments:
        if argument["kind"] == "positional":
            part = term(argument) + (" ..." if argument["isRepeating"] else "")
            parts.append(f"[{part}]" if argument["isOptional"] else part)
    return " ".join(parts)


def options(arguments):
    """The entries of all arguments, under the titles of their groups."""
    lines, section = [".SH OPTIONS"], None
    for argument in sorted(arguments, key=lambda a: a.get("sectionTitle") is not None):
        if argument.get("sectionTitle") != section:
            section = argument.get("sectionTitle")
            lines.append(f'.SS "{roff(section)}"')
        lines += [".TP", term(argument), explanation(argument)]
    return lines if len(lines) > 1 else []


def page(command, path, version, date):
    """The manual page of one command."""
    title = "-".join(path)
    arguments = [a for a in command.get("arguments", []) if a["shouldDisplay"]]
    children = shown(command)
    lines = [
        f'.TH "{roff(title.upper())}" 1 "{date}" "weir {version}" "Weir"',
        ".SH NAME",
        f"{roff(title)} \\- {roff(command.get('abstract', title).rstrip('.'))}",
        ".SH SYNOPSIS",
        rf".B {roff(' '.join(path))}",
        r"\fIcommand\fR ..." if children else synopsis(arguments),
    ]
    if command.get("discussion"):
        lines += [".SH DESCRIPTION", *paragraphs(command["discussion"])[1:]]
    if children:
        lines.append(".SH COMMANDS")
        for child in children:
            name = "-".join([*path, child["commandName"]])
            lines += [".TP", rf"\fB{roff(name)}\fR(1)", roff(child.get("abstract", ""))]
    lines += options(arguments)
    lines.append(".SH SEE ALSO")
    related = [path[:-1]] if len(path) > 1 else []
    related += [[*path, child["commandName"]] for child in children]
    lines.append(",\n".join(rf"\fB{roff('-'.join(other))}\fR(1)" for other in related))
    return "\n".join(lines) + "\n"


def shown(command):
    """The subcommands that have a page: not help, which the pages replace."""
    return [c for c in command.get("subcommands", []) if c["shouldDisplay"] and c["commandName"] != "help"]


def write(command, path, folder, version, date):
    """Writes the pages of a command and of all below it; returns how many."""
    (folder / ("-".join(path) + ".1")).write_text(page(command, path, version, date), encoding="utf-8")
    return 1 + sum(write(c, [*path, c["commandName"]], folder, version, date) for c in shown(command))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    command = json.load(sys.stdin)["command"]
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    date = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    print(write(command, [command["commandName"]], folder, sys.argv[2], date), "pages", file=sys.stderr)


if __name__ == "__main__":
    main()
