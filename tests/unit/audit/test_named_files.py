"""Files that commands of scripts and workflows name from wherever they run."""

import pytest

from tests.unit.audit.test_stacks import findings

HERE = {"docker/Dockerfile.api": "FROM scratch\n", "k8s/overlays/staging/kustomization.yaml": "resources: []\n"}


@pytest.mark.parametrize(
    ("script", "title"),
    [
        ('cd "$ROOT"\ndocker build -f Dockerfile.api -t api .', None),
        ('cd "$ROOT"\ndocker build -f Dockerfile.web -t web .', "The Dockerfile Dockerfile.web"),
        ("kubectl apply -k k8s/overlays/staging", None),
        ("kubectl apply -k ../k8s/overlays/production/", "The manifest k8s/overlays/production"),
        ("kubectl create secret generic x --dry-run=client -o yaml | kubectl apply -f -", None),
        ("kubectl apply -f /etc/site.yaml", None),
        ("docker compose -f compose.live.yml up -d", "The compose file compose.live.yml"),
        ("if [ -f compose.live.yml ]; then\n  docker compose -f compose.live.yml up -d\nfi", None),
        ("envsubst < site.tpl > site.yaml\nkubectl apply -f site.yaml", None),
        ("ssh host docker compose -f compose.live.yml up -d", None),
        ('echo "run docker compose -f compose.live.yml up"', None),
    ],
)
def test_what_a_script_builds_and_applies(script, title):
    found = findings({"scripts/ship.sh": f"#!/bin/sh\n{script}\n", **HERE}, "referenced-file-missing")
    expected = [] if title is None else [f"{title} is referred to and not in the repository"]
    assert [(one.title, one.severity) for one in found] == [(one, "medium") for one in expected]


@pytest.mark.parametrize(
    ("command", "count"),
    [
        ("bash scripts/start.sh", 1),
        ("docker compose run --rm api bash scripts/start.sh", 0),
        ("docker exec -t api ./scripts/start.sh", 0),
        ("kubectl exec deploy/api -- bash scripts/start.sh", 0),
    ],
)
def test_a_script_that_runs_inside_a_container_is_not_the_repositorys(command, count):
    workflow = f"on: push\njobs:\n  go:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: {command}\n"
    files = {".github/workflows/go.yml": workflow, "compose.yaml": "services: {}\n"}
    assert len(findings(files, "referenced-file-missing")) == count
