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
