"""The ladder as JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree as xml

from bitloom.sim import LevelResult, write_junit

RESULTS = [
    LevelResult("model", 0, 0, 0.1, "unavailable", "torch is missing: pip install 'bitloom[train]'"),
    LevelResult("rtl", 450, 0, 5.25, "passed", "450 samples", interval=48, latency=140),
    LevelResult("netlist", 100, 3, 20.0, "failed", 'sample 7: 02 expected, <01> & "03" came\x00'),
]


def test_each_level_is_a_case_with_its_outcome(tmp_path):
    path = tmp_path / "reports" / "junit.xml"
    write_junit(RESULTS, path)
    suite = xml.parse(path).getroot().find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": "25.350"}  # fmt: skip
    cases = {case.get("name"): case for case in suite}
    assert cases["model"].find("skipped").get("message") == RESULTS[0].reason
    assert cases["rtl"].find("failure") is None and cases["rtl"].find("skipped") is None
    found = {item.get("name"): item.get("value") for item in cases["rtl"].find("properties")}
    assert found == {"samples": "450", "mismatches": "0", "interval": "48", "latency": "140"}
    assert cases["netlist"].find("failure").get("message") == 'sample 7: 02 expected, <01> & "03" came'
    assert cases["netlist"].find("failure").text.startswith("3 of 100 samples differ")
    assert [entry.name for entry in path.parent.iterdir()] == ["junit.xml"]
