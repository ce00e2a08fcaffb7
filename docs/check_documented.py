#!/usr/bin/env python3
"""Fails when a public name of the headers has no documentation, or is missing from the reference.

    check_documented.py [--xml DIR] [--pages DIR]

Public is every macro, function, variable, type, enumerator, structure and field in Doxygen's XML,
except names that end in an underscore and whatever stands between @cond and @endcond.
A name that does not begin with vmm_, VMM_, NAME_ or FAR_ (the stamped families) is an error too: the headers
promise not to take such names.

The reference holds a name when a Breathe directive on some page asks for it: by its group
(doxygengroup), or by itself (doxygenfunction, doxygenstruct, doxygendefine ...). A directive that
asks for what does not exist is the Sphinx build's own error.

Run after Doxygen. Exit status: 0 all is well, 1 names were found (each on its own line), 2 the input
cannot be read.
"""

import argparse
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PREFIXES = ("vmm_", "VMM_", "NAME_", "FAR_")
RECORDS = ("struct", "union")
DIRECTIVE = re.compile(r"^ *\.\. doxygen(group|function|define|typedef|enum|enumvalue|variable|struct|union)::"
                       r" *(.*\S)", re.MULTILINE)


class InputError(Exception):
    """A file that is missing or is not what it should be."""


class Name:
    """What is known of one public name."""

    def __init__(self, kind, where):
        self.kind = kind
        self.where = where
        self.documented = False
        self.groups = set()


def parse(path):
    try:
        return ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        raise InputError(f"{path}: {error}") from error


def is_documented(element):
    """Whether the element has a brief or a detailed description with a word in it."""
    return any(
        "".join(description.itertext()).strip()
        for tag in ("briefdescription", "detaileddescription")
        for description in element.findall(tag)
    )


def place(element):
    """file:line of the definition, or an empty string."""
    location = element.find("location")
    if location is None:
        return ""
    return f"{Path(location.get('file', '')).name}:{location.get('line', '?')}"


def named_parts(name):
    """["outer", "field"] for outer::@0::field: Doxygen numbers what has no name in C."""
    return [part for part in name.split("::") if part and "@" not in part]


def is_internal(name):
    return any(part.endswith("_") for part in name.split("."))


def names_of(xml_directory):
    """Maps each public name to what is known of it. A field is written record.field."""
    compounds = [
        parse(xml_directory / f"{entry.get('refid')}.xml").find("compounddef")
        for entry in parse(xml_directory / "index.xml").findall("compound")
        if entry.get("kind") in ("file", "group", *RECORDS)
    ]
    groups_of_record = {}
    for compound in compounds:
        if compound.get("kind") == "group":
            for inner in compound.findall("innerclass"):
                record = ".".join(named_parts(inner.text))
                groups_of_record.setdefault(record, set()).add(compound.findtext("compoundname"))

    found = {}

    def add(name, element, kind, where, groups):
        if not name or is_internal(name):
            return
        entry = found.setdefault(name, Name(kind, where))
        entry.documented = entry.documented or is_documented(element)
        entry.groups |= groups

    for compound in compounds:
        kind = compound.get("kind")
        parts = named_parts(compound.findtext("compoundname"))
        groups = {parts[0]} if kind == "group" else set()
        prefix = ""
        if kind in RECORDS:
            owner = ".".join(parts)
            groups = set().union(*(groups_of_record.get(".".join(parts[:n]), set())
                                   for n in range(1, len(parts) + 1)))
            prefix = f"{owner}." if owner else ""
            if "@" not in compound.findtext("compoundname").rsplit("::", 1)[-1]:
                add(owner, compound, kind, place(compound), groups)
        for member in compound.iter("memberdef"):
            name = ".".join(named_parts(member.findtext("name", "")))
            if name:
                add(prefix + name, member, member.get("kind"), place(member), groups)
            for value in member.findall("enumvalue"):
                if not is_internal(name):
                    add(value.findtext("name"), value, "enumerator", place(member), groups)
    return found


def asked_for(pages_directory):
    """The groups and the single names that the pages' Breathe directives ask for."""
    groups, names = set(), set()
    for page in sorted(pages_directory.rglob("*.rst")):
        for kind, argument in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            (groups if kind == "group" else names).add(argument.split("(")[0].strip())
    return groups, names


def complaints(found, groups, names):
    """One sentence for each name that breaks a rule, in the order of the names."""
    for name, entry in sorted(found.items()):
        what = f"{entry.where}: {entry.kind} {name}"
        if not name.startswith(PREFIXES):
            yield f"{what}: does not begin with {', '.join(PREFIXES)}"
        if not entry.documented:
            yield f"{what}: no documentation"
        elif not (entry.groups & groups or name in names or name.split(".")[0] in names):
            where = f"group {', '.join(sorted(entry.groups))}" if entry.groups else "no group"
            yield f"{what}: documented, but on no page of the reference ({where})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--xml", type=Path, default=ROOT / "build/docs/xml", help="Doxygen's XML")
    parser.add_argument("--pages", type=Path, default=ROOT / "docs", help="the .rst pages")
    arguments = parser.parse_args()
    try:
        found = names_of(arguments.xml)
        groups, names = asked_for(arguments.pages)
        if not found or not groups | names:
            raise InputError("no names in the XML" if not found else "no directives in the pages")
    except InputError as error:
        print(f"check_documented: {error}", file=sys.stderr)
        return 2

    lines = list(complaints(found, groups, names))
    for line in lines:
        print(line)
    print(f"check_documented: {len(found)} public names, {len(lines)} to mend", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
