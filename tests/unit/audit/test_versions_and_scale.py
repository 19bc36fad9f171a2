"""Versions that differ, and what scales workloads, in several files at once."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings


def places(found):
    return {(one.path, one.line) for one in found.locations}


def built(directory, version):
    return {f"{directory}/Dockerfile": f"FROM python:{version}\nCOPY . .\n", f"{directory}/main.py": "run()\n"}


STEPS = """\
on: push
jobs:
  check:
    runs-on: ubuntu-24.04
    steps:
"""
WORKFLOW = f"""\
{STEPS}\
      - uses: actions/setup-python@v5
        with: {{ python-version: "3.14" }}
      - run: pytest
"""


def test_directories_that_disagree_with_the_root_share_one_finding():
    files = {".github/workflows/check.yml": WORKFLOW, **built("api", "3.11"), **built("mail", "3.12")}
    files |= built("jobs", "3.14")
    (found,) = findings(files, "runtime-version-drift")
    assert found.title == "The version of python differs between files: 3.11, 3.12, 3.14"
    assert places(found) == {  # what agrees takes part
        (".github/workflows/check.yml", 7),
        *((f"{one}/Dockerfile", 1) for one in ("api", "mail", "jobs")),
    }


def test_what_says_less_or_the_same_is_shown_beside_what_differs():
    files = {".github/workflows/check.yml": WORKFLOW, **built("api", "3.11"), **built("mail", "3.12")}
    files |= built("jobs", "3") | built("site", "3.14")
    (found,) = findings(files, "runtime-version-drift")
    assert {path for path, _ in places(found)} == set(files) & {
        ".github/workflows/check.yml",
        *(f"{one}/Dockerfile" for one in ("api", "mail", "jobs", "site")),
    }


def test_a_directory_that_disagrees_alone_is_named():
    files = {".github/workflows/check.yml": WORKFLOW, **built("api", "3.11"), **built("jobs", "3.14")}
    (found,) = findings(files, "runtime-version-drift")
    assert found.title == "The version of python in api differs between files: 3.11, 3.14"


@pytest.mark.parametrize(("tag", "count"), [("2022-latest", 0), ("2019-latest", 1)])
def test_the_version_of_a_datastore_whose_image_name_has_two_parts(tag, count):
    image = "mcr.microsoft.com/mssql/server"
    files = {
        "docker-compose.yml": f"services:\n  db:\n    image: {image}:2022-latest\n",
        "k8s/db.yaml": deployment("db", f"{image}:{tag}", 1433),
    }
    assert len(findings(files, "datastore-version-drift")) == count


@pytest.mark.parametrize(
    ("directory", "tag", "count"),
    [("production", "latest", 1), ("production", "1.4.0", 0), ("dev", "latest", 0)],
)
def test_an_overlay_that_gives_an_image_a_tag_that_moves(directory, tag, count):
    overlay = f"k8s/overlays/{directory}/kustomization.yaml"
    files = {
        "k8s/base/api.yaml": deployment(image="acme/api:0.0.0"),
        "k8s/base/kustomization.yaml": "resources: [api.yaml]\n",
        overlay: f"resources: [../../base]\nimages:\n  - name: acme/api\n    newTag: {tag}\n",
    }
    assert [places(one) for one in findings(files, "floating-image-tag")] == [{(overlay, 4)}] * count


def scaler(kind="Deployment", name="api"):
    return (
        f"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{ name: {name} }}\n"
        f"spec:\n  minReplicas: 2\n  maxReplicas: 4\n  scaleTargetRef: {{ kind: {kind}, name: {name} }}\n"
    )


def test_every_autoscaler_of_a_workload_with_fixed_replicas_is_listed():
    fixed = deployment().replace("spec:", "spec:\n  replicas: 2", 1)
    files = {"k8s/base/api.yaml": fixed, "k8s/base/hpa.yaml": scaler(), "k8s/production/hpa.yaml": scaler()}
    (found,) = findings(files, "replicas-beside-autoscaler")
    assert {path for path, _ in places(found)} == set(files)


@pytest.mark.parametrize(("name", "count"), [("web", 0), ("api", 1)])
def test_a_target_of_a_kind_of_its_own_is_looked_up_by_kind_and_name(name, count):
    files = {
        "k8s/api.yaml": "apiVersion: v1\nkind: Service\nmetadata: { name: api }\n"
        "---\napiVersion: core.spinkube.dev/v1alpha1\nkind: SpinApp\nmetadata: { name: web }\n",
        "k8s/hpa.yaml": scaler("SpinApp", name),
    }
    assert len(findings(files, "scale-target-missing")) == count


@pytest.mark.parametrize(
    ("step", "count"), [("uses: azure/setup-kubectl@v4", 0), ("uses: actions-hub/kubectl@v1.35.0", 1)]
)
def test_setting_up_a_client_deploys_nothing(step, count):
    files = {
        ".github/workflows/check.yml": f"{STEPS}      - {step}\n      - run: kubectl kustomize k8s\n",
        "db/migrations/0001_start.sql": "CREATE INDEX shop_name ON shop (name);\n",
    }
    assert len(findings(files, "index-check-missing-after-deploy")) == count


def test_tests_of_a_package_that_npm_is_pointed_at_are_tests():
    files = {".github/workflows/check.yml": f"{STEPS}      - run: npm --prefix e2e/web run test:all\n"}
    (found,) = findings(files, "test-reports-not-kept")
    assert found.locations[0].path == ".github/workflows/check.yml"


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("docker run --rm postgres:16 psql", [2]),
        ("kubectl run check \\\n  --image=postgres:16-alpine \\\n  --rm", [3]),
        ("docker pull postgres:17.2", []),
        ("docker build -t postgres:16 .", []),
        ('echo "docker run postgres:16"', []),
        ("docker run acme/shop:16", []),
    ],
)
def test_the_version_of_an_image_that_a_script_runs(script, lines):
    files = {
        "docker-compose.yml": "services:\n  db:\n    image: postgres:17.2\n",
        "ops/check.sh": f"#!/bin/sh\n{script}\n",
    }
    found = findings(files, "datastore-version-drift")
    assert [line for one in found for path, line in places(one) if path == "ops/check.sh"] == lines
