"""How a version reaches a cluster: waves, dependencies, rollouts and what judges them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.outputs import kubernetes as k8s
from tests.unit.outputs.kubernetes import EACH, Document, documents, one


def _with(key: str, *values: str) -> list[Any]:
    """The overlays of the variants whose delivery has one of these values."""
    return [p for p in EACH if k8s.VARIANTS[str(p.values[0])].get("delivery", {}).get(key) in values]


ARGO = _with("engine", "argocd")
FLUX = _with("engine", "flux")
STEPPED = _with("strategy", "canary", "blue-green")
WAVE = "argocd.argoproj.io/sync-wave"


def _wave(document: Document) -> int:
    return int(document["metadata"].get("annotations", {}).get(WAVE, 0))


def _gitops(name: str, environment: str) -> list[Document]:
    return list(yaml.safe_load_all(k8s.platform(name).files[f"k8s/gitops/{environment}.yaml"]))


def _environment(name: str, environment: str) -> Document:
    return next(e for e in k8s.environments(name) if e["name"] == environment)


@pytest.mark.parametrize(("name", "environment"), ARGO)
def test_waves_bring_needs_then_migrations_then_services(name: str, environment: str) -> None:
    needs = (
        "Namespace",
        "ConfigMap",
        "ServiceAccount",
        "NetworkPolicy",
        "ExternalSecret",
        "StatefulSet",
    )
    assert {_wave(d) for d in documents(name, environment, *needs)} == {-2}
    for store in documents(name, environment, "StatefulSet"):
        assert _wave(one(name, environment, "Service", store["metadata"]["name"])) == -2
    for job in documents(name, environment, "Job"):
        annotations = job["metadata"]["annotations"]
        assert _wave(job) == -1
        assert annotations["argocd.argoproj.io/hook"] == "Sync"
        assert annotations["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    later = ("Deployment", "Rollout", "HorizontalPodAutoscaler", "ScaledObject", "HTTPRoute")
    assert {_wave(d) for d in documents(name, environment, *later)} == {0}


@pytest.mark.parametrize(("name", "environment"), _with("mode", "gitops"))
def test_a_volume_that_waits_for_its_first_backup_holds_nothing_up(name: str, environment: str) -> None:
    """Most storage binds a claim with its first Pod, which here runs at night."""
    claims = documents(name, environment, "PersistentVolumeClaim")
    if k8s.VARIANTS[name]["delivery"]["engine"] == "argocd":
        for d in [*claims, *documents(name, environment, "CronJob")]:
            assert _wave(d) == 0  # the last: no wave waits for it
            assert d["metadata"]["annotations"]["argocd.argoproj.io/ignore-healthcheck"] == "true"
    else:
        data = next(d for d in _gitops(name, environment) if d["kind"] == "Kustomization")
        kinds = {c["kind"]: c["current"] for c in data["spec"].get("healthCheckExprs", [])}
        assert kinds == ({"PersistentVolumeClaim": "status.phase in ['Bound', 'Pending']"} if claims else {})


@pytest.mark.parametrize(("name", "environment"), _with("mode", "gitops"))
def test_no_engine_deletes_what_holds_data(name: str, environment: str) -> None:
    """Also not when a setting takes it out of the manifests, as `postgres: external` does with the backups."""
    kept = {
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }
    for d in documents(name, environment, "PersistentVolumeClaim", "Namespace"):
        assert kept.items() & d["metadata"]["annotations"].items()
    for store in documents(name, environment, "StatefulSet"):
        retention = store["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert set(retention.values()) == {"Retain"}


@pytest.mark.parametrize(("name", "environment"), _with("mode", "gitops"))
def test_before_its_first_deployment_an_environment_migrates_nothing(
    name: str, environment: str, tmp_path: Path
) -> None:
    """The image of the Job is in no registry yet, and the engine would wait for it."""
    tree = k8s.write(k8s.platform(name), tmp_path, deployed=False)
    new = list(yaml.safe_load_all(k8s.kustomize(tree / "k8s" / "overlays" / environment)))
    kinds = [d["kind"] for d in new]
    assert "Job" not in kinds
    later = [d["kind"] for d in documents(name, environment) if d["kind"] != "Job"]
    assert sorted(kinds) == sorted(later)


@pytest.mark.parametrize(("name", "environment"), ARGO)
def test_the_application_follows_the_overlay(name: str, environment: str) -> None:
    (application,) = _gitops(name, environment)
    project = yaml.safe_load(k8s.platform(name).files["k8s/gitops/project.yaml"])
    spec = application["spec"]
    namespace = _environment(name, environment)["namespace"]
    assert spec["source"]["path"] == f"k8s/overlays/{environment}"
    assert spec["source"]["targetRevision"] == f"deploy/{environment}"
    assert spec["source"]["repoURL"] in project["spec"]["sourceRepos"]
    assert spec["project"] == project["metadata"]["name"]
    assert spec["destination"] in project["spec"]["destinations"]
    assert spec["destination"]["namespace"] == namespace
    assert spec["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert spec["syncPolicy"]["retry"]["refresh"] is True  # an undo need not wait for the retries of what it undoes
    ignored = {i["kind"]: i["jsonPointers"] for i in spec.get("ignoreDifferences", [])}
    assert ("Service" in ignored) == bool(_moved(name, environment))
    assert ("HTTPRoute" in ignored) == any(s["rollout"] == "canary-by-weight" for s in _services(name, environment))


def _services(name: str, environment: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _environment(name, environment)["services"]
    return found


def _moved(name: str, environment: str) -> list[str]:
    """Services whose selectors Argo Rollouts narrows."""
    return [s["name"] for s in _services(name, environment) if s["rollout"] in ("blue-green", "canary-by-weight")]


@pytest.mark.parametrize(("name", "environment"), FLUX)
def test_flux_brings_everything_once_and_migrations_first(name: str, environment: str, tmp_path: Path) -> None:
    repository, data, services = _gitops(name, environment)
    assert repository["spec"]["ref"] == {"branch": f"deploy/{environment}"}
    assert services["spec"]["dependsOn"] == [{"name": data["metadata"]["name"]}]
    overlay = k8s.write(k8s.platform(name), tmp_path) / "k8s" / "overlays" / environment
    parts: list[list[Document]] = []
    for part in (data, services):
        spec = part["spec"]
        assert spec["sourceRef"]["name"] == repository["metadata"]["name"]
        assert spec["path"] == f"./k8s/overlays/{environment}"
        assert spec["wait"] is True
        # Flux adds its patches to the kustomization that it finds.
        copy = overlay.parent / f"{environment}-{len(parts)}"
        shutil.copytree(overlay, copy)
        kustomization = yaml.safe_load((copy / "kustomization.yaml").read_text())
        kustomization["patches"] = [*kustomization.get("patches", []), *spec["patches"]]
        (copy / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        parts.append(list(yaml.safe_load_all(k8s.kustomize(copy))))
    whole = sorted(map(repr, documents(name, environment)))
    assert sorted(map(repr, [*parts[0], *parts[1]])) == whole
    assert {"Job", "Namespace"} <= {d["kind"] for d in parts[0]}
    assert not {"Deployment", "Rollout", "HorizontalPodAutoscaler"} & {d["kind"] for d in parts[0]}
    for job in documents(name, environment, "Job"):
        assert job["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/force"] == "enabled"
    ignored = {i["target"]["kind"]: i["paths"] for i in services["spec"].get("ignore", [])}
    assert ignored.get("Service", []) == (["/spec/selector"] if _moved(name, environment) else [])
    if any(s["rollout"] == "canary-by-weight" for s in _services(name, environment)):
        assert "/spec/rules/0/backendRefs/1/weight" in ignored["HTTPRoute"]
        assert all(len(r["spec"]["rules"]) == 1 for r in documents(name, environment, "HTTPRoute"))


@pytest.mark.parametrize(("name", "environment"), STEPPED)
def test_a_rollout_joins_its_services_and_its_judge(name: str, environment: str) -> None:
    for s in _services(name, environment):
        spec = one(name, environment, "Rollout", s["name"])["spec"]
        assert spec["workloadRef"] == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": s["name"],
            "scaleDown": "onsuccess",
        }
        assert "replicas" not in one(name, environment, "Deployment", s["name"])["spec"]
        named, analyses = _named(spec["strategy"])
        assert {one(name, environment, "Service", n)["metadata"]["name"] for n in named} == named
        templates = {d["metadata"]["name"]: d for d in documents(name, environment, "AnalysisTemplate")}
        assert bool(analyses) == bool(s["metrics"])
        for analysis in analyses:
            (reference,) = analysis["templates"]
            wanted = {a["name"] for a in templates[reference["templateName"]]["spec"]["args"]}
            assert {a["name"] for a in analysis["args"]} == wanted
        plugin = spec["strategy"].get("canary", {}).get("trafficRouting", {}).get("plugins", {})
        if s["rollout"] == "canary-by-weight":
            route = one(name, environment, "HTTPRoute", plugin["argoproj-labs/gatewayAPI"]["httpRoute"])
            backends = route["spec"]["rules"][0]["backendRefs"]
            assert {b["name"] for b in backends} == named
            assert [b["weight"] for b in backends] == [100, 0]
        else:
            assert not plugin


def _named(strategy: Document) -> tuple[set[str], list[Document]]:
    if blue_green := strategy.get("blueGreen"):
        analyses = [blue_green[k] for k in ("postPromotionAnalysis",) if k in blue_green]
        return {blue_green["activeService"], blue_green["previewService"]}, analyses
    canary = strategy["canary"]
    weights = [s["setWeight"] for s in canary["steps"] if "setWeight" in s]
    assert weights == sorted(weights)
    analyses = [s["analysis"] for s in canary["steps"] if "analysis" in s]
    return {canary[k] for k in ("stableService", "canaryService") if k in canary}, analyses


@pytest.mark.parametrize(("name", "environment"), STEPPED)
def test_silence_is_neither_success_nor_failure(name: str, environment: str) -> None:
    """The two conditions of a metric leave out an empty result and a division of nothing by nothing."""
    templates = documents(name, environment, "AnalysisTemplate")
    metrics = [m for t in templates for m in t["spec"]["metrics"]]
    assert {m["name"] for m in metrics} == ({"error-rate", "p95-latency"} if metrics else set())
    limits = k8s.platform(name).project["delivery"]["abort_when"]
    for metric in metrics:
        for key, sign in (("successCondition", "<="), ("failureCondition", ">")):
            match = re.fullmatch(
                r"len\(result\) > 0 && !isNaN\(result\[0\]\) && result\[0\] (<=|>) ([0-9.]+)", metric[key]
            )
            assert match
            assert match[1] == sign
            limit = float(match[2])
            if metric["name"] == "error-rate":
                assert limit == pytest.approx(float(limits["error_rate"].rstrip("%")) / 100)
            else:
                assert limit == pytest.approx(float(re.sub("ms$", "e-3", limits["p95_latency"]).rstrip("s")))
        assert metric["inconclusiveLimit"] < metric["count"]


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_prometheus_reaches_every_pod_once(name: str, environment: str) -> None:
    """Finding 4.2: the ServiceMonitor takes one Service, and that Service takes every Pod of it."""
    for s in _services(name, environment):
        monitors = [d for d in documents(name, environment, "ServiceMonitor") if d["metadata"]["name"] == s["name"]]
        assert len(monitors) == bool(s["metrics"])
        for monitor in monitors:
            (endpoint,) = monitor["spec"]["endpoints"]
            assert (endpoint["port"], endpoint["path"]) == ("http", s["metrics"])
            taken = [
                d
                for d in documents(name, environment, "Service")
                if k8s.selects(monitor["spec"]["selector"], d["metadata"]["labels"])
            ]
            assert [t["metadata"]["name"] for t in taken] == [
                s["name"] + ("-metrics" if s["rollout"] in ("blue-green", "canary-by-weight") else "")
            ]


@pytest.mark.parametrize("name", k8s.NAMES)
def test_a_custom_metric_has_one_name_from_series_to_scaler(name: str) -> None:
    """Finding 4.2: what an autoscaler asks for is what the adapter serves, from the series of the settings."""
    asked: dict[str, str] = {}
    for e in k8s.environments(name):
        for s in e["services"]:
            if s["scaler"] == "hpa":
                asked |= {m["name"]: m["from"] for m in s["autoscaling"]["metrics"]}
    values = k8s.platform(name).files.get("k8s/cluster/prometheus-adapter.yaml")
    rules = yaml.safe_load(values)["rules"]["custom"] if values else []
    assert {r["name"]["as"]: r["name"]["matches"].strip("^$") for r in rules} == asked
    for rule in rules:
        series = rule["name"]["matches"].strip("^$")
        assert rule["seriesQuery"].startswith(series + "{")
        assert series + "{<<.LabelMatchers>>}" in rule["metricsQuery"]
        assert ("rate(" in rule["metricsQuery"]) == series.endswith(("_total", "_bucket", "_count", "_sum"))
        assert ("histogram_quantile(" in rule["metricsQuery"]) == series.endswith("_bucket")
