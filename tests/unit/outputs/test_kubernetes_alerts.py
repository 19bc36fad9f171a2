"""The emitted rules are valid PromQL, and fire when they should and only then."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.outputs import kubernetes as k8s
from tests.unit.outputs.kubernetes import EACH, documents
from tests.unit.outputs.promtool import promtool

NS = "reconciliation-production"


def series(metric: str, **labels: str) -> str:
    """A series of the namespace under test."""
    inside = ",".join(f'{key}="{value}"' for key, value in {"namespace": NS, **labels}.items())
    return f"{metric}{{{inside}}}"


def _rules(name: str, environment: str) -> dict[str, Any]:
    (rule,) = documents(name, environment, "PrometheusRule")
    found: dict[str, Any] = rule["spec"]
    return found


def _alerts(name: str, environment: str) -> list[dict[str, Any]]:
    return [rule for group in _rules(name, environment)["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_rules_are_valid(name: str, environment: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(_rules(name, environment)))
    assert f"{len(_alerts(name, environment))} rules found" in promtool("check", "rules", rules)


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_each_service_has_the_alerts_that_its_metrics_allow(name: str, environment: str) -> None:
    e = next(e for e in k8s.environments(name) if e["name"] == environment)
    alerts = _alerts(name, environment)
    for s in e["services"]:
        found = {a["alert"] for a in alerts if a["labels"].get("service") == s["name"]}
        wanted = {"ServiceUnavailable", "CrashLooping", "Throttled", "MemoryNearLimit"}
        wanted |= {"HighErrorRate", "HighLatency", "MetricsMissing"} if s["metrics"] else set()
        wanted |= {"AutoscalerAtMaximum"} if s["autoscaling"] else set()
        wanted |= {"MigrationFailed"} if s["migrations"] else set()
        assert found == wanted
    assert {"CertificateExpiring"} <= {a["alert"] for a in alerts}
    for alert in alerts:
        assert f'namespace="{e["namespace"]}"' in alert["expr"]
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert set(alert["annotations"]) == {"summary", "description"}
        known = {x["name"] for x in [*e["services"], *e["datastores"]]}
        assert {alert["labels"][k] for k in ("service", "datastore") if k in alert["labels"]} <= known


def _fires(tmp_path: Path, values: dict[str, str], at: str, expected: list[str]) -> None:
    """`promtool test rules`: of the alerts in these rules, exactly the expected ones fire at that time."""
    rules = _rules(*PLATFORM)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    tests = []
    for alert in {r["alert"] for r in _alerts(*PLATFORM)}:
        firing = [
            {"exp_labels": dict(r["labels"]), "exp_annotations": None}
            for r in _alerts(*PLATFORM)
            if r["alert"] == alert and f"{alert} {r['labels'].get('service', '')}".strip() in expected
        ]
        tests.append({"eval_time": at, "alertname": alert, "exp_alerts": firing})
    given = [{"series": key, "values": value} for key, value in values.items()]
    content = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": given, "alert_rule_test": _with_annotations(tests, rules)}],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(content))
    promtool("test", "rules", tmp_path / "tests.yaml")


def _with_annotations(tests: list[dict[str, Any]], rules: dict[str, Any]) -> list[dict[str, Any]]:
    """Promtool compares annotations too: those of the rule, with the value of the series filled in."""
    texts = {
        (r["alert"], r["labels"].get("service", r["labels"].get("datastore"))): r["annotations"]
        for g in rules["groups"]
        for r in g["rules"]
    }
    for test in tests:
        for alert in test["exp_alerts"]:
            who = alert["exp_labels"].get("service", alert["exp_labels"].get("datastore"))
            filled = {k: _VALUE.sub(lambda m: _SHOWN[m[1]], v) for k, v in texts[test["alertname"], who].items()}
            alert["exp_annotations"] = filled
    return tests


_VALUE = re.compile(r"\{\{ \$value \| (\w+) \}\}")
_SHOWN = {"humanizePercentage": "10%", "humanizeDuration": "2.45s"}

# A service that is well: ready, scraped, answering 10 times a second, far from its limits.
WELL = {
    series("up", service="backend"): "1x60",
    series("http_requests_total", service="backend", status="200", pod="backend-a"): "0+600x60",
    series("http_request_duration_seconds_bucket", service="backend", le="0.1", pod="backend-a"): "0+600x60",
    series("http_request_duration_seconds_bucket", service="backend", le="+Inf", pod="backend-a"): "0+600x60",
    series("kube_pod_status_ready", condition="true", pod="backend-6bc5d-x2x2x"): "1x60",
    series("kube_pod_status_ready", condition="true", pod="frontend-6bc5d-x2x2x"): "1x60",
    series("kube_statefulset_status_replicas_ready", statefulset="redis"): "1x60",
    series("certmanager_certificate_expiration_timestamp_seconds", name="reconciliation"): "7776000x60",
}
PLATFORM = ("rolling-kubectl", "production")


def test_nothing_fires_while_all_is_well(tmp_path: Path) -> None:
    _fires(tmp_path, WELL, "30m", [])


def test_errors_above_the_limit_fire(tmp_path: Path) -> None:
    errors = {series("http_requests_total", service="backend", status="500", pod="backend-a"): "0+66.66666666666667x60"}
    _fires(tmp_path, WELL | errors, "30m", ["HighErrorRate backend"])


def test_slow_answers_fire(tmp_path: Path) -> None:
    # All of them take between 1.5 and 2.5 s, so that the 95th percentile is taken to be 2.45 s.
    slow = {
        series("http_request_duration_seconds_bucket", service="backend", le="0.1", pod="backend-a"): "0+0x60",
        series("http_request_duration_seconds_bucket", service="backend", le="1.5", pod="backend-a"): "0+0x60",
        series("http_request_duration_seconds_bucket", service="backend", le="2.5", pod="backend-a"): "0+600x60",
        series("http_request_duration_seconds_bucket", service="backend", le="+Inf", pod="backend-a"): "0+600x60",
    }
    _fires(tmp_path, WELL | slow, "30m", ["HighLatency backend"])


def test_silence_fires_as_silence_and_not_as_errors(tmp_path: Path) -> None:
    quiet = {k: v for k, v in WELL.items() if not k.startswith(("http_", "up{"))}
    _fires(tmp_path, quiet, "30m", ["MetricsMissing backend"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {series("kube_job_failed", job_name="backend-migrate", condition="true"): "1x60"},
            "MigrationFailed backend",
        ),
        (
            {series("certmanager_certificate_expiration_timestamp_seconds", name="reconciliation"): "86400x99"},
            "CertificateExpiring",
        ),
        (
            {series("kube_pod_status_ready", condition="true", pod="backend-6bc5d-x2x2x"): "0x60"},
            "ServiceUnavailable backend",
        ),
        (
            {
                series(
                    "kube_horizontalpodautoscaler_status_current_replicas", horizontalpodautoscaler="backend"
                ): "20x99"
            },
            "AutoscalerAtMaximum backend",
        ),
        (
            {
                series("container_memory_working_set_bytes", pod="p", container="backend"): "95x60",
                series("kube_pod_container_resource_limits", resource="memory", pod="p", container="backend"): "100x60",
            },
            "MemoryNearLimit backend",
        ),
        (
            {
                series("container_cpu_cfs_throttled_periods_total", container="backend"): "0+60x60",
                series("container_cpu_cfs_periods_total", container="backend"): "0+100x60",
            },
            "Throttled backend",
        ),
        (
            {series("kube_pod_container_status_restarts_total", container="backend"): "0+1x60"},
            "CrashLooping backend",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_fault_fires_its_alert(tmp_path: Path, values: dict[str, str], expected: str) -> None:
    at = "75m" if expected == "CertificateExpiring" else "40m"
    _fires(tmp_path, {k: v.replace("x60", "x99") for k, v in (WELL | values).items()}, at, [expected])


def test_a_migration_that_was_tried_again_has_not_failed(tmp_path: Path) -> None:
    """A database that is away for a moment costs a Pod, and no Job."""
    values = {
        series("kube_job_status_failed", job_name="backend-migrate"): "1x60",
        series("kube_job_failed", job_name="backend-migrate", condition="false"): "1x60",
    }
    _fires(tmp_path, WELL | values, "40m", [])


@pytest.mark.parametrize(
    ("succeeded", "missing"), [(None, True), (0, True), (26, False)], ids=["never", "27 hours ago", "an hour ago"]
)
def test_a_backup_is_missed_from_the_first_night_on(tmp_path: Path, succeeded: int | None, missing: bool) -> None:
    (alert,) = [a for a in _alerts(PLATFORM[0], "staging") if a["alert"] == "BackupMissing"]
    labels = '{namespace="reconciliation-staging",cronjob="postgres-backup"}'
    given = {f"kube_cronjob_created{labels}": "0x30"}
    if succeeded is not None:
        given[f"kube_cronjob_status_last_successful_time{labels}"] = f"{succeeded * 3600}x30"
    expected = [{"labels": "{}", "value": 27 * 3600}] if missing else []
    test = {
        "interval": "1h",
        "input_series": [{"series": key, "values": value} for key, value in given.items()],
        "promql_expr_test": [{"expr": alert["expr"], "eval_time": "27h", "exp_samples": expected}],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"evaluation_interval": "1h", "tests": [test]}))
    promtool("test", "rules", tmp_path / "tests.yaml")


def test_a_pod_of_a_migration_is_no_pod_of_its_service(tmp_path: Path) -> None:
    """`backend-migrate-x2x2x` being ready does not hide that no `backend` is."""
    values = {k: v for k, v in WELL.items() if 'pod="backend-6bc5d' not in k}
    values[series("kube_pod_status_ready", condition="true", pod="backend-migrate-x2x2x")] = "1x60"
    _fires(tmp_path, values, "30m", ["ServiceUnavailable backend"])


@pytest.mark.parametrize("name", k8s.NAMES)
def test_limits_of_a_rollout_are_those_of_the_alerts(name: str) -> None:
    limits = k8s.platform(name).project["delivery"]["abort_when"]
    for e in k8s.environments(name):
        texts = " ".join(a["annotations"]["summary"] for a in _alerts(name, e["name"]))
        if limits and any(s["metrics"] for s in e["services"]):
            assert f"More than {limits['error_rate']} of the answers" in texts
            assert f"is above {limits['p95_latency']}" in texts


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_the_dashboard_shows_each_service(name: str, environment: str, tmp_path: Path) -> None:
    e = next(e for e in k8s.environments(name) if e["name"] == environment)
    (config,) = (
        d for d in documents(name, environment, "ConfigMap") if "grafana_dashboard" in d["metadata"].get("labels", {})
    )
    (text,) = config["data"].values()
    panels = json.loads(text)["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    places = {(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels}
    assert len(places) == len(panels)
    titles = [p["title"] for p in panels]
    for s in e["services"]:
        assert f"{s['name']}: CPU" in titles
        assert (f"{s['name']}: errors" in titles) == bool(s["metrics"])
    queries = [t["expr"] for p in panels for t in p["targets"]]
    rules = [{"record": f"query:{i}", "expr": q} for i, q in enumerate(queries)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(queries)} rules found" in promtool("check", "rules", tmp_path / "rules.yaml")


@pytest.mark.parametrize("name", k8s.NAMES)
def test_queries_of_scalers_and_analyses_are_valid(name: str, tmp_path: Path) -> None:
    queries = []
    for e in k8s.environments(name):
        for document in documents(name, e["name"], "ScaledObject", "AnalysisTemplate"):
            spec = document["spec"]
            queries += [t["metadata"]["query"] for t in spec.get("triggers", []) if t["type"] == "prometheus"]
            queries += [m["provider"]["prometheus"]["query"] for m in spec.get("metrics", [])]
    values = k8s.platform(name).files.get("k8s/cluster/prometheus-adapter.yaml")
    queries += [r["metricsQuery"] for r in yaml.safe_load(values)["rules"]["custom"]] if values else []
    filled = [re.sub(r"\{\{args\.\w+\}\}", "x", q) for q in queries]
    filled = [q.replace("<<.LabelMatchers>>", 'namespace="x"').replace("<<.GroupBy>>", "pod") for q in filled]
    rules = [{"record": f"query:{i}", "expr": q} for i, q in enumerate(filled)]
    if rules:
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
        assert f"{len(rules)} rules found" in promtool("check", "rules", tmp_path / "rules.yaml")
