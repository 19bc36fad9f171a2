"""Services are put together from the files that mention them, and kept apart where they are not the same."""

from trimtab.audit.engine import Options, audit_repo
from trimtab.audit.facts.collect import collect
from trimtab.repo import Repo

CARGO = '[package]\nname = "{0}"\nversion = "0.1.0"\n[dependencies]\naxum = "0.8"\n'


JOB = "on: [push]\njobs:\n  image:\n    runs-on: ubuntu-24.04\n    steps:\n"


def deployment(name, image):
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n"  # noqa: E501
        f"  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n"
        f"        - {{name: app, image: '{image}'}}\n---\n"
    )


def services(files):
    return {service.name: service for service in collect(Repo.from_texts(files)).services}


def test_by_build_context_name_and_image_name():
    found = services(
        {
            "api/Cargo.toml": CARGO.format("api"),
            "docker-compose.yml": "services:\n  backend: { build: ./api }\n  postgres: { image: 'postgres:16' }\n",
            "docker-compose.prod.yml": "services:\n  backend: { image: 'ghcr.io/acme/shop-backend:1' }\n",
            "k8s/app.yaml": deployment("shop-backend", "ghcr.io/acme/shop-backend:1")
            + deployment("postgres", "postgres:16"),
        }
    )
    assert set(found) == {"backend", "postgres"}
    assert found["backend"].root == "api"
    assert len(found["backend"].containers) == 3
    assert len(found["postgres"].containers) == 2
    assert any("k8s/app.yaml" in reason for reason in found["backend"].evidence)


def test_workloads_of_one_image_stay_apart():
    found = services({"k8s/app.yaml": deployment("web", "acme/shop:1") + deployment("worker", "acme/shop:1")})
    assert set(found) == {"web", "worker"}


def test_a_database_is_not_the_service_that_it_is_named_after():
    found = services(
        {
            "k8s/app.yaml": deployment("catalogue", "acme/catalogue:1")
            + deployment("catalogue-db", "acme/catalogue-db:1")
        }
    )
    assert set(found) == {"catalogue", "catalogue-db"}


def test_sources_belong_to_the_nearest_root():
    found = services(
        {
            "Cargo.toml": CARGO.format("root"),
            "api/Cargo.toml": CARGO.format("api"),
            "api/src/main.rs": 'fn main() { std::env::var("API_KEY_NAME"); }\n',
            "docker-compose.yml": "services:\n  api: { build: ./api }\n  root: { build: . }\n",
        }
    )
    assert [read.name for read in found["api"].reads] == ["API_KEY_NAME"]
    assert found["root"].reads == ()


def test_a_package_without_a_manifest_is_the_home_of_its_dockerfile():
    """Nx keeps the manifest at the root; the application's own directory has `src/` and `project.json`."""
    found = services(
        {
            "package.json": '{"name": "shop", "dependencies": {"next": "16", "expo": "54"}}',
            "apps/web/Dockerfile": "FROM node:26.5.0\nCOPY . .\n",
            "apps/web/src/api.ts": "fetch(process.env.NEXT_PUBLIC_API_URL);\n",
            "apps/mobile/src/api.ts": "fetch(process.env.EXPO_PUBLIC_API_URL);\n",
            "docker-compose.yml": "services:\n  web:\n    build: { context: ., dockerfile: apps/web/Dockerfile }\n",
        }
    )
    assert found["web"].root == "apps/web"
    assert [read.name for read in found["web"].reads] == ["NEXT_PUBLIC_API_URL"]


def test_a_service_whose_dockerfile_is_gone_does_not_own_what_lies_around_it():
    found = services(
        {
            "Cargo.toml": CARGO.format("shop"),
            "src/main.rs": 'fn main() { std::env::var("SHOP_KEY"); }\n',
            "docker-compose.yml": "services:\n  rules:\n    build: { context: ., dockerfile: rules/Dockerfile }\n",
        }
    )
    assert found["rules"].reads == ()


def test_a_dockerfile_with_another_name_is_another_image():
    found = services(
        {
            "requirements.txt": "fastapi\n",
            "Dockerfile": "FROM python:3.14\nEXPOSE 8000\n",
            "Dockerfile.light": "FROM python:3.14-slim\nEXPOSE 8000\n",
            "Dockerfile.whisper": "FROM python:3.14\nEXPOSE 9001\n",
            "docker-compose.yml": "services:\n  api: { build: . }\n",
        }
    )
    assert [one.path for one in found["api"].dockerfiles] == ["Dockerfile", "Dockerfile.light"]


def test_what_was_put_aside_is_no_source():
    found = services(
        {
            "package.json": '{"name": "shop", "dependencies": {"express": "5"}}',
            "backups/2025-09-05/server.js": "process.env.OLD_KEY;\n",
            "server.js": "process.env.NEW_KEY;\n",
        }
    )
    assert [read.name for read in found["shop"].reads] == ["NEW_KEY"]


def test_an_image_of_two_packages_is_neither_of_them():
    found = services(
        {
            "web/package.json": '{"name": "web", "dependencies": {"vite": "8"}}',
            "api/package.json": '{"name": "api", "dependencies": {"express": "5"}}',
            "Dockerfile": "FROM node:26.5.0\nCOPY web/ web/\nCOPY api/ api/\n",
            "docker-compose.yml": "services:\n  shop: { build: . }\n",
        }
    )
    assert found["shop"].root == ""


def test_is_called_what_most_files_call_it():
    api = {"package.json": '{"name": "x", "dependencies": {"express": "5"}}', "Dockerfile": "FROM node:26.5.0\n"}
    compose = "services:\n  {0}:\n    build: .\n"
    found = services(
        {
            **api,
            "docker-compose.dev-secure.yml": compose.format("api-dev"),
            "docker-compose.prod.yml": compose.format("api"),
            "docker-compose.staging.yml": compose.format("api"),
        }
    )
    assert set(found) == {"api"}


def test_a_dockerfile_above_belongs_to_the_service_whose_file_it_starts():
    repo = Repo.from_texts(
        {
            "package.json": '{"dependencies": {"express": "5"}, "scripts": {"start": "node api/server.js"}}',
            "Dockerfile": 'FROM node:22\nEXPOSE 4000\nCMD ["node", "api/server.js"]\n',
            ".env.production": "PORT=4000\n",
            "api/package.json": '{"dependencies": {"express": "5"}}',
            "api/server.js": "app.listen(process.env.PORT || 5000);\n",
            "docker-compose.yml": "services:\n  api: { build: ./api, ports: ['5000:5000'] }\n",
        }
    )
    (service,) = collect(repo).services
    assert [one.path for one in service.dockerfiles] == ["Dockerfile"]
    (found,) = audit_repo(repo, Options(rules=("port-mismatch",))).findings
    assert {(one.path, one.value) for one in found.locations} >= {
        ("Dockerfile", "4000"),
        (".env.production", "4000"),
        ("docker-compose.yml", "5000"),
    }


def test_source_without_a_manifest_is_a_service_where_ci_builds_it_or_it_has_an_env_file():
    push = (
        f"{JOB}      - uses: docker/build-push-action@v6\n"
        "        with: { context: ./engine, push: true, tags: 'ghcr.io/acme/engine:1' }\n"
    )
    found = services(
        {
            ".github/workflows/ci.yml": push,
            "engine/Dockerfile": "FROM python:3.13\nCOPY app ./app\n",
            "engine/locks/requirements-lock.txt": "fastapi==0.115\n",
            "engine/app/main.py": 'import os\nos.environ["TOKEN_OF_ENGINE"]\n',
            "admin/.env.example": "ADMIN_KEY=\n",
            "admin/main.py": 'import os\nos.environ["ADMIN_KEY"]\n',
        }
    )
    assert {name: service.root for name, service in found.items()} == {"admin": "admin", "engine": "engine"}
    assert [one.path for one in found["engine"].dockerfiles] == ["engine/Dockerfile"]


def test_a_deployed_image_belongs_to_the_source_that_ci_builds_it_from():
    steps = (
        "      - id: meta\n        uses: docker/metadata-action@v5\n"
        "        with: { images: 'ghcr.io/acme/shop/core' }\n"
        "      - uses: docker/build-push-action@v6\n"
        "        with: { context: ., file: docker/Dockerfile.core, push: true, "
        "tags: '${{ steps.meta.outputs.tags }}' }\n"
    )
    found = services(
        {
            ".github/workflows/ci.yml": JOB + steps,
            "docker/Dockerfile.core": "FROM python:3.13\nCOPY requirements.txt core ./\n",
            "requirements.txt": "fastapi==0.115\n",
            "docker/docker-compose.prod.yml": "services:\n  orders: { image: 'shop/core:${VERSION:-1}' }\n",
        }
    )
    assert (found["orders"].root, found["orders"].framework) == ("", "fastapi")


def test_a_dockerfile_below_another_service_keeps_its_own():
    found = services(
        {
            "server/go.mod": "module acme/server\n\ngo 1.24\n",
            "server/main.go": 'package main\nfunc main() { http.ListenAndServe(":8080", nil) }\n',
            "server/market/requirements.txt": "flask==3.1\n",
            "server/market/main.py": "app.run(port=5000)\n",
            "server/market/Dockerfile": "FROM python:3.13\nEXPOSE 5000\nCMD python main.py\n",
            "docker-compose.yml": "services:\n  api: { build: ./server }\n"
            "  market: { build: { context: ./server/market, dockerfile: Dockerfile.prod } }\n",
        }
    )
    assert [one.path for one in found["market"].dockerfiles] == ["server/market/Dockerfile"]
