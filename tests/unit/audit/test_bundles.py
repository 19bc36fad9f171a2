"""Variables that a frontend's bundle holds from its build on, set where only the running container sees them."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings

IMAGE = "FROM node:26 AS build\nCOPY . .\nRUN npm run build\nFROM nginx:1.30\nCOPY --from=build /dist /srv\n"
SITE = {
    "site/package.json": '{"name": "site", "dependencies": {"react": "19"}, "devDependencies": {"vite": "7"}}',
    "site/main.js": "fetch(import.meta.env.VITE_API_URL);\n",
}


def compose(more=""):
    return f"services:\n  site:\n    build: ./site\n    environment:\n      VITE_API_URL: http://api\n{more}"


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"docker-compose.yml": compose(), "site/Dockerfile": IMAGE}, 1),
        ({"docker-compose.dev.yml": compose(), "site/Dockerfile": IMAGE}, 1),
        ({"docker-compose.dev.yml": compose("    volumes: ['./site:/app']\n"), "site/Dockerfile": IMAGE}, 0),
        ({"docker-compose.dev.yml": compose("    command: npm run dev\n"), "site/Dockerfile": IMAGE}, 0),
        ({"docker-compose.yml": compose()}, 0),
        ({"docker-compose.yml": compose(), "site/Dockerfile": "FROM node:26\nCOPY . .\nCMD npm run dev\n"}, 0),
    ],
)
def test_a_compose_service(files, count):
    assert len(findings(SITE | files, "public-variable-set-at-runtime")) == count


@pytest.mark.parametrize(("name", "count"), [("VITE_API_URL", 1), ("API_URL", 0)])
def test_a_cluster_runs_an_image_that_nobody_here_builds(name, count):
    manifest = deployment("site", "acme/site:1.0.0", 80).replace(
        "          ports", f"          env: [{{ name: {name}, value: http://api }}]\n          ports", 1
    )
    assert f"env: [{{ name: {name}" in manifest
    assert len(findings(SITE | {"k8s/site.yaml": manifest}, "public-variable-set-at-runtime")) == count
