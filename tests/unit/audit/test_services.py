"""Services are put together from the files that mention them, and kept apart where they are not the same."""

import pytest

from tests.unit.audit.test_stacks import alarms, findings
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


def test_a_directory_whose_manifest_is_lost_is_not_the_source_of_what_lies_around_it():
    files = {
        "docker-compose.yml": "services:\n  ranker:\n    build: { context: ., dockerfile: Dockerfile.ranker }\n"
        "    ports: ['5000:5000']\n  api:\n    build: ./server\n    ports: ['8080:8080']\n",
        "Dockerfile.ranker": "FROM python:3.12\nCOPY server/ranker/ ./\nEXPOSE 5000\n",
        "server/Dockerfile": "FROM golang:1.24\nCOPY . .\nEXPOSE 8080\n",
        "server/go.mod": "module server\n",
        "server/main.go": 'package main\nfunc main() { http.ListenAndServe(":8080", nil) }\n',
        "server/ranker/main.py": "uvicorn.run(app, port=5000)\n",
    }
    roots = {name: service.root for name, service in services(files).items()}
    assert roots == {"ranker": "server/ranker", "api": "server"}
    files["Dockerfile.ranker"] = files["Dockerfile.ranker"].replace("python:3.12", "golang:1.24")
    assert services(files)["ranker"].root == "server"


def test_a_development_server_in_a_published_image_is_no_deployment():
    client = "services:\n  client:\n    image: acme/sdk:3\n    command: flutter run --web-port=8081\n"
    client += "    ports: ['8081:8081']\n"
    files = {
        "docker-compose.yml": client + "    volumes: ['./client:/app']\n",
        "docker-compose.prod.yml": "services:\n  client:\n    build: ./client\n    ports: ['80:80']\n",
        "client/Dockerfile": "FROM nginx:1.27\nEXPOSE 80\n",
    }
    assert alarms(files, "port-mismatch") == []
    files["docker-compose.yml"] = client.replace("flutter run", "serve")
    assert len(alarms(files, "port-mismatch")) == 1


SCRAPES = """\
scrape_configs:
  - job_name: api
    static_configs:
      - targets: ['api:{0}', "localhost:9090"]
  # - targets: ['gone:1234']
  - job_name: hosts
    metrics_path: /probe
    static_configs:
      - targets:
          - node-exporter:9100  # of every machine
          - https://acme.com
          - db.acme.internal:9187
        labels: {{ team: shop }}
"""
MONITORED = {
    "compose.yaml": """\
services:
  api:
    build: ./api
    ports: ['8080:8080']
  prometheus:
    image: prom/prometheus:v3.1.0
    volumes: ['./prometheus.yml:/etc/prometheus/prometheus.yml']
""",
    "api/Dockerfile": "FROM python:3.13.1\nEXPOSE 8080\n",
    "api/pyproject.toml": '[project]\nname = "api"\n',
    "k8s/exporter.yaml": """\
apiVersion: v1
kind: Service
metadata: { name: node-exporter }
spec: { ports: [{ port: 9100 }] }
""",
}


def scraped(files, rule):
    return [(place.path, place.line, place.value) for one in findings(files, rule) for place in one.locations]


def test_prometheus_asks_hosts_and_ports_that_there_are():
    files = {**MONITORED, "prometheus.yml": SCRAPES.format(8080)}
    assert scraped(files, "undefined-host") == [("prometheus.yml", 10, "node-exporter:9100")]  # compose has none
    assert scraped(files, "upstream-port-mismatch") == []
    (wrong,) = findings({**files, "prometheus.yml": SCRAPES.format(9000)}, "upstream-port-mismatch")
    assert wrong.severity == "medium"
    assert ("prometheus.yml", 4, "9000") in {(one.path, one.line, one.value) for one in wrong.locations}


def test_a_cluster_scrapes_what_the_cluster_has():
    inside = "\n".join(f"    {line}" for line in SCRAPES.format(8080).split("\n"))
    monitor = (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: prometheus }}\ndata:\n  prometheus.yml: |\n{inside}\n"
    )
    files = {**MONITORED, "k8s/monitor.yaml": monitor}
    assert scraped(files, "undefined-host") == []
    del files["k8s/exporter.yaml"]
    assert scraped(files, "undefined-host") == [("k8s/monitor.yaml", 15, "node-exporter:9100")]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("QUEUE_URL=redis://queue:6379", 1),
        ("QUEUE_URL=redis://:${PASSWORD}@redis-server:6379/1", 1),
        ("QUEUE_URL=redis://cache:6379", 0),
        ("QUEUE_URL=redis://localhost:6379", 0),
        ("QUEUE_URL=redis://your-host:6379", 0),
        ("QUEUE_URL=redis://redis.acme.com:6379", 0),
        ("DATABASE_URL=postgresql://db:5432/shop", 0),  # there is no such store to be called otherwise
    ],
)
def test_the_store_of_an_env_file_is_called_as_compose_calls_it(line, count):
    compose = "services: { cache: { image: 'redis:8.0' } }\n"
    found = findings({"compose.yaml": compose, ".env.example": line + "\n"}, "undefined-host")
    assert [one.severity for one in found] == ["medium"] * count
    places = {(place.path, place.line) for one in found for place in one.locations}
    assert places == ({(".env.example", 1), ("compose.yaml", 1)} if count else set())


PROXIED = {
    "compose.yaml": "services:\n  web: { build: ./web }\n  backend: { image: 'acme/backend:1.2' }\n",
    "web/Dockerfile": "FROM nginx:1.29\nCOPY site.conf /etc/nginx/conf.d/default.conf\n",
    "web/site.conf": "server {\n  listen 80;\n  location /api { proxy_pass http://backend:8080; }\n}\n",
    "k8s/web.yaml": deployment("web", "acme/web:1.2"),
}


@pytest.mark.parametrize(
    ("name", "more", "lines"),
    [
        ("shop-backend", {}, {("web/site.conf", 3), ("k8s/backend.yaml", 2)}),
        ("backend", {}, set()),
        ("shop-backend", {"web/Dockerfile": "FROM nginx:1.29\n"}, set()),
        (
            "shop-backend",
            {"k8s/site.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { site.conf: a }\n"},
            set(),
        ),
    ],
)
def test_an_image_in_the_cluster_proxies_to_what_the_cluster_has(name, more, lines):
    kube = f"apiVersion: v1\nkind: Service\nmetadata: {{ name: {name} }}\nspec: {{ ports: [{{ port: 8080 }}] }}\n"
    found = findings({**PROXIED, "k8s/backend.yaml": kube, **more}, "undefined-host")
    assert {(place.path, place.line) for one in found for place in one.locations} == lines
    assert [one.title for one in found] == [
        "Host backend is used in the cluster, where no Service is called that (shop-backend is)"
    ] * bool(lines)


def test_an_exporter_beside_a_service_has_its_own_port():
    pod = deployment("shop", "acme/shop:1.2").replace("---\n", "")
    pod += "          ports: [{containerPort: 8080}]\n          livenessProbe: {httpGet: {path: /health, port: 8080}}\n"
    exporter = "        - {name: shop-exporter, image: 'acme/exporter:1.0', ports: [{containerPort: 9114}]}\n"
    one = pod.replace("- {name: app, image: 'acme/shop:1.2'}", "- name: app\n          image: acme/shop:1.2")
    patch = one.replace("          ports: [{containerPort: 8080}]\n", "")
    files = {"k8s/shop.yaml": one + exporter, "k8s/staging/shop.yaml": patch}
    assert findings(files, "probe-port-mismatch") == findings(files, "port-mismatch") == ()


@pytest.mark.parametrize(("path", "severity"), [("k8s/ingress.test.yaml", "medium"), ("k8s/ingress.yaml", "high")])
def test_what_tries_a_cluster_out_may_ask_for_nothing(path, severity):
    ingress = (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: shop }\nspec:\n  rules:\n    - http:\n"
        "        paths: [{ path: /, backend: { service: { name: gone, port: { number: 80 } } } }]\n"
    )
    (found,) = findings({path: ingress}, "undefined-kubernetes-reference")
    assert found.severity == severity
