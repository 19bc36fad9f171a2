"""Every manifest against its schema: Kubernetes' own, strictly, and the types that other projects publish."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.unit.outputs import crds
from tests.unit.outputs import kubernetes as k8s
from tests.unit.outputs.kubernetes import EACH, documents

VERSION = "1.36"


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_core_objects_fit_the_strict_schemas(name: str, environment: str) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    checked = 0
    for document in documents(name, environment):
        if "." in document["apiVersion"].split("/")[0].removesuffix(".k8s.io"):
            continue  # a custom resource: below
        if document["apiVersion"].startswith("gateway."):
            continue
        validate.validate(document, VERSION, strict=True)  # raises for an unknown kind too
        checked += 1
    assert checked > 8


def test_custom_resources_fit_their_published_types() -> None:
    """All variants at once, since the compiler is started once."""
    everything = [d for name in k8s.NAMES for e in k8s.environments(name) for d in documents(name, e["name"])]
    for name in k8s.NAMES:
        for path, text in k8s.platform(name).files.items():
            if path.startswith("k8s/gitops/"):
                everything += yaml.safe_load_all(text)
    kinds = {d["kind"] for d in everything}
    assert {"Rollout", "AnalysisTemplate", "ScaledObject", "ExternalSecret", "Application", "AppProject"} <= kinds
    assert {"Kustomization", "GitRepository", "HTTPRoute", "Gateway", "Certificate", "Issuer"} <= kinds
    assert crds.problems(everything) == []


def test_the_check_of_custom_resources_finds_mistakes() -> None:
    (gateway,) = documents("platform", "staging", "Gateway")
    unknown, wrong = json.loads(json.dumps(gateway)), json.loads(json.dumps(gateway))
    unknown["spec"]["listeners"][0]["prot"] = "HTTP"
    wrong["spec"]["listeners"][0]["port"] = 99999
    assert ["prot" in p or "99999" in p or "65535" in p for p in crds.problems([unknown, wrong])] == [True, True]
