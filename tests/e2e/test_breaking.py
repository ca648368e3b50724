"""`horizon breaking` tells what a change of contracts breaks: against a git history, a folder and the running daemon."""

from __future__ import annotations

import json
import os
import subprocess
import xml.etree.ElementTree as tree
from pathlib import Path
from typing import Any

import pytest
from places import BINARY
from rig.daemon import Daemon

OPENED = "schemas/public/bank.accounts/opened.v1.json"
CREDITED = "schemas/public/bank.accounts/credited.v1.json"
CONTRACT = "contracts/bank.accounts.v1.yaml"
CREDITED_TYPE = "example.bank.account.credited.v1"
NOTHING, BREAKING, MEND = 0, 1, 2


def breaking(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command in the folder."""
    env = None if path is None else {**os.environ, "PATH": path}
    return subprocess.run(
        [BINARY, "breaking", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def report(folder: Path, *arguments: str, status: int) -> dict[str, Any]:
    """The report as JSON; the exit status must be the given one."""
    done = breaking(folder, "--format", "json", *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def rules(told: dict[str, Any], contract: str = "bank.accounts.v1") -> list[str]:
    """The rules that a contract breaks, waived ones left out."""
    found = next(one for one in told["contracts"] if one["contract"] == contract)
    return [change["rule"] for change in found["changes"] if change["waiver"] is None]


def git(folder: Path, *arguments: str) -> None:
    """Runs git with an identity of its own."""
    identity = ["-c", "user.name=team", "-c", "user.email=team@bank.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, timeout=60)


def commit(folder: Path, message: str) -> None:
    """Commits all that is in the folder but the store."""
    git(folder, "add", "contracts", "schemas", "horizon.yaml")
    git(folder, "commit", "--quiet", "--message", message)


def edit(file: Path, schema: dict[str, Any]) -> None:
    """Writes a schema."""
    file.write_text(json.dumps(schema))


@pytest.fixture
def team(lone_daemon: Daemon) -> Path:
    """The example's folder in a repository of its own, committed, with a tag on the commit."""
    folder = lone_daemon.folder
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, "first")
    git(folder, "tag", "v1.0.0")
    return folder


def test_what_has_not_changed_breaks_nothing(team: Path) -> None:
    for against in ("HEAD", "v1.0.0", ".", str(team / "horizon.yaml")):
        told = report(team, "--against", against, status=NOTHING)
        assert not told["breaking"]
        assert [one["changed"] for one in told["contracts"]] == [False, False]


def test_an_optional_property_is_no_break_and_asks_for_a_version(team: Path) -> None:
    schema = json.loads((team / CREDITED).read_text())
    schema["properties"]["valueDate"] = {"type": "string", "format": "date"}
    edit(team / CREDITED, schema)
    told = report(team, "--against", "HEAD", status=NOTHING)
    assert rules(told) == []
    assert [note["code"] for note in told["contracts"][0]["notes"]] == ["version-not-raised"]
    contract = team / CONTRACT
    contract.write_text(contract.read_text().replace("version: 1.0.0", "version: 1.1.0"))
    told = report(team, "--against", "HEAD", status=NOTHING)
    assert told["contracts"][0]["notes"] == []


def test_a_break_is_told_with_pointer_counterexample_and_mend(team: Path) -> None:
    schema = json.loads((team / CREDITED).read_text())
    schema["properties"]["amount"]["maximum"] = 1000
    edit(team / CREDITED, schema)
    told = report(team, "--against", "main", status=BREAKING)
    [change] = told["contracts"][0]["changes"]
    assert change["rule"] == "maximum-lowered"
    assert change["kind"] == "backward"
    assert change["type"] == CREDITED_TYPE
    assert change["file"] == "public/bank.accounts/credited.v1.json"
    assert change["at"] == "/properties/amount/maximum"
    assert change["counterexample"]["amount"] > 1000
    assert change["mend"] and not change["undecided"]
    assert rules(report(team, "--against", "main", "--mode", "forward", status=NOTHING)) == []

    text = breaking(team, "--against", "main")
    assert text.returncode == BREAKING
    assert "breaking[maximum-lowered] backward" in text.stdout
    assert "counterexample: {" in text.stdout

    github = breaking(team, "--against", "main", "--format", "github")
    assert github.stdout.startswith(f"::error file={CREDITED.replace(',', '%2C')},title=maximum-lowered")

    junit = tree.fromstring(breaking(team, "--against", "main", "--format", "junit").stdout)
    assert [case.get("name") for case in junit.iter("testcase") if case.find("failure") is not None] == [CREDITED_TYPE]


def test_a_transitive_mode_looks_at_every_revision(team: Path) -> None:
    schema = json.loads((team / OPENED).read_text())
    schema["properties"]["branch"] = {"type": "string"}
    edit(team / OPENED, schema)
    commit(team, "a branch")
    del schema["properties"]["branch"]
    edit(team / OPENED, schema)
    commit(team, "no branch")
    schema["properties"]["branch"] = {"type": "integer"}
    edit(team / OPENED, schema)
    assert rules(report(team, "--against", "HEAD", "--mode", "full", status=NOTHING)) == []
    told = report(team, "--against", "HEAD", status=BREAKING)
    assert rules(told) == ["type-narrowed", "type-widened"]
    assert told["contracts"][0]["changes"][0]["counterexample"]["branch"] is not None


def test_a_revision_that_was_not_sound_is_passed_over_and_told(team: Path) -> None:
    sound = (team / OPENED).read_text()
    (team / OPENED).write_text("{")
    commit(team, "broken")
    (team / OPENED).write_text(sound)
    commit(team, "mended")
    told = report(team, "--against", "HEAD", status=NOTHING)
    assert any("passed over" in note for note in told["notes"])


def test_a_removed_contract_and_a_changed_topic_count(team: Path) -> None:
    (team / "contracts/bank.lending.v1.yaml").unlink()
    contract = team / CONTRACT
    contract.write_text(contract.read_text().replace("bank/accounts/v1/", "bank/account/v1/"))
    told = report(team, "--against", "HEAD", status=BREAKING)
    assert rules(told, "bank.lending.v1") == ["contract-removed"]
    assert set(rules(told)) == {"topic-changed"}


def test_a_waiver_holds_until_its_day(team: Path) -> None:
    contract = team / CONTRACT
    waiver = "waivers:\n  - { change: key-changed, at: /key, reason: nobody reads it yet, until: \"2030-06-30\" }\n"
    contract.write_text(contract.read_text().replace("key: .accountId", "key: { pseudonym: .accountId }") + waiver)
    assert rules(report(team, "--against", "HEAD", "--today", "2030-06-30", status=NOTHING)) == []
    told = report(team, "--against", "HEAD", "--today", "2030-07-01", status=BREAKING)
    assert rules(told) == ["key-changed"]
    assert "waiver-ended" in [note["code"] for note in told["contracts"][0]["notes"]]


def test_bad_input_is_told(team: Path) -> None:
    for against, says in (
        ("no-such-branch", "neither a folder nor a revision"),
        ("--upload-pack=x", "neither a folder nor a revision"),
        ("contracts", "horizon.yaml"),
    ):
        done = breaking(team, f"--against={against}")
        assert done.returncode == MEND, done.stderr
        assert says in done.stderr
        assert "mend" in done.stderr
    done = breaking(team, "--against", "HEAD", path="/nowhere")
    assert done.returncode == MEND
    assert "git" in done.stderr and "mend" in done.stderr
    (team / CONTRACT).write_text("contract: [")
    done = breaking(team, "--against", "HEAD")
    assert done.returncode == MEND


def test_the_running_daemon_can_be_compared_with(daemon: Daemon) -> None:
    folder = daemon.folder
    told = report(folder, "--against", "daemon", status=NOTHING)
    assert [one["changed"] for one in told["contracts"]] == [False, False]
    schema = json.loads((folder / CREDITED).read_text())
    schema["required"].remove("origin")
    edit(folder / CREDITED, schema)
    told = report(folder, "--against", "daemon", status=BREAKING)
    assert rules(told) == ["required-removed"]
