"""Holds custom resources against the types that their projects publish (npm: @kubernetes-models/*).

A validator finds missing and wrong values; the TypeScript compiler finds fields that the type does not have, which a
cluster would drop in silence.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.npm import installed

_SOURCE = ROOT / "tests" / "crds"
_FOLDER = ROOT / ".crds"
_PACKAGES = {
    "bitnami.com": "sealed-secrets",
    "cert-manager.io": "cert-manager",
    "external-secrets.io": "external-secrets",
    "gateway.networking.k8s.io": "gateway-api",
    "keda.sh": "keda",
    "kustomize.toolkit.fluxcd.io": "flux-cd",
    "monitoring.coreos.com": "prometheus-operator",
    "source.toolkit.fluxcd.io": "flux-cd",
}
# Fields that a project's documentation has and the published package, which is older, has not.
_NEWER = {("Kustomization", "spec", "ignore")}  # kustomize-controller 1.9: docs/spec/v1/kustomizations.md

Document = dict[str, Any]


@cache
def _folder() -> Path:
    return installed(_SOURCE, _FOLDER)


def _is_custom(document: Document) -> bool:
    return document["apiVersion"].split("/")[0] in {*_PACKAGES, "argoproj.io"}


def _module(document: Document) -> str:
    group = document["apiVersion"].split("/")[0]
    argo = "argo-cd" if document["kind"] in ("Application", "AppProject") else "argo-rollouts"
    return f"@kubernetes-models/{_PACKAGES.get(group, argo)}/{document['apiVersion']}"


def _known(document: Document) -> Document:
    """Without what the published package is too old for."""
    copy: Document = json.loads(json.dumps(document))
    for kind, section, name in _NEWER:
        if copy["kind"] == kind:
            copy[section].pop(name, None)
    return copy


def _broken_rules(folder: Path, documents: list[Document]) -> dict[int, str]:
    program = shutil.copy(_SOURCE / "validate.mjs", folder)  # it finds the packages beside itself
    given = json.dumps([[_module(d), d["kind"], d] for d in documents])
    done = subprocess.run(["node", program], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {int(index): message for index, message in json.loads(done.stdout).items()}


def _unknown_fields(folder: Path, documents: list[Document]) -> dict[int, str]:
    source = folder / f"check-{os.getpid()}.ts"
    lines = []
    for index, document in enumerate(documents):
        kind = document["kind"]
        lines.append(f'import {{ I{kind} as T{index} }} from "{_module(document)}"; export const d{index}: T{index} = {json.dumps(document)};')  # fmt: skip  # noqa: E501
    source.write_text("\n".join(lines))
    options = ["--noEmit", "--strict", "--skipLibCheck", "--pretty", "false", "--target", "es2022"]
    options += ["--module", "esnext", "--moduleResolution", "bundler"]
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        ["node", str(compiler), *options, source.name], cwd=folder, capture_output=True, text=True, check=False
    )
    source.unlink()
    found: dict[int, str] = {}
    for line in done.stdout.splitlines():
        if match := re.match(r"check-\d+\.ts\((\d+),\d+\): (.*)", line):
            found.setdefault(int(match[1]) - 1, match[2])
    assert done.returncode == 0 or found, done.stdout + done.stderr
    return found


def problems(documents: list[Document]) -> list[str]:
    """What is wrong with the custom resources among these documents, one line per document."""
    unique = {json.dumps(d, sort_keys=True): _known(d) for d in documents if _is_custom(d)}
    custom = list(unique.values())
    if not custom:
        return []
    folder = _folder()
    found = [*_broken_rules(folder, custom).items(), *_unknown_fields(folder, custom).items()]
    return [f"{custom[i]['kind']} {custom[i]['metadata']['name']}: {message}" for i, message in found]
