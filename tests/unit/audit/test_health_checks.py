"""Health checks of images that developers run, and of workers."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings

CHECK = "HEALTHCHECK CMD curl -f http://localhost:%s/health\n"


@pytest.mark.parametrize(("port", "dockerfile", "count"), [(8080, "", 1), (3000, "", 0), (8080, "Dockerfile.live", 0)])
def test_a_check_for_developers_is_compared_with_the_image_that_they_build(port, dockerfile, count):
    compose = (
        f"services:\n  shop:\n    build: ./shop\n    healthcheck:\n      test: curl -f http://localhost:{port}/health\n"
    )
    own = f"FROM python:3.14\nCOPY . .\n{CHECK % 3000}"
    files = {"docker-compose.dev.yml": compose, f"shop/{dockerfile or 'Dockerfile'}": own}
    if dockerfile:
        files["shop/Dockerfile"] = "FROM python:3.14\nCOPY . .\n"
    found = findings(files, "health-check-drift")
    assert [one.title for one in found] == [
        "The health checks of shop differ between files: :8080/health, :3000/health"
    ] * count


@pytest.mark.parametrize(
    ("name", "package", "source", "count"),
    [
        ("mail-worker", "lettre = '1'", 'std::env::var("MAIL_URL")', 1),
        ("mail", "lettre = '1'", 'std::env::var("MAIL_URL")', 0),
        ("mail-worker", "axum = '1'", 'std::env::var("MAIL_URL")', 0),
        ("mail-worker", "lettre = '1'", 'std::env::var("MAIL_URL"); serve("/health")', 0),
        ("mail-worker", "lettre = '1'", "", 0),
    ],
)
def test_a_worker_serves_no_http(name, package, source, count):
    files = {
        "docker-compose.yml": f"services:\n  {name}:\n    build: ./mail\n",
        "mail/Dockerfile": f"FROM rust:1.90\nCOPY . .\n{CHECK % 8080}",
        "mail/Cargo.toml": f'[package]\nname = "mail"\n[dependencies]\n{package}\n',
        "mail/src/main.rs": f"fn main() {{ {source}; }}\n",
    }
    found = [one for one in findings(files, "health-path-not-served") if "serves no HTTP" in one.title]
    assert [(one.severity, one.locations[0].path) for one in found] == [("medium", "mail/Dockerfile")] * count


@pytest.mark.parametrize(
    ("path", "severity"), [("api/.env.example", "medium"), ("api/.env.production", "high"), ("api/notes.txt", "")]
)
def test_an_example_alone_makes_a_probe_doubtful(path, severity):
    probed = deployment().replace(
        "          ports", "          livenessProbe: { httpGet: { path: /health, port: 8080 } }\n          ports", 1
    )
    files = {
        "k8s/api.yaml": probed,
        "api/Dockerfile": "FROM node:26\nCOPY . .\n",
        "api/package.json": '{"name": "api", "dependencies": {"express": "5"}}',
        path: "PORT=3000\n",
    }
    assert [one.severity for one in findings(files, "probe-port-mismatch")] == ([severity] if severity else [])
