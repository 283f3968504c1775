"""What the tests prove of the API, collected for docs/PARITY.md.

A test says it with a marker:

    @pytest.mark.parity("PutRecord", "PutRecords", grade="exact", source="observed")

names operations of Kinesis, or "*" for what holds of every operation; the aspect is the test's own name, which is a sentence. `grade` is how near
we are: `exact`; `approximate`, with a `note` that says what differs; `refused`, for what is not supported and
told so by name. `source` is where the test takes its expectation from: `model` (the API model), `observed`
(an answer of the real service), `documented` (AWS's pages), `client` (what a client's code demands), `inferred`
(our best deduction).

What must hold: a marker that names something unknown stops the run; a claim is recorded with what became of
its test, and a test that has several cases passes when all of them do. The record is written only when
TIDEMILL_PARITY names its file, as `cargo xtask test` and `cargo xtask parity` do.
"""

import json
import os
from pathlib import Path

import pytest

MODEL = Path(__file__).resolve().parents[2] / "crates" / "shapes" / "models" / "kinesis.json"
OPERATIONS = json.loads(MODEL.read_text())["operations"]
GRADES = {"exact", "approximate", "refused"}
SOURCES = {"model", "observed", "documented", "client", "inferred"}
# The worst of what became of a test's cases stands for the test.
WORST_LAST = ["passed", "skipped", "not run", "failed"]

_claims = {}
_outcomes = {}


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "parity(*operations, grade, source, note=None): what the test proves of the API"
    )


def pytest_collection_modifyitems(items):
    for item in items:
        for marker in item.iter_markers("parity"):
            for operation in marker.args:
                _claim(item, operation, **marker.kwargs)


def _claim(item, operation, grade, source, note=None):
    test = f"{item.path.name}::{item.originalname}"
    known = (operation in OPERATIONS or operation == "*") and grade in GRADES and source in SOURCES
    if not known or (grade == "approximate") != (note is not None):
        raise pytest.UsageError(f"{test}: parity({operation!r}, {grade=}, {source=}, {note=}) is not understood")
    aspect = item.originalname.removeprefix("test_").replace("_", " ")
    claim = {"operation": operation, "aspect": aspect, "grade": grade, "source": source, "note": note, "test": test}
    _claims[test, operation] = claim
    _outcomes.setdefault(item.nodeid, (test, "not run"))


def pytest_runtest_logreport(report):
    if report.nodeid in _outcomes and (report.when == "call" or not report.passed):
        _outcomes[report.nodeid] = (_outcomes[report.nodeid][0], report.outcome)


def pytest_sessionfinish():
    place = os.environ.get("TIDEMILL_PARITY")
    if not place:
        return
    of_tests = {}
    for test, outcome in _outcomes.values():
        worst = max(outcome, of_tests.get(test, "passed"), key=WORST_LAST.index)
        of_tests[test] = worst
    claims = [{**claim, "outcome": of_tests[claim["test"]]} for claim in _claims.values()]
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_text(json.dumps({"claims": claims}, indent=1) + "\n")
