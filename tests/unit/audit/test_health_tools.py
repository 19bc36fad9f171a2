"""Which programs an image has, when its health check calls one."""

import pytest

from tests.unit.audit.test_stacks import findings

RULE = "health-check-tool-missing"
CURL = "HEALTHCHECK CMD curl -f http://localhost:8000/health\n"
WGET = "HEALTHCHECK CMD wget -qO- http://localhost:8000/health || exit 1\n"


@pytest.mark.parametrize(
    ("image", "check", "count"),
    [
        ("python:3.13.1", CURL, 0),
        ("python:3.13.1-slim", CURL, 1),
        ("python:3.13.1-slim", WGET, 1),
        ("node:26.5.0-alpine", WGET, 0),
        ("node:26.5.0-alpine", CURL, 1),
        ("node:26.5.0-alpine", CURL.replace("health", "health || wget -qO- localhost:8000/health"), 0),
        ("debian:trixie", CURL, 1),
        ("scratch", WGET, 1),
        ("gcr.io/distroless/static:nonroot", CURL, 1),
        ("mcr.microsoft.com/dotnet/aspnet:9.0", CURL, 1),
        ("mcr.microsoft.com/dotnet/sdk:9.0", CURL, 0),
        ("nginx:1.29-alpine", CURL, 0),
        ("acme/python:3.13-slim", CURL, 0),
        ("python:${VERSION}-slim", CURL, 0),
        ("python:3.13.1-slim", "HEALTHCHECK CMD python check.py\n", 0),
    ],
)
def test_what_published_images_have(image, check, count):
    assert len(findings({"Dockerfile": f"FROM {image}\n{check}"}, RULE)) == count


@pytest.mark.parametrize(
    "line",
    [
        "RUN apt-get install -y curl",
        "RUN curl -fsSL https://acme.io/install | sh",
        "RUN ./setup.sh",
        "RUN apt-get install -y $PACKAGES",
        "COPY --from=tools /usr/bin/curl /usr/bin/curl",
    ],
)
def test_what_the_stage_brings_itself(line):
    assert not findings({"Dockerfile": f"FROM debian:trixie\n{line}\n{CURL}"}, RULE)


@pytest.mark.parametrize(("target", "count"), [("", 1), ("dev", 0), ("lean", 1)])
def test_the_stage_that_compose_builds_is_the_one_that_counts(target, count):
    stages = (
        "FROM debian:trixie AS tools\nRUN apt-get install -y curl\nFROM tools AS dev\nFROM debian:trixie AS lean\n"
        "FROM lean\nCOPY . .\n"
    )
    build = f"{{ context: ., target: {target} }}" if target else "."
    compose = (
        f"services:\n  api:\n    build: {build}\n    healthcheck: {{ test: curl -f http://localhost:8000/health }}\n"
    )
    found = findings({"Dockerfile": stages, "docker-compose.yml": compose}, RULE)
    assert [[(one.path, one.line) for one in each.locations] for each in found] == [
        [("docker-compose.yml", 4), ("Dockerfile", 4)]
    ] * count
