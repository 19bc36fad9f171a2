"""Kustomizations: what overlays change, and what they mean to change and do not apply."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings, service
from trimtab.audit.facts import patches
from trimtab.yamlpos import load_all

BASE = {
    "k8s/base/kustomization.yaml": "resources: [api.yaml]\nconfigMapGenerator: [{ name: api, envs: [api.env] }]\n",
    "k8s/base/api.env": "PORT=8080\nREDIS_HOST=redis\n",
    "k8s/base/api.yaml": deployment(image="acme/api")
    + "          envFrom: [{ configMapRef: { name: api } }]\n---\n"
    + service(8080)
    + "---\n"
    + service(6379, name="redis", selector="app: redis")
    + "---\n"
    + deployment("redis", "redis:7.2.4", 6379),
    "k8s/live/kustomization.yaml": "resources: [../base]\nimages: [{ name: acme/api, newTag: 1.2.0 }]\n",
    "main.go": 'package main\nfunc main() { http.ListenAndServe(":" + os.Getenv("PORT"), nil) }\n',
    "Dockerfile": "FROM golang:1.22.1\nCOPY . .\nEXPOSE 8080\n",
    "docker-compose.yml": "services:\n  api:\n    build: .\n    image: acme/api\n    environment: { PORT: 8080 }\n",
}
LIVE = "k8s/live/kustomization.yaml"


def with_live(text):
    return {**BASE, LIVE: BASE[LIVE] + text}


def test_an_overlay_in_order_gives_nothing_of_weight():
    assert [one.title for one in findings(BASE) if one.severity in ("critical", "high")] == []


@pytest.mark.parametrize(
    ("overlay", "rule", "line"),
    [
        (
            "patches:\n  - target: { kind: Deployment, name: api }\n    patch: |-\n      - op: replace\n"
            "        path: /spec/template/spec/containers/0/ports/0/containerPort\n        value: 9000\n",
            "port-mismatch",
            8,
        ),
        ("configMapGenerator:\n  - name: api\n    behavior: merge\n    literals:\n      - PORT=9000\n",
         "port-mismatch", 7),
        ("configMapGenerator:\n  - name: api\n    behavior: merge\n    literals: [REDIS_HOST=rediss]\n",
         "undefined-host", 6),
        ("replicas: [{ name: backend, count: 2 }]\n", "kustomize-target-missing", 3),
        ("patches: [{ path: size.yaml, target: { kind: Deployment, name: back } }]\n", "kustomize-target-missing", 3),
        ("secretGenerator:\n  - name: keys\n    behavior: merge\n    literals: [A=b]\n", "kustomize-target-missing", 4),
        ("generators: [labels.yaml]\n", "referenced-file-missing", 3),
    ],
)  # fmt: skip
def test_drift_in_an_overlay_names_its_line(overlay, rule, line):
    assert findings(BASE, rule) == ()
    files = with_live(overlay)
    files["k8s/live/size.yaml"] = "- { op: add, path: /spec/paused, value: false }\n"
    (found,) = findings(files, rule)
    assert (LIVE, line) in {(one.path, one.line) for one in found.locations}, found.locations


@pytest.mark.parametrize(
    "overlay",
    [
        "resources: [../base, https://example.com/x.yaml]\nreplicas: [{ name: backend, count: 2 }]\n",
        "helmCharts: [{ name: x }]\nreplicas: [{ name: backend, count: 2 }]\n",
        "patches: [{ target: { kind: Deployment }, patch: '[{ op: add, path: /spec/paused, value: true }]' }]\n",
        "patches: [{ target: { labelSelector: app=api }, patch: '[{ op: add, path: /spec/x, value: 1 }]' }]\n",
    ],
)
def test_what_may_be_applied_elsewhere_is_no_miss(overlay):
    files = {**BASE, LIVE: overlay if overlay.startswith("resources") else f"resources: [../base]\n{overlay}"}
    assert findings(files, "kustomize-target-missing") == ()


def test_the_values_of_a_base_stand_beside_those_of_its_overlays():
    files = with_live("configMapGenerator: [{ name: api, behavior: merge, literals: [LOG=info] }]\n")
    files["k8s/base/api.env"] = "PORT=8081\n"
    (found,) = findings(files, "port-mismatch")
    assert ("k8s/base/api.env", 1) in {(one.path, one.line) for one in found.locations}


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ("{ op: replace, path: /a/b/0, value: x }", "{a: {b: [x, 2]}, c~d: 3}"),
        ("{ op: add, path: /a/b/-, value: x }", "{a: {b: [1, 2, x]}, c~d: 3}"),
        ("{ op: add, path: /a/b/1, value: x }", "{a: {b: [1, x, 2]}, c~d: 3}"),
        ("{ op: remove, path: /a/b/0 }", "{a: {b: [2]}, c~d: 3}"),
        ("{ op: remove, path: /c~0d }", "{a: {b: [1, 2]}}"),
        ("{ op: add, path: /a/e, value: { f: 1 } }", "{a: {b: [1, 2], e: {f: 1}}, c~d: 3}"),
        ("{ op: replace, path: /a/b/7, value: x }", "{a: {b: [1, 2]}, c~d: 3}"),
        ("{ op: move, path: /a/b, from: /c }", "{a: {b: [1, 2]}, c~d: 3}"),
        ("{ op: add, path: /x/y/z, value: 1 }", "{a: {b: [1, 2]}, c~d: 3}"),
    ],
)
def test_json_patches(operation, result):
    def read(text):
        return load_all(text).maps()[0][0]

    body = read("{a: {b: [1, 2]}, c~d: 3}")
    changed = patches.copied(body)
    patches.applied(changed, read(operation))
    assert changed == read(result)
    assert body == read("{a: {b: [1, 2]}, c~d: 3}")


def test_a_component_is_for_what_others_apply():
    patch = "patches: [{ target: { kind: Deployment, name: gone }, patch: '[{ op: remove, path: /spec/x }]' }]\n"
    files = {**BASE, "k8s/parts/kustomization.yaml": f"kind: Component\nresources: [extra.yaml]\n{patch}"}
    files["k8s/parts/extra.yaml"] = deployment("extra")
    assert findings(files, "kustomize-target-missing") == ()
    files["k8s/parts/kustomization.yaml"] = files["k8s/parts/kustomization.yaml"].replace("Component", "Kustomization")
    assert len(findings(files, "kustomize-target-missing")) == 1


def test_an_image_that_overlays_name_without_its_registry_is_one_finding():
    files = {**BASE, "k8s/stage/kustomization.yaml": "resources: [../base]\nimages: [{ name: api, newTag: '2' }]\n"}
    files[LIVE] = "resources: [../base]\ngenerators: []\nimages:\n  - name: api\n    newTag: 1.2.0\n"
    (found,) = findings(files, "kustomize-target-missing")
    assert {(one.path, one.line, one.value) for one in found.locations} == {
        ("k8s/stage/kustomization.yaml", 2, "api"),
        (LIVE, 4, "api"),
        ("k8s/base/api.yaml", 11, "acme/api"),
    }


PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name} }}
spec:
  template:
    spec:
      containers:
        - name: {name}
          readinessProbe: {{ httpGet: {{ path: /health, port: {port} }} }}
"""
PROBED = deployment().replace("containerPort: 8080", "containerPort: 8080, name: http }, { containerPort: 9000")


@pytest.mark.parametrize(("port", "count"), [("http", 0), (8080, 0), (9000, 1), (3000, 1)])
def test_a_patch_lets_a_probe_ask_the_port_of_the_base(port, count):
    files = {
        **BASE,
        "k8s/base/api.yaml": PROBED + "          readinessProbe: { httpGet: { path: /health, port: http } }\n",
        "k8s/live/patch.yaml": PATCH.format(name="api", port=port),
    }
    found = findings(files, "probe-port-mismatch")
    assert [("k8s/live/patch.yaml", 9) in {(one.path, one.line) for one in each.locations} for each in found] == [
        True
    ] * count


def test_a_patch_of_what_is_published_is_no_service_of_the_exporter_beside_it():
    beside = "        - { name: exporter, image: 'acme/search-exporter:1', ports: [{ containerPort: 9114 }] }\n"
    files = {
        **BASE,
        "k8s/base/search.yaml": deployment("search", "elasticsearch:8.11.0", 9200) + beside,
        "k8s/live/patch.yaml": PATCH.format(name="search", port=9200),
    }
    assert findings(files, "probe-port-mismatch") == ()


def test_the_service_of_an_overlay_sends_to_ports_of_the_base():
    files = {**BASE, "k8s/live/service-patch.yaml": service(8080).replace("  selector: { app: api }\n", "")}
    assert findings(files, "service-target-port-mismatch") == ()
    files["k8s/live/service-patch.yaml"] = files["k8s/live/service-patch.yaml"].replace("8080", "9090")
    (found,) = findings(files, "service-target-port-mismatch")
    assert (found.locations[0].value, found.locations[1].value) == ("9090", "8080")


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        (
            "patches:\n  - target: { kind: Deployment }\n    patch: |-\n"
            "      - { op: add, path: /spec/replicas, value: 5 }\n",
            6,
        ),
        ("replicas: [{ name: api, count: 5 }]\n", 3),
    ],
)
def test_every_environment_that_sets_replicas_beside_an_autoscaler_is_named(overlay, line):
    scaler = (
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: api }\nspec:\n"
        "  scaleTargetRef: { kind: Deployment, name: api }\n"
    )
    path = "k8s/base/api.yaml"
    base = {**BASE, path: BASE[path].replace("spec:", "spec:\n  replicas: 3", 1) + scaler}
    (found,) = findings({**base, LIVE: BASE[LIVE] + overlay}, "replicas-beside-autoscaler")
    assert {(one.path, one.line, one.value) for one in found.locations} >= {
        (path, 5, "replicas: 3"),
        (LIVE, line, "replicas: 5"),
    }
    kept = {**base, path: base[path].replace("  replicas: 3\n", "", 1)}
    gone = "$patch: delete\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: api }\n"
    separate = overlay + ("" if "patches:" in overlay else "patches:\n") + "  - path: gone.yaml\n"
    inline = separate.replace("path: gone.yaml", "patch: |-\n      " + gone.replace("\n", "\n      "))
    assert len(findings({**kept, LIVE: BASE[LIVE] + overlay}, "replicas-beside-autoscaler")) == 1
    for removed in ({LIVE: BASE[LIVE] + inline}, {LIVE: BASE[LIVE] + separate, "k8s/live/gone.yaml": gone}):
        assert findings({**kept, **removed}, "replicas-beside-autoscaler") == ()


@pytest.mark.parametrize(("folder", "count"), [("production", 1), ("dev", 0)])
def test_a_moving_tag_of_an_overlay_is_named_with_the_image(folder, count):
    files = {**BASE, f"k8s/{folder}/kustomization.yaml": "images: [{ name: acme/api, newTag: latest }]\n"}
    del files[LIVE]
    (found,) = findings(files, "floating-image-tag")
    assert sum((one.line, one.value) == (1, "latest") for one in found.locations) == count


def test_what_an_overlay_pins_is_pinned_in_the_cluster_only():
    files = {**BASE, "docker-compose.yml": "services:\n  web:\n    image: acme/api:latest\n"}
    (found,) = findings(files, "floating-image-tag")
    assert [(one.path, one.line) for one in found.locations] == [("docker-compose.yml", 3)]


PREFIX = "namePrefix: live-\nnamespace: shop\n"
SCALER = (
    "kind: HorizontalPodAutoscaler\napiVersion: autoscaling/v2\nmetadata: { name: api }\n"
    "spec: { scaleTargetRef: { kind: Deployment, name: live-api }, maxReplicas: 3 }\n"
)
INGRESS = (
    "kind: Ingress\napiVersion: networking.k8s.io/v1\nmetadata: { name: api }\nspec:\n  rules:\n    - http:\n"
    "        paths: [{ path: /, pathType: Prefix, backend: { service: { name: live-api, port: { number: 8080 } } } }]\n"
)


def test_a_prefix_gives_objects_the_names_that_others_use():
    files = with_live(PREFIX)
    files[LIVE] = files[LIVE].replace("[../base]", "[../base, hpa.yaml, ingress.yaml]")
    files |= {"k8s/live/hpa.yaml": SCALER, "k8s/live/ingress.yaml": INGRESS}
    rules = ("scale-target-missing", "undefined-kubernetes-reference")
    assert findings(files, *rules) == ()
    other = {**files, LIVE: files[LIVE].replace("live-", "prod-")}
    assert sorted(one.rule for one in findings(other, *rules)) == sorted(rules)


def test_prefixes_add_up_over_several_kustomizations():
    files = {**BASE, "k8s/live/kustomization.yaml": "resources: [../shop]\nnamePrefix: live-\n"}
    files["k8s/shop/kustomization.yaml"] = "resources: [../base, ../auto]\nnamePrefix: shop-\n"
    files["k8s/auto/kustomization.yaml"] = "resources: [hpa.yaml]\n"
    files["k8s/auto/hpa.yaml"] = SCALER.replace("live-api", "live-shop-api")
    assert findings(files, "scale-target-missing") == ()


def test_a_host_in_a_variable_keeps_its_name_when_the_service_gets_another():
    (found,) = findings(with_live(PREFIX), "undefined-host")
    assert found.title == "Host redis used where kustomizations call that Service live-redis"
    places = {(one.path, one.line, one.value) for one in found.locations}
    assert {("k8s/base/api.env", 2, "redis"), (LIVE, 3, "live-redis")} <= places
    given = "configMapGenerator: [{ name: api, behavior: merge, literals: [REDIS_HOST=live-redis] }]\n"
    assert findings(with_live(PREFIX + given), "undefined-host") == ()


@pytest.mark.parametrize(("name", "count"), [("api", 1), ("live-api", 0), ("gateway", 0)])
def test_commands_name_workloads_as_their_namespace_calls_them(name, count):
    files = with_live(PREFIX)
    files["deploy.sh"] = f"kubectl apply -k k8s/live\nkubectl rollout status deployment/{name} -n shop\n"
    found = findings(files, "undefined-kubernetes-reference")
    assert len(found) == count
    for one in found:
        assert one.title == "Deployment api is not defined, and a command asks for it; live-api is"
        assert [(place.path, place.line) for place in one.locations] == [("deploy.sh", 2), (LIVE, 3)]


@pytest.mark.parametrize(("key", "count"), [("db-url", 1), ("DB_URL", 0)])
def test_keys_of_a_secret_are_those_of_the_example_of_its_file(key, count):
    files = with_live("secretGenerator: [{ name: keys, env: keys.env }]\n")
    files["k8s/live/keys.env.example"] = "DB_URL=postgresql://user:password@db:5432/shop\n"
    reference = "env: [{ name: DB, valueFrom: { secretKeyRef: { name: keys, key: KEY } } }]"
    files["k8s/base/api.yaml"] = files["k8s/base/api.yaml"].replace(
        "          envFrom", f"          {reference.replace('KEY', key)}\n          envFrom", 1
    )
    found = findings(files, "undefined-kubernetes-reference", "undefined-host")
    assert len(found) == count
    for one in found:
        assert [(place.path, place.value) for place in one.locations] == [
            ("k8s/base/api.yaml", key),
            ("k8s/live/keys.env.example", "DB_URL"),
        ]


def test_a_policy_far_from_all_workloads_may_be_for_pods_from_elsewhere():
    policy = (
        "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: { name: tenants }\n"
        "spec: { podSelector: { matchLabels: { app: tenant } } }\n"
    )
    (near,) = findings({**BASE, "k8s/tenants/policy.yaml": policy}, "selector-matches-nothing")
    (far,) = findings({**BASE, "tenants/policy.yaml": policy}, "selector-matches-nothing")
    assert [(one.severity, one.confidence) for one in (near, far)] == [("medium", "high"), ("medium", "low")]
