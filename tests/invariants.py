"""The twenty-one findings as properties of a generated tree: one function each, named after its number.

Each takes a Platform and raises AssertionError where the finding could occur.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.pipelines import Pipeline, pipeline
from trimtab.engine import Template
from trimtab.frameworks import Frameworks
from trimtab.output import Folder
from trimtab.settings.env_names import ALIASES
from trimtab.tree import Tree

Data = dict[str, Any]
WORKLOADS = ("Deployment", "Rollout", "StatefulSet", "Job", "CronJob")
# Words that only a Dockerfile of the language needs.
LANGUAGE_TOKENS = {"rust": ["cargo "], "python": ["uv sync", "pip install"], "node": ["packages run", "node_modules"]}


@dataclass
class Platform:
    """A tree, and what it says, parsed."""

    data: Data
    tree: Tree
    folder: Path

    @cached_property
    def project(self) -> Data:
        project: Data = Template(ROOT).context(self.data, {})["project"]
        return project

    @cached_property
    def compose(self) -> Data:
        services: Data = yaml.load(self.tree["docker-compose.yml"].content, Loader=yaml.CSafeLoader)["services"]
        return services

    @cached_property
    def pipeline(self) -> Pipeline:
        return pipeline(self.tree, self.project["delivery"]["ci"])

    @cached_property
    def manifests(self) -> dict[str, list[Data]]:
        """What kustomize makes of each overlay."""
        found = {}
        for environment in self.project["environments"]:
            overlay = self.folder / "k8s" / "overlays" / environment["name"]
            done = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            found[environment["name"]] = [d for d in yaml.load_all(done.stdout, Loader=Yaml12) if d]
        return found

    def text(self, pattern: str) -> Iterator[tuple[str, str]]:
        """Files whose path matches, with their text."""
        for path, file in self.tree.items():
            if re.search(pattern, path):
                yield path, file.content.decode()

    def objects(self, environment: str, *kinds: str) -> list[Data]:
        return [d for d in self.manifests[environment] if d["kind"] in kinds]

    def workload(self, environment: str, service: str) -> Data:
        (found,) = [
            d for d in self.objects(environment, "Deployment", "Rollout")
            if d["metadata"]["name"] == service and pod_of(d)
        ]  # fmt: skip
        return found


class Yaml12(yaml.CSafeLoader):
    """Kustomize writes YAML 1.2, where `=` is a text."""


Yaml12.add_constructor("tag:yaml.org,2002:value", yaml.CSafeLoader.construct_yaml_str)


def platform(data: Data, raw: bytes) -> Platform:
    """Render settings into a temporary folder. The caller removes it by `remove`."""
    tree = Template(ROOT).render(data, {}, raw)
    folder = Path(tempfile.mkdtemp(prefix="invariants-"))
    Folder(folder).write(dict(tree))
    return Platform(data, tree, folder)


def remove(p: Platform) -> None:
    shutil.rmtree(p.folder, ignore_errors=True)


def pod_of(workload: Data) -> Data:
    spec = workload["spec"]
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    pod: Data = spec.get("template", {}).get("spec") or {}
    return pod


def containers(workload: Data) -> list[Data]:
    pod = pod_of(workload)
    return [*pod.get("containers", []), *pod.get("initContainers", [])]


def keys_of(p: Platform, environment: str, service: str) -> set[str]:
    """Names of the variables that a service's container gets in Kubernetes."""
    (container,) = pod_of(p.workload(environment, service))["containers"]
    names = {e["name"] for e in container.get("env", [])}
    maps = {d["metadata"]["name"]: set(d.get("data") or {}) for d in p.objects(environment, "ConfigMap")}
    settled = next(e for e in p.project["environments"] if e["name"] == environment)
    (resolved,) = [s for s in settled["services"] if s["name"] == service]
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            names |= maps[source["configMapRef"]["name"]]
        else:
            assert source["secretRef"]["name"] == f"{service}-secrets"
            names |= set(resolved["secrets"])
    return names


def f1_1_one_port_everywhere(p: Platform) -> None:
    for s in p.project["services"]:
        port = str(s["port"])
        compose = p.compose[s["name"]]
        assert [x.rsplit(":", 1)[1] for x in compose["ports"]] == [port]
        if s["port_env"]:
            assert compose["environment"][s["port_env"]] == port
            assert compose["environment"][s["port_variable"]] == port
        dockerfile = p.tree[s["dockerfile"]].content.decode()
        assert set(re.findall(r"(?m)^EXPOSE (\d+)", dockerfile)) == {port}
        assert f"{s['port_variable']}={port}" in p.tree[".env.example"].content.decode().splitlines()
        assert p.pipeline.env[s["port_variable"]] == port
        for e in p.project["environments"]:
            (container,) = pod_of(p.workload(e["name"], s["name"]))["containers"]
            assert [x["containerPort"] for x in container["ports"]] == [s["port"]]
            text = p.tree[f"env/{e['name']}.env.example"].content.decode().splitlines()
            assert f"{s['port_variable']}={port}" in text


def f1_2_one_dockerfile_per_service_in_its_framework(p: Platform) -> None:
    found = {path for path, _ in p.text(r"(^|/)Dockerfile[^/]*$") if not path.endswith(".dockerignore")}
    assert found == {s["dockerfile"] for s in p.project["services"]}
    assert not [path for path in found if "/" not in path]
    for s in p.project["services"]:
        text = p.tree[s["dockerfile"]].content.decode()
        for language, tokens in LANGUAGE_TOKENS.items():
            if language not in (s["language"], *s["helpers"]):
                assert not [t for t in tokens if t in text], (s["name"], language)


def f1_3_redis_always_has_a_password(p: Platform) -> None:
    if not any(d["kind"] == "redis" for d in p.project["datastores"]):
        return
    redis = p.compose["redis"]
    assert "requirepass" in json.dumps(redis["command"])
    assert redis["environment"]["REDIS_PASSWORD"].startswith("${REDIS_PASSWORD:?")
    for e in p.project["environments"]:
        if any(d["kind"] == "redis" and not d["external"] for d in e["datastores"]):
            text = json.dumps(p.manifests[e["name"]], default=str)
            assert "requirepass" in text
            assert "redis-secrets" in text


def f1_4_every_container_has_limits(p: Platform) -> None:
    for name, service in p.compose.items():
        limits = service["deploy"]["resources"]["limits"]
        assert limits["cpus"], name
        assert limits["memory"], name
    for environment in p.manifests:
        for workload in p.objects(environment, *WORKLOADS):
            for container in containers(workload):
                limits = container["resources"]["limits"]
                assert limits["cpu"], (environment, workload["metadata"]["name"])
                assert limits["memory"] == container["resources"]["requests"]["memory"]


def f2_1_the_same_names_in_every_output(p: Platform) -> None:
    """What the settings give to one environment alone is theirs to leave out elsewhere."""
    for s in p.project["local"]["services"]:
        own = p.data["services"][s["name"]]
        changed = [e.get("services", {}).get(s["name"], {}) for e in p.data["environments"].values()]
        single = {n for c in changed for part in ("env", "public_env") for n in c.get(part, {})}
        single -= {*own.get("env", {}), *own.get("public_env", {})}
        local = set(p.compose[s["name"]].get("environment") or {}) - single
        for e in p.project["environments"]:
            assert keys_of(p, e["name"], s["name"]) - single == local, (e["name"], s["name"])


def f2_2_only_prefixes_of_frameworks_in_use(p: Platform) -> None:
    known = Frameworks(ROOT)
    prefixes = {n: known[n]["public"]["prefix"] for n in known.names if known[n].get("public")}
    used = {prefixes[s["framework"]] for s in p.project["services"] if s["framework"] in prefixes}
    foreign = set(prefixes.values()) - used
    names = {n for s in p.compose.values() for n in (s.get("environment") or {})}
    for _, text in p.text(r"env\.example$|Dockerfile\.[^/]+$"):
        names |= set(re.findall(r"(?m)^(?:ARG |ENV |# )?([A-Z][A-Z0-9_]*)=", text))
    names -= {"BROWSER_VARIABLES"}  # the allow-list of a static frontend's start script
    assert not [n for n in names for prefix in foreign if n.startswith(prefix)]


def f2_3_no_alias_of_a_canonical_name(p: Platform) -> None:
    names = {n for s in p.compose.values() for n in (s.get("environment") or {})}
    own = {s["port_env"] for s in p.project["services"]}  # a framework may call its port what others must not
    assert not (names - own) & set(ALIASES)


def f2_4_one_scheme_and_the_datastores_own_host(p: Platform) -> None:
    for path, text in p.text(r"env\.example$|^k8s/|^docker-compose"):
        assert "postgres://" not in text, path
        hosts = set(re.findall(r"postgresql://[^@\s\"']*@([\w.-]+):", text))
        assert hosts <= {"postgres", "localhost", "127.0.0.1"}, (path, hosts)


def f3_1_one_workflow_without_cycles(p: Platform) -> None:
    assert [path for path, _ in p.text(r"^\.github/workflows/|^\.gitlab-ci")] == [p.pipeline.path]
    needs = {name: job.needs for name, job in p.pipeline.jobs.items()}
    done: set[str] = set()
    while ready := {n for n in needs if n not in done and set(needs[n]) <= done}:
        done |= ready
    assert done == set(needs)


def f3_2_one_way_to_the_database(p: Platform) -> None:
    calls = r"diesel migration run|sqlx migrate run|alembic upgrade|prisma migrate deploy|manage\.py migrate|psql .*-f "
    for path, text in p.text(r"^docker-compose|^\.github/|^\.gitlab|^k8s/|^infrastructure/(ci|docker)/"):
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        if not path.endswith(".md"):
            assert not re.search(calls, code), path


def f3_3_releases_are_tagged_by_version(p: Platform) -> None:
    assert p.pipeline.takes_tags
    release = p.pipeline.jobs["release"]
    assert "infrastructure/ci/release.sh" in release.text
    assert "latest" in p.tree["infrastructure/ci/tags.sh"].content.decode()


def f3_4_no_ssh_and_a_rollout_gate(p: Platform) -> None:
    assert "ssh-action" not in p.tree[p.pipeline.path].content.decode()
    for path, script in p.text(r"^infrastructure/ci/.*\.sh$"):
        assert not re.search(r"(?m)^\s*ssh ", script), path
    if p.project["environments"]:
        scripts = "".join(t for _, t in p.text(r"^infrastructure/ci/.*\.sh$"))
        gate = "rollout status" if p.project["delivery"]["mode"] == "kubectl" else "Healthy|Ready|healthy"
        assert re.search(gate, scripts)


def f3_5_test_reports_are_kept(p: Platform) -> None:
    tests = {n: j for n, j in p.pipeline.jobs.items() if n.startswith("test-")}
    assert tests
    for name, job in tests.items():
        assert job.keeps_days >= 30, name


def f4_1_probes_use_the_named_port(p: Platform) -> None:
    for e in p.project["environments"]:
        for s in e["services"]:
            (container,) = pod_of(p.workload(e["name"], s["name"]))["containers"]
            names = {x["name"] for x in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                assert container[probe]["httpGet"]["port"] in names
            (service,) = [d for d in p.objects(e["name"], "Service") if d["metadata"]["name"] == s["name"]]
            assert service["spec"]["ports"][0]["targetPort"] in names


def f4_2_custom_metrics_join(p: Platform) -> None:
    for e in p.project["environments"]:
        for s in e["services"]:
            for metric in (s["autoscaling"] or {}).get("metrics", []):
                scalers = p.objects(e["name"], "HorizontalPodAutoscaler", "ScaledObject")
                (scaler,) = [d for d in scalers if d["spec"]["scaleTargetRef"]["name"] == s["name"]]
                text = json.dumps(scaler)
                assert metric["name"] in text or metric["from"] in text
                adapter = "".join(t for _, t in p.text(r"^k8s/")) if scaler["kind"] != "ScaledObject" else text
                assert metric["from"] in adapter


def f4_3_certificates_join(p: Platform) -> None:
    for e in p.project["environments"]:
        (certificate,) = p.objects(e["name"], "Certificate")
        assert certificate["spec"]["dnsNames"] == [e["host"]]
        issuers = {d["metadata"]["name"] for d in p.objects(e["name"], "Issuer", "ClusterIssuer")}
        assert certificate["spec"]["issuerRef"]["name"] in issuers
        fronts = p.objects(e["name"], "Gateway", "Ingress")
        assert fronts or not any(s["routes"] for s in e["services"])
        for front in fronts:
            assert certificate["spec"]["secretName"] in json.dumps(front)
            assert e["host"] in json.dumps(front)


def f5_1_expected_indexes_reach_the_runner(p: Platform) -> None:
    for s in p.project["services"]:
        path = f"infrastructure/database/services/{s['name']}.conf"
        if not s["migrations"]:
            assert path not in p.tree
            continue
        text = p.tree[path].content.decode()
        assert re.findall(r"expect_index = (\S+)", text) == s["migrations"]["expect_indexes"]
        assert f"{s['name']}-migrate" in p.compose


def f5_2_migration_status_is_kept(p: Platform) -> None:
    if not any(s["migrations"] for s in p.project["services"]):
        return
    jobs = [j for n, j in p.pipeline.jobs.items() if n == "migrations" or n.startswith("migrations-")]
    assert jobs
    assert all(j.keeps_days >= 30 for j in jobs)


def f6_1_deployments_are_declarative(p: Platform) -> None:
    for path, text in p.text(r"^\.github/|^\.gitlab|^infrastructure/ci/.*\.sh$"):
        assert not re.search(r"docker[ -]compose .*\bup\b", text), path
    for environment in p.manifests:
        for workload in p.objects(environment, "Deployment", "Rollout"):
            for container in containers(workload):
                assert re.search(r"@sha256:|:[\w.-]+$", container["image"]), container["image"]


def f6_2_health_stands_once(p: Platform) -> None:
    for s in p.project["services"]:
        live, ready = s["health"]["live"], s["health"]["ready"]
        compose = json.dumps(p.compose[s["name"]]["healthcheck"]["test"])
        dockerfile = p.tree[s["dockerfile"]].content.decode()
        assert any(path in compose and path in dockerfile for path in (live, ready))
        for e in p.project["environments"]:
            (container,) = pod_of(p.workload(e["name"], s["name"]))["containers"]
            assert container["livenessProbe"]["httpGet"]["path"] == live
            assert container["readinessProbe"]["httpGet"]["path"] == ready


def f6_3_indexes_are_verified_after_a_deployment(p: Platform) -> None:
    if not any(s["migrations"] for s in p.project["services"]):
        return
    for environment in p.manifests:
        for job in [d for d in p.objects(environment, "Job") if d["metadata"]["name"].endswith("-migrate")]:
            text = json.dumps(pod_of(job)["containers"])
            assert "verify" in text
    for name, job in p.pipeline.jobs.items():
        if name.startswith("deploy-"):
            assert "infrastructure/ci/verify.sh" in job.text, name


FINDINGS: dict[str, Callable[[Platform], None]] = {
    name[1:].replace("_", ".", 1).split("_", 1)[0]: function
    for name, function in list(globals().items())
    if re.match(r"f\d_\d_", name)
}
