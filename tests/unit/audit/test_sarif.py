"""SARIF reports held against the standard's schema, and against the validator that its authors publish."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import ROOT
from tests.npm import installed
from trimtab.audit.engine import Report, audit, audit_repo
from trimtab.audit.report import render
from trimtab.repo import Repo

PLATFORM = ROOT / "tests" / "repos" / "platform" / "tree"
HOSTILE = {
    "a b/[x](y)#?/docker-compose.yml": b'services:\n  "a{0} [b](c)":\n    image: "acme/\\e[2J\\u2028:latest"\n',
    "é%41/.env.production": b"JWT_SECRET=9f8a7c6b5d4e3f2a1b0c9d8e7f6a5b4c\n",
    "docker-compose.yml": b"services: {a: {image: 'a/b:latest'}} # trimtab: ignore floating-image-tag\n",
    "k8s/broken.yaml": b"kind: [\n",
}


@pytest.fixture(scope="session")
def multitool() -> Path:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        pytest.skip("the validator is published as a program for Linux on x86_64")
    return (
        installed(ROOT / "tests" / "sarif", ROOT / ".sarif") / "node_modules" / "@microsoft" / "sarif-multitool-linux"
    )


def reports() -> dict[str, Report]:
    return {
        "findings": audit(PLATFORM),
        "none": audit_repo(Repo.from_texts({"README.md": "x"})),
        "hostile": audit_repo(Repo.from_texts(HOSTILE)),
    }


@pytest.mark.parametrize("name", ["findings", "none", "hostile"])
def test_the_report_fits_the_schema(multitool, name):
    schema = json.loads((multitool / "sarif-2.1.0.json").read_text(encoding="utf-8-sig"))
    body = json.loads(render(reports()[name], "sarif"))
    jsonschema.Draft7Validator(schema).validate(body)
    del body["runs"][0]["tool"]["driver"]["name"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(body)


@pytest.mark.parametrize("name", ["findings", "none", "hostile"])
def test_the_validator_has_no_error_and_no_warning(multitool, tmp_path, name):
    (tmp_path / "report.sarif").write_text(render(reports()[name], "sarif"))
    assert validated(multitool, tmp_path) == []


def test_the_validator_finds_what_is_wrong(multitool, tmp_path):
    body = json.loads(render(audit(PLATFORM), "sarif"))
    body["runs"][0]["results"][0]["ruleIndex"] = 10_000
    (tmp_path / "report.sarif").write_text(json.dumps(body))
    assert validated(multitool, tmp_path)


def validated(multitool: Path, folder: Path) -> list[str]:
    """`rule: message` of each error and warning of the validator for `report.sarif`."""
    program = multitool / "Sarif.Multitool"
    program.chmod(0o755)
    words = [
        "validate",
        "report.sarif",
        "--output",
        "found.sarif",
        "--rule-kind",
        "Sarif;Gh",
        "--level",
        "Error;Warning",
    ]
    env = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "DOTNET_BUNDLE_EXTRACT_BASE_DIR": str(folder)}
    done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, check=False, env=env)
    assert (folder / "found.sarif").exists(), done.stdout + done.stderr
    results = json.loads((folder / "found.sarif").read_text(encoding="utf-8-sig"))["runs"][0]["results"]
    return [
        f"{one['ruleId']}: {one['message']}" for one in results if one.get("level", "warning") in ("error", "warning")
    ]
