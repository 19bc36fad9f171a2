"""Versions of runtimes and datastores: one finding for one cause, with all that takes part in it."""

import pytest

from tests.unit.audit.test_stacks import findings

CI = ".github/workflows/ci.yml"
SETUP = """\
on: [push]
jobs:
  {0}:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/setup-node@v6
        with: {{ node-version: "{1}" }}
"""
PACKAGE = '{{"name": "{0}", "dependencies": {{"express": "4"}}}}'


def repository(ci, api, web):
    files = {CI: SETUP.format("test", ci)}
    for name, version in (("api", api), ("web", web)):
        files[f"{name}/package.json"] = PACKAGE.format(name)
        files[f"{name}/Dockerfile"] = f"FROM node:{version}\nCOPY . .\n"
    return files


def places(found):
    return {(place.path, place.value) for place in found.locations}


@pytest.mark.parametrize(
    ("api", "web", "title"),
    [
        ("18.20-alpine", "18", "The version of node differs between files: 18, 20"),
        ("20-slim", "18", "The version of node in web differs between files: 18, 20"),
    ],
)
def test_one_finding_has_every_place(api, web, title):
    (found,) = findings(repository("20", api, web), "runtime-version-drift")
    assert found.title == title
    assert places(found) == {
        (CI, "node 20"),
        ("api/Dockerfile", f"node {api}"),
        ("web/Dockerfile", f"node {web}"),
    }


def test_where_workflows_differ_the_images_take_part():
    files = repository("20", "20", "20") | {".github/workflows/old.yml": SETUP.format("old", "16")}
    (found,) = findings(files, "runtime-version-drift")
    assert ("api/Dockerfile", "node 20") in places(found)
    assert found.title == "The version of node differs between files: 16, 20"


def test_two_services_may_differ_where_nothing_speaks_for_both():
    files = repository("20", "20", "18")
    del files[CI]
    assert findings(files, "runtime-version-drift") == ()


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("pgvector/pgvector:pg15", "pgvector/pgvector:pg16", 1),
        ("pgvector/pgvector:0.8.0-pg16", "postgres:16.3-alpine", 0),
        ("pgvector/pgvector:0.8.0-pg17", "postgres:16.3-alpine", 1),
    ],
)
def test_the_database_stands_last_in_the_tag_of_an_extension(one, other, count):
    files = {
        "docker-compose.yml": f"services:\n  db:\n    image: {one}\n",
        "docker-compose.prod.yml": f"services:\n  db:\n    image: {other}\n",
    }
    assert len(findings(files, "datastore-version-drift")) == count
