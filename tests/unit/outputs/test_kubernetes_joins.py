"""What one object calls another: labels, names, ports, hosts and keys agree across every overlay."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.outputs import kubernetes as k8s
from tests.unit.outputs.kubernetes import EACH, Document, containers, documents, one, pods, selects
from tests.unit.outputs.platforms import rendered

_UNITS: dict[str, Decimal | int] = {
    "": 1,
    "m": Decimal("0.001"),
    "k": 1000,
    "M": 10**6,
    "G": 10**9,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
}


def quantity(text: object) -> Decimal:
    """A Kubernetes quantity as a number."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|Ki|Mi|Gi)?", str(text))
    assert match, text
    return Decimal(match[1]) * _UNITS[match[2] or ""]


def _environment(name: str, environment: str) -> Document:
    return next(e for e in k8s.environments(name) if e["name"] == environment)


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_every_object_is_in_the_namespace_of_its_environment(name: str, environment: str) -> None:
    namespace = _environment(name, environment)["namespace"]
    found = documents(name, environment)
    own = [d for d in found if d["kind"] == "Namespace"]
    assert [d["metadata"]["name"] for d in own] == [namespace]
    assert own[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {d["metadata"]["namespace"] for d in found if d["kind"] != "Namespace"} == {namespace}
    ids = [(d["kind"], d["metadata"]["name"]) for d in found]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_selectors_take_the_pods_they_mean_and_no_others(name: str, environment: str) -> None:
    templates = {w["metadata"]["name"]: t["metadata"]["labels"] for w, t in pods(name, environment)}
    for document in documents(name, environment, "Deployment", "StatefulSet", "Rollout", "PodDisruptionBudget"):
        taken = [n for n, labels in templates.items() if selects(document["spec"]["selector"], labels)]
        assert taken == [document["metadata"]["name"]]
    for service in documents(name, environment, "Service"):
        taken = [n for n, labels in templates.items() if selects(service["spec"]["selector"], labels)]
        assert taken == [re.sub("-(canary|preview|metrics)$", "", service["metadata"]["name"])]


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_a_port_number_stands_once_and_is_called_by_name(name: str, environment: str) -> None:
    """Findings 1.1, 4.1 and 6.2: probes and Services name the port, and its number is the setting."""
    for s in _environment(name, environment)["services"]:
        deployment = one(name, environment, "Deployment", s["name"])
        container = next(c for c in containers(deployment["spec"]["template"]) if c["name"] == s["name"])
        assert container["ports"] == [{"name": "http", "containerPort": s["port"]}]
        paths = {p: container[f"{p}Probe"]["httpGet"] for p in ("startup", "readiness", "liveness")}
        assert {p["port"] for p in paths.values()} == {"http"}
        assert paths["liveness"]["path"] == paths["startup"]["path"] == s["health"]["live"]
        assert paths["readiness"]["path"] == s["health"]["ready"]
        service = one(name, environment, "Service", s["name"])
        assert service["spec"]["ports"] == [{"name": "http", "port": s["port"], "targetPort": "http"}]
        data = _config(name, environment, s["name"])
        if s["port_env"]:
            assert data[s["port_env"]] == data[s["port_variable"]] == str(s["port"])


def _config(name: str, environment: str, service: str) -> dict[str, str]:
    container = one(name, environment, "Deployment", service)["spec"]["template"]["spec"]["containers"][0]
    names = [e["configMapRef"]["name"] for e in container.get("envFrom", []) if "configMapRef" in e]
    assert all(re.fullmatch(f"{service}-config-[a-z0-9]{{10}}", n) for n in names)  # hashed by kustomize
    found: dict[str, str] = (one(name, environment, "ConfigMap", names[0]).get("data") if names else None) or {}
    return found


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_pods_get_exactly_the_settings_variables(name: str, environment: str) -> None:
    """Findings 2.1 and 2.3: the keys and values are those of the resolved settings, character for character."""
    for s in _environment(name, environment)["services"]:
        own = {"MINE"} if _environment(name, environment)["patches"] and s["name"] == "backend" else set()
        data = _config(name, environment, s["name"])
        assert {k: v for k, v in data.items() if k not in own} == s["config"]
        container = one(name, environment, "Deployment", s["name"])["spec"]["template"]["spec"]["containers"][0]
        secrets = [e["secretRef"]["name"] for e in container.get("envFrom", []) if "secretRef" in e]
        assert secrets == ([f"{s['name']}-secrets"] if s["secrets"] else [])
        assert not set(data) & set(s["secrets"])


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_every_container_has_equal_requests_and_limits(name: str, environment: str) -> None:
    """Finding 1.4."""
    services = {s["name"]: s for s in _environment(name, environment)["services"]}
    for _, template in pods(name, environment):
        for container in containers(template):
            limits = container["resources"]["limits"]
            assert set(limits) == {"cpu", "memory"}
            assert container["resources"]["requests"] == limits
            if service := services.get(container["name"]):
                assert {k: quantity(v) for k, v in limits.items()} == {
                    k: quantity(v) for k, v in service["resources"].items()
                }


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_pods_fit_the_restricted_profile(name: str, environment: str) -> None:
    for workload, template in pods(name, environment):
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        ports = [p["containerPort"] for c in containers(template) for p in c.get("ports", [])]
        low = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
        assert security.get("sysctls", []) == [low] * any(port < 1024 for port in ports)
        volumes = {v["name"] for v in spec.get("volumes", [])} | {
            c["metadata"]["name"] for c in workload["spec"].get("volumeClaimTemplates", [])
        }
        assert one(name, environment, "ServiceAccount", spec["serviceAccountName"])
        for container in containers(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
            assert set(mounts) <= volumes
            assert mounts["tmp"] == "/tmp"


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_a_pod_drains_before_it_is_killed(name: str, environment: str) -> None:
    for s in _environment(name, environment)["services"]:
        spec = one(name, environment, "Deployment", s["name"])["spec"]["template"]["spec"]
        sleep = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] > sleep + 20
        assert all(k["matchLabelKeys"][0].endswith("pod-template-hash") for k in spec["topologySpreadConstraints"])


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_a_scaler_is_the_only_one_to_set_replicas(name: str, environment: str) -> None:
    """Finding 4.2, and bounds that no schema checks."""
    rolling = k8s.platform(name).project["delivery"]["strategy"] == "rolling"
    kind = "Deployment" if rolling else "Rollout"
    scalers: dict[str, list[Document]] = {}
    for document in documents(name, environment, "HorizontalPodAutoscaler", "ScaledObject"):
        scalers.setdefault(document["spec"]["scaleTargetRef"]["name"], []).append(document)
    for s in _environment(name, environment)["services"]:
        found = scalers.pop(s["name"], [])
        workload = one(name, environment, kind, s["name"])["spec"]
        if not s["autoscaling"]:
            assert (found, workload["replicas"]) == ([], s["replicas"])
            continue
        assert "replicas" not in workload
        assert len(found) == 1, "both a HorizontalPodAutoscaler and a ScaledObject, or none"
        spec = found[0]["spec"]
        assert spec["scaleTargetRef"]["kind"] == kind
        keda = found[0]["kind"] == "ScaledObject"
        low, high = (
            spec[k] for k in (("minReplicaCount", "maxReplicaCount") if keda else ("minReplicas", "maxReplicas"))
        )
        assert (low, high) == (s["autoscaling"]["min"], s["autoscaling"]["max"])
        assert 1 <= low <= high
        wanted = {m["name"]: quantity(m["target"]) for m in s["autoscaling"]["metrics"]}
        assert (_triggers(spec) if keda else _pod_metrics(spec)) == wanted
    assert not scalers


def _pod_metrics(spec: Document) -> dict[str, Decimal]:
    metrics = [m["pods"] for m in spec["metrics"] if m["type"] == "Pods"]
    return {m["metric"]["name"]: quantity(m["target"]["averageValue"]) for m in metrics}


def _triggers(spec: Document) -> dict[str, Decimal]:
    prometheus = [t for t in spec["triggers"] if t["type"] == "prometheus"]
    return {t["name"].replace("-", "_"): Decimal(t["metadata"]["threshold"]) for t in prometheus}


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_hosts_certificates_and_routes_join(name: str, environment: str) -> None:
    """Finding 4.3: one host, one Secret, an issuer that exists, and nothing that reads like a placeholder."""
    e = _environment(name, environment)
    project = k8s.platform(name).project
    certificate = one(name, environment, "Certificate", project["name"])["spec"]
    assert certificate["dnsNames"] == [e["host"]]
    issuer = one(name, environment, "Issuer", certificate["issuerRef"]["name"])
    assert ("staging" in issuer["spec"]["acme"]["server"]) == (e["tls"] == "letsencrypt-staging")
    (solver,) = issuer["spec"]["acme"]["solvers"]
    (way,) = solver["http01"].values()
    assert way["serviceType"] == "ClusterIP"  # cert-manager's default is a NodePort
    assert one(name, environment, "ResourceQuota", "platform")["spec"]["hard"]["services.nodeports"] == "0"
    routes: dict[str, str] = {}
    if project["delivery"]["ingress"] == "gateway":
        gateway = one(name, environment, "Gateway", project["name"])["spec"]
        assert {x["hostname"] for x in gateway["listeners"]} == {e["host"]}
        listeners = {x["name"]: x for x in gateway["listeners"]}
        assert listeners["https"]["tls"]["certificateRefs"] == [{"name": certificate["secretName"]}]
        for route in documents(name, environment, "HTTPRoute"):
            (parent,) = route["spec"]["parentRefs"]
            assert parent["name"] == project["name"]
            assert parent["sectionName"] in listeners
            routes |= _routes_of(name, environment, route)
    else:
        ingress = one(name, environment, "Ingress", project["name"])["spec"]
        assert ingress["tls"] == [{"hosts": [e["host"]], "secretName": certificate["secretName"]}]
        for rule in ingress.get("rules", []):
            assert rule["host"] == e["host"]
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                ports = one(name, environment, "Service", service["name"])["spec"]["ports"]
                assert service["port"]["name"] in [p["name"] for p in ports]
                routes[path["path"]] = service["name"]
    assert routes == {r: s["name"] for s in e["services"] for r in s["routes"]}


def _routes_of(name: str, environment: str, route: Document) -> dict[str, str]:
    found: dict[str, str] = {}
    for rule in route["spec"]["rules"]:
        for backend in rule.get("backendRefs", []):
            ports = one(name, environment, "Service", backend["name"])["spec"]["ports"]
            assert backend["port"] in [p["port"] for p in ports]
        if rule.get("backendRefs"):
            assert rule["timeouts"] == {"request": "0s"}  # Envoy's own is 15 s, also for web sockets
            found |= {m["path"]["value"]: rule["backendRefs"][0]["name"] for m in rule["matches"]}
    return found


def _allowed(name: str, environment: str, direction: str) -> set[tuple[str, str, str]]:
    """Edges between Pods that the policies of one direction allow: (from, to, port)."""
    templates = {w["metadata"]["name"]: t["metadata"]["labels"] for w, t in pods(name, environment)}
    edges: set[tuple[str, str, str]] = set()
    side = "from" if direction == "Ingress" else "to"
    for policy in documents(name, environment, "NetworkPolicy"):
        spec = policy["spec"]
        own = [n for n, labels in templates.items() if selects(spec["podSelector"], labels)]
        for rule in spec.get(direction.lower(), []):
            peers = [p["podSelector"] for p in rule.get(side, []) if "podSelector" in p]
            others = [n for n, labels in templates.items() if any(selects(p, labels) for p in peers)]
            for port in rule.get("ports", []):
                for a in own:
                    for b in others:
                        source, target = (b, a) if direction == "Ingress" else (a, b)
                        edges.add((source, target, str(port["port"])))
    return edges


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_the_network_is_what_uses_and_routes_say(name: str, environment: str) -> None:
    e = _environment(name, environment)
    deny = one(name, environment, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    edges: set[tuple[str, str, int]] = set()
    inside = {d["kind"]: d for d in e["datastores"] if not d["external"]}
    for s in e["services"]:
        edges |= {(s["name"], call["name"], call["port"]) for call in s["calls"]}
        edges |= {(s["name"], kind, inside[kind]["port"]) for kind in s["uses"] if kind in inside}
        if s["migrations"] and "postgres" in inside:
            edges.add((f"{s['name']}-migrate", "postgres", inside["postgres"]["port"]))
    if "postgres" in inside:
        edges.add(("postgres-backup", "postgres", inside["postgres"]["port"]))
    names = {**dict.fromkeys([s["name"] for s in e["services"]], "http"), **{k: k for k in inside}}
    assert _allowed(name, environment, "Egress") == {(a, b, str(port)) for a, b, port in edges}
    assert _allowed(name, environment, "Ingress") == {(a, b, names[b]) for a, b, _ in edges}
    outside = {
        (s["name"], d["port"])
        for s in e["services"]
        for d in e["datastores"]
        if d["external"] and d["kind"] in s["uses"]
    }
    assert outside <= _external(name, environment)
    front = k8s.platform(name).pins["kubernetes"][k8s.platform(name).project["delivery"]["ingress"]]["namespace"]
    for s in e["services"]:
        sources = _namespaces(one(name, environment, "NetworkPolicy", s["name"]))
        assert (front in sources) == bool(s["routes"])
        assert ("monitoring" in sources) == bool(s["metrics"])


def _namespaces(policy: Document) -> set[str]:
    peers = [p for rule in policy["spec"].get("ingress", []) for p in rule["from"] if "namespaceSelector" in p]
    return {p["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for p in peers}


def _external(name: str, environment: str) -> set[tuple[str, int]]:
    found = set()
    templates = {w["metadata"]["name"]: t["metadata"]["labels"] for w, t in pods(name, environment)}
    for policy in documents(name, environment, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            if any("ipBlock" in peer for peer in rule["to"]):
                own = [n for n, labels in templates.items() if selects(policy["spec"]["podSelector"], labels)]
                found |= {(n, port["port"]) for n in own for port in rule["ports"]}
    return found


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_the_quota_holds_every_service_at_its_most(name: str, environment: str) -> None:
    e = _environment(name, environment)
    hard = one(name, environment, "ResourceQuota", "platform")["spec"]["hard"]
    memory = cpu = count = Decimal(0)
    for s in e["services"]:
        replicas = s["autoscaling"]["max"] if s["autoscaling"] else s["replicas"]
        memory += replicas * quantity(s["resources"]["memory"])
        cpu += replicas * quantity(s["resources"]["cpu"])
        count += replicas
    assert quantity(hard["limits.memory"]) > memory
    assert quantity(hard["limits.cpu"]) > cpu
    assert int(hard["pods"]) > count
    claims: list[Any] = [d["spec"]["resources"] for d in documents(name, environment, "PersistentVolumeClaim")]
    for stateful in documents(name, environment, "StatefulSet"):
        claims += [c["spec"]["resources"] for c in stateful["spec"]["volumeClaimTemplates"]]
    assert quantity(hard.get("requests.storage", 0)) == sum(quantity(c["requests"]["storage"]) for c in claims)


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_datastores_run_where_they_are_not_external(name: str, environment: str) -> None:
    """Finding 1.3, and a database that keeps its data."""
    e = _environment(name, environment)
    inside = {d["kind"]: d for d in e["datastores"] if not d["external"]}
    assert {d["metadata"]["name"] for d in documents(name, environment, "StatefulSet")} == set(inside)
    for kind, store in inside.items():
        spec = one(name, environment, "StatefulSet", kind)["spec"]
        container = spec["template"]["spec"]["containers"][0]
        assert container["image"] == store["image"]
        assert container["ports"] == [{"name": kind, "containerPort": store["port"]}]
        mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
        old = kind == "postgres" and int(re.split("[.-]", store["version"])[0]) < 18
        assert mounts["data"] == {"postgres": "/var/lib/postgresql", "redis": "/data"}[kind] + ("/data" if old else "")
        assert one(name, environment, "Service", kind)["spec"]["ports"][0]["port"] == store["port"]
        passwords = {v["name"]: v["valueFrom"]["secretKeyRef"] for v in container["env"] if "valueFrom" in v}
        assert passwords[store["password_variable"]] == {"name": f"{kind}-secrets", "key": store["password_variable"]}
        spoken = " ".join([*container.get("command", []), *container.get("args", [])])
        assert "PASSWORD" not in spoken.upper().replace("PASSWORD_ENCRYPTION", "")
    backups = documents(name, environment, "CronJob")
    assert [b["metadata"]["name"] for b in backups] == (["postgres-backup"] if "postgres" in inside else [])
    for backup in backups:
        minute, hour, *rest = backup["spec"]["schedule"].split()
        assert (int(minute) in range(60), int(hour) in range(24), rest) == (True, True, ["*"] * 3)


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_migrations_run_before_the_code_that_needs_them(name: str, environment: str) -> None:
    """Findings 3.2 and 5: one Job per service with migrations, and Pods that wait for the schema."""
    e = _environment(name, environment)
    jobs = {j["metadata"]["name"]: j for j in documents(name, environment, "Job")}
    assert set(jobs) == {f"{s['name']}-migrate" for s in e["services"] if s["migrations"]}
    for s in e["services"]:
        initial = one(name, environment, "Deployment", s["name"])["spec"]["template"]["spec"].get("initContainers", [])
        assert [c["name"] for c in initial] == (["wait-for-schema"] if s["migrations"] else [])
        if not s["migrations"]:
            continue
        (migrate,) = jobs[f"{s['name']}-migrate"]["spec"]["template"]["spec"]["containers"]
        assert migrate["args"] == ["up", "verify"]
        assert initial[0]["args"] == ["wait"]
        assert migrate["image"] == initial[0]["image"]
        assert migrate["image"].startswith(s["migrations"]["image"] + "@sha256:")
        for container in (migrate, initial[0]):
            reference = container["env"][0]["valueFrom"]["secretKeyRef"]
            assert reference == {"name": f"{s['name']}-secrets", "key": "DATABASE_URL"}


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_a_release_pins_every_image_of_ours(name: str, environment: str) -> None:
    services = _environment(name, environment)["services"]
    ours = {s["image"] for s in services} | {s["migrations"]["image"] for s in services if s["migrations"]}
    images = [c["image"] for _, template in pods(name, environment) for c in containers(template)]
    assert {i.split("@")[0] for i in images if "@sha256:" in i} == ours
    assert all(":" in i.split("/")[-1] for i in images)  # never the latest by omission


def test_an_environment_patches_only_what_differs() -> None:
    files = k8s.platform("platform").files
    assert "k8s/overlays/staging/services.yaml" not in files
    patch = files["k8s/overlays/production/services.yaml"]
    assert 'RUST_LOG: "warn"' in patch
    assert "JWT_EXPIRATION_SECONDS" not in patch
    assert "kind: Deployment" not in patch


def test_scaling_may_differ_in_every_way() -> None:
    files = k8s.platform("scaling").files
    assert "$patch: delete" in files["k8s/overlays/staging/kustomization.yaml"]
    assert "path: /spec/replicas" in files["k8s/overlays/staging/kustomization.yaml"]
    assert "k8s/overlays/staging/fixed-autoscaler.yaml" in files
    assert "k8s/overlays/staging/moody-autoscaler.yaml" not in files
    keda = k8s.platform("scaling-keda").files
    assert "kind: ScaledObject" in keda["k8s/overlays/staging/moody-autoscaler.yaml"]
    assert one("scaling", "production", "ConfigMap", _name_of_config("scaling", "production"))["data"]["MINE"] == "1"


def _name_of_config(name: str, environment: str) -> str:
    found: list[str] = [d["metadata"]["name"] for d in documents(name, environment, "ConfigMap")]
    return next(n for n in found if n.startswith("backend-config"))


def test_a_changed_port_leaves_nothing_of_the_old_one() -> None:
    settings = {**k8s.VARIANTS["platform"]}
    settings["services"] = {**settings["services"], "backend": {**settings["services"]["backend"], "port": 2345}}
    changed = rendered("changed", settings).files
    before = k8s.platform("platform").files
    touched = [p for p in before if p.startswith("k8s/") and re.search(r"\b2000\b", before[p])]
    assert touched
    assert not [p for p in changed if p.startswith("k8s/") and re.search(r"\b2000\b", changed[p])]
    assert all(re.search(r"\b2345\b", changed[p]) for p in touched)
