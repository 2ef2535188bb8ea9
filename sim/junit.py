"""The ladder's outcome as JUnit XML, which every CI system draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as xml

from bitloom.boards.files import make_folder, replacing

from .levels import LevelResult


def write_junit(results: Sequence[LevelResult], path: str | Path, suite: str = "bitloom verify") -> None:
    """Write one test case per rung to ``path``: failures with their messages, what cannot run here as skipped.

    The file appears whole or not at all.
    """
    failed = [result for result in results if result.status == "failed"]
    skipped = [result for result in results if result.status == "unavailable"]
    total = {"tests": str(len(results)), "failures": str(len(failed)), "errors": "0", "skipped": str(len(skipped)),
             "time": f"{sum(result.seconds for result in results):.3f}"}
    root = xml.Element("testsuites", total)
    parent = xml.SubElement(root, "testsuite", {"name": suite, **total})
    for result in results:
        case = xml.SubElement(parent, "testcase", {"classname": "bitloom.ladder", "name": result.level,
                                                   "time": f"{result.seconds:.3f}"})
        properties = xml.SubElement(case, "properties")
        for name in ("samples", "mismatches", "interval", "latency"):
            if getattr(result, name) is not None:
                xml.SubElement(properties, "property", {"name": name, "value": str(getattr(result, name))})
        text = _printable(result.reason)
        if result.status == "failed":
            xml.SubElement(case, "failure", {"message": text, "type": "mismatch"}).text = (
                f"{result.mismatches} of {result.samples} samples differ\n{text}")
        elif result.status == "unavailable":
            xml.SubElement(case, "skipped", {"message": text})
        else:
            xml.SubElement(case, "system-out").text = text
    xml.indent(root)
    path = Path(path)
    make_folder(path.parent)
    with replacing(path) as partial:
        xml.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)


def _printable(text: str) -> str:
    """``text`` without the characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or (ord(c) >= 0x20 and not 0xD800 <= ord(c) <= 0xDFFF))
