"""Platforms for the Kubernetes tests, and what `kubectl kustomize` makes of each overlay."""

from __future__ import annotations

import copy
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.outputs.platforms import SETTINGS, Platform, rendered

Document = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it, where a bare `=` is text."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))

_PATCH = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: backend-config }\ndata: { MINE: '1' }\n"


def _variant(base: str, **delivery: object) -> dict[str, Any]:
    """An example with other delivery options; None removes one."""
    settings = copy.deepcopy(SETTINGS[base])
    merged = {**settings.get("delivery", {}), **delivery}
    settings["delivery"] = {k: v for k, v in merged.items() if v is not None}
    return settings


_ROLLING = {"mode": "kubectl", "engine": None, "strategy": "rolling", "abort_when": None}


def _scaling() -> dict[str, Any]:
    """Every way in which an environment's scaling can differ from the base."""
    settings = _variant("platform", **_ROLLING)
    services = settings["services"]
    services["fixed"] = {"framework": "express", "autoscaling": False, "replicas": 3}
    services["moody"] = {"framework": "express", "autoscaling": {"max": 5}, "port": 4100}
    settings["environments"]["staging"]["services"] = {
        "backend": {"autoscaling": False, "replicas": 1, "resources": {"cpu": "1.5", "memory": "1Gi"}},
        "fixed": {"autoscaling": {"min": 1, "max": 9}},
        "moody": {"autoscaling": {"metrics": [{"name": "queue_depth", "from": "jobs_waiting", "target": "1.5k"}]}},
    }
    settings["environments"]["production"]["services"]["fixed"] = {"autoscaling": False, "replicas": 7}
    settings["environments"]["production"]["patches"] = ["mine.yaml"]
    return settings


def _scaling_with(**delivery: object) -> dict[str, Any]:
    settings = _scaling()
    settings["delivery"] |= delivery
    return settings


VARIANTS: dict[str, dict[str, Any]] = {
    **{name: settings for name, settings in SETTINGS.items() if set(settings["environments"]) - {"local"}},
    "rolling-kubectl": _variant("platform", **_ROLLING),
    "rolling-kubectl-ingress": _variant("platform", **_ROLLING, ingress="ingress"),
    "rolling-argocd-sealed": _variant("platform", strategy="rolling", abort_when=None, secrets="sealed-secrets"),
    "canary-kubectl-ingress": _variant("platform", mode="kubectl", engine=None, ingress="ingress"),
    "canary-argocd-keda": _variant("platform", metrics="keda", secrets="sealed-secrets"),
    "canary-flux": _variant("platform", engine="flux"),
    "blue-green-flux": _variant("platform", engine="flux", strategy="blue-green", secrets="sops"),
    "blue-green-argocd-sops": _variant("platform", strategy="blue-green", secrets="sops"),
    "blue-green-flux-sealed": _variant("platform", engine="flux", strategy="blue-green", secrets="sealed-secrets"),
    "scaling": _scaling(),
    "scaling-keda": _scaling_with(metrics="keda"),
    "scaling-canary": _scaling_with(strategy="canary"),
}
NAMES = sorted(VARIANTS)


@cache
def platform(name: str) -> Platform:
    """A variant, rendered."""
    return rendered(name, VARIANTS[name])


def environments(name: str) -> list[dict[str, Any]]:
    """The environments of a variant, resolved."""
    found: list[dict[str, Any]] = platform(name).project["environments"]
    return found


EACH = [
    pytest.param(name, e, id=f"{name}-{e}") for name in NAMES for e in VARIANTS[name]["environments"] if e != "local"
]


def write(target: Platform, folder: Path, *, deployed: bool = True) -> Path:
    """The platform's Kubernetes files on disk, and the user's own patches. Before its first deployment an environment
    leaves some objects out."""
    for path, text in target.files.items():
        if path.startswith("k8s/"):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            before = deployed and path.endswith("/release/kustomization.yaml")
            file.write_text(text.split("\npatches:")[0] + "\n" if before else text)
    for name, environment in target.settings["environments"].items():
        for patch in environment.get("patches", []):
            file = folder / "k8s" / "overlays" / name / "patches" / patch
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_PATCH)
    return folder


def kustomize(folder: Path) -> str:
    """What kubectl makes of a kustomization."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # a warning is a failure
    return done.stdout


@cache
def build(name: str, environment: str) -> str:
    """The manifests of one environment of a variant, as text."""
    with tempfile.TemporaryDirectory() as folder:
        return kustomize(write(platform(name), Path(folder)) / "k8s" / "overlays" / environment)


@cache
def parsed(name: str, environment: str) -> tuple[Document, ...]:
    """The manifests of one environment of a variant."""
    return tuple(yaml.load_all(build(name, environment), Loader=_Loader))


def documents(name: str, environment: str, *kinds: str) -> list[Document]:
    """The manifests of one environment of a variant, those of these kinds or all."""
    return [d for d in parsed(name, environment) if not kinds or d["kind"] in kinds]


def one(name: str, environment: str, kind: str, called: str) -> Document:
    """The object of this kind and name."""
    found = [d for d in documents(name, environment, kind) if d["metadata"]["name"] == called]
    assert len(found) == 1, f"{len(found)} {kind} {called}"
    return found[0]


def pod_of(document: Document) -> Document | None:
    """The Pod template of a workload."""
    spec = document.get("spec", {})
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template: Document | None = spec.get("template") if document["kind"] in _WORKLOADS else None
    return template


_WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")


def pods(name: str, environment: str) -> Iterator[tuple[Document, Document]]:
    """Every workload with its Pod template."""
    for document in documents(name, environment, *_WORKLOADS):
        template = pod_of(document)
        assert template
        yield document, template


def containers(template: Document) -> list[Document]:
    """Every container of a Pod template, the initial ones first."""
    found: list[Document] = [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]
    return found


def selects(selector: Document, labels: dict[str, str]) -> bool:
    """Whether a label selector (plain, or with matchLabels and matchExpressions) takes these labels."""
    if not {"matchLabels", "matchExpressions"} & set(selector):
        return all(labels.get(k) == v for k, v in selector.items())
    matched = all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items())
    expressions = selector.get("matchExpressions", [])
    assert all(e["operator"] == "In" for e in expressions)
    return matched and all(labels.get(e["key"]) in e["values"] for e in expressions)
