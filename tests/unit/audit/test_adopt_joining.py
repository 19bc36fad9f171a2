"""Which programs a repository has: each once, whatever files call it, and a reason for each that is left out."""

from __future__ import annotations

import pytest
import yaml

from tests.unit.audit.test_adopt import EXPRESS, SERVER, adopt, api, propose

VITE = '{"name": "web", "devDependencies": {"vite": "7"}}'


def deployment(name: str, image: str, port: int = 4000, more: str = "") -> str:
    return (
        "apiVersion: apps/v1\nkind: Deployment\n"
        f"metadata: {{ name: {name}, namespace: shop-space }}\n"
        f"spec:\n  replicas: 2\n  selector: {{ matchLabels: {{ app: {name} }} }}\n"
        f"  template:\n    metadata: {{ labels: {{ app: {name} }} }}\n    spec:\n      containers:\n"
        f"        - name: {name}\n          image: {image}\n          ports: [{{ containerPort: {port} }}]\n{more}"
    )


def test_one_folder_under_several_names_is_one_service_by_the_name_of_production() -> None:
    files = api(
        **{
            "docker-compose.yml": "services:\n  gateway-api: { build: api, ports: ['4000:4000'], environment: { A: one } }\n",  # noqa: E501
            "docker-compose.prod.yml": "services:\n  api-1: { build: api, environment: { A: two } }\n"
            "  api-2: { build: api, environment: { A: two } }\n",
        }
    )
    text = propose(files).text
    services = yaml.safe_load(text)["services"]
    assert list(services) == ["api"]
    assert services["api"]["env"] == {"A": "one"}
    assert "gateway-api (docker-compose.yml:2)" in text


def test_an_image_of_prebuilt_files_is_the_program_of_the_folder_that_it_copies_from() -> None:
    image = 'FROM debian:13\nCOPY {} /opt/shop\nENTRYPOINT ["/opt/shop"]\n'
    push = (
        "      - uses: docker/build-push-action@v6\n"
        "        with: {{ context: ., file: images/{0}/Dockerfile, push: true, tags: 'acme/{0}:1' }}\n"
    )
    job = (
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: tidy }\nspec:\n  schedule: '* * * * *'\n"
        "  jobTemplate: { spec: { template: { spec: { containers: [{ name: tidy, image: 'acme/tidy:1' }] } } } }\n"
    )
    files = {
        "core/Cargo.toml": '[package]\nname = "core"\n[dependencies]\nactix-web = "4"\n',
        "core/src/main.rs": 'fn main() { HttpServer::new(app).bind(("0.0.0.0", 4000)); }\n',
        "pages/index.html": "",
        "pages/package.json": VITE,
        "images/shop/Dockerfile": image.format("core/target/release/shop pages/"),
        "images/tidy/Dockerfile": image.format("core/target/release/tidy"),
        ".github/workflows/ci.yml": "on: push\njobs:\n  image:\n    runs-on: ubuntu-latest\n    steps:\n"
        + push.format("shop")
        + push.format("tidy"),
        "k8s/shop.yaml": deployment("shop", "acme/shop:1"),
        "k8s/tidy.yaml": job,
    }
    proposal = propose(files)
    services = yaml.safe_load(proposal.text)["services"]
    assert {name: (held["framework"], held["path"]) for name, held in services.items()} == {
        "shop": ("actix", "core"),
        "pages": ("vite", "pages"),
    }
    assert proposal.left_out == ("tidy (k8s/tidy.yaml:6): a job, and Trimtab runs no jobs but migrations",)


def test_another_dockerfile_of_the_same_folder_is_another_program() -> None:
    files = api(
        **{
            "api/Dockerfile.api": "FROM node:24\nCOPY . .\nEXPOSE 4000\n",
            "api/Dockerfile.worker": "FROM node:24\nCOPY . .\n",
            "docker-compose.yml": "services:\n  api: { build: { context: api, dockerfile: Dockerfile.api }, ports: ['4000:4000'] }\n"  # noqa: E501
            "  mailer: { build: { context: api, dockerfile: Dockerfile.worker } }\n",
        }
    )
    proposal = propose(files)
    assert list(yaml.safe_load(proposal.text)["services"]) == ["api"]
    assert proposal.left_out == (
        "mailer (docker-compose.yml:3): it listens on no port, and Trimtab has no workers yet",
    )


def test_the_one_workload_of_an_unknown_image_is_the_one_program_that_is_built() -> None:
    files = {
        "package.json": EXPRESS.replace('"api"', '"corner-shop"'),
        "server.js": SERVER,
        "Dockerfile": "FROM node:24\nEXPOSE 4000\n",
        "docker-compose.yml": "services:\n  app: { build: ., ports: ['4000:4000'] }\n",
        "k8s/app.yaml": deployment("corner-shop-site", "corner-shop-site:1"),
    }
    proposal = propose(files)
    service = yaml.safe_load(proposal.text)["services"]["app"]
    assert service["replicas"] == 2
    assert proposal.left_out == ()
    assert "corner-shop-site at k8s/app.yaml:11 was taken for it" in proposal.text


def test_a_workload_of_another_port_and_name_is_not_taken_for_it() -> None:
    files = api(
        **{
            "api/Dockerfile": "FROM node:24\nEXPOSE 4000\n",
            "docker-compose.yml": "services:\n  api: { build: api, ports: ['4000:4000'] }\n",
            "k8s/other.yaml": deployment("thing", "example.org/acme/thing:1", 9999),
        }
    )
    proposal = propose(files)
    assert "replicas" not in yaml.safe_load(proposal.text)["services"]["api"]
    assert any("thing (k8s/other.yaml:11)" in one for one in proposal.left_out)


def test_a_job_on_the_image_of_a_service_is_its_helper() -> None:
    job = deployment("api-migrate", "ghcr.io/acme/api:1").replace("apps/v1", "batch/v1").replace("Deployment", "Job")
    files = api(
        **{
            "api/Dockerfile": "FROM node:24\nEXPOSE 4000\n",
            "k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1"),
            "k8s/job.yaml": job,
            "docker-compose.yml": "services:\n  api: { build: api, environment: { DATABASE_URL: 'postgres://u@db/x' } }\n"  # noqa: E501
            "  db: { image: 'postgres:17' }\n",
        }
    )
    proposal = propose(files)
    assert proposal.left_out == ()
    assert "migrations: api-migrate: migrated so far, by nothing that Trimtab can run" in proposal.text


@pytest.mark.parametrize(
    ("copied", "why"),
    [
        ("server/model", "its image starts from python:3.13 (Dockerfile.model:1)"),
        ("server", "Dockerfile.model:1 builds it on python"),
    ],
)
def test_an_image_of_another_language_than_the_folders_manifest_is_not_of_its_source(copied: str, why: str) -> None:
    files = {
        "server/go.mod": "module example.org/server\n\ngo 1.25\n\nrequire github.com/go-chi/chi/v5 v5.1.0\n",
        "server/main.go": 'package main\n\nfunc main() { http.ListenAndServe(":8080", nil) }\n',
        "server/model/train.py": "print(1)\n",
        "Dockerfile.model": f"FROM python:3.13\nCOPY {copied} .\nEXPOSE 5000\n",
        "server/Dockerfile": "FROM golang:1.25\nCOPY . .\nRUN go build\nEXPOSE 8080\n",
        "docker-compose.yml": "services:\n  model: { build: { context: ., dockerfile: Dockerfile.model }, ports: ['5000:5000'] }\n"  # noqa: E501
        "  server: { build: server, ports: ['8080:8080'] }\n",
    }
    proposal = propose(files)
    assert list(yaml.safe_load(proposal.text)["services"]) == ["server"]
    assert any(one.startswith("model (") and why in one for one in proposal.left_out)


def test_the_manifest_of_a_workspace_is_no_service() -> None:
    files = api(
        **{
            "package.json": EXPRESS.replace('"api"', '"workspace"'),
            "main.js": "app.listen(process.env.PORT || 5000)\n",
            "docker-compose.yml": "services:\n  api: { build: api, ports: ['4000:4000'] }\n",
        }
    )
    proposal = propose(files)
    assert list(yaml.safe_load(proposal.text)["services"]) == ["api"]
    assert proposal.left_out == ("workspace (package.json): nothing builds or runs it, and api lies in its folder",)


def test_what_is_left_out_has_its_reason() -> None:
    files = api(
        **{
            "mongo/Dockerfile": "FROM mongo:8\nCOPY seed.js /\n",
            "proxy/Dockerfile": "FROM nginx:1.29\nCOPY site.conf /etc/nginx/\n",
            "tools/Dockerfile": "FROM perl:5\nCOPY . .\n",
            "stray/Dockerfile": "FROM perl:5\n",
            "docker-compose.yml": "services:\n  api: { build: api, ports: ['4000:4000'] }\n  store: { build: mongo }\n"
            "  front: { build: proxy, ports: ['80:80'] }\n  tools: { build: tools }\n  gone: { build: gone }\n"
            "  metrics: { image: prom/prometheus }\n  entry: { image: 'traefik:3' }\n"
            "  search: { image: 'acme/finder:2' }\n",
        }
    )
    said = " | ".join(propose(files).left_out)
    assert "store (docker-compose.yml:3): its image is mongo:8 with files of its own" in said
    assert "front (docker-compose.yml:4): its image is nginx:1.29 with files of its own (proxy/Dockerfile:1)" in said
    assert "tools (docker-compose.yml:5): its image starts from perl:5 (tools/Dockerfile:1)" in said
    assert "gone (docker-compose.yml:6): gone/Dockerfile is not there" in said
    assert "metrics (docker-compose.yml:7)" in said
    assert "entry (docker-compose.yml:8): a proxy, whose place the gateway takes" in said
    assert "search (docker-compose.yml:9)" in said
    assert "stray/Dockerfile: no manifest beside it names a framework that Trimtab knows; it starts from perl:5" in said


def test_valkey_is_redis_from_now_on() -> None:
    files = api(
        **{
            "docker-compose.yml": "services:\n  api: { build: api, environment: { CACHE_HOST: kv } }\n"
            "  kv: { image: 'valkey/valkey:8' }\n",
        }
    )
    proposal = propose(files)
    data = yaml.safe_load(proposal.text)
    assert data["services"]["api"]["uses"] == ["redis"]
    assert data["services"]["api"]["env"] == {"CACHE_HOST": "redis"}
    assert "valkey/valkey at docker-compose.yml:3 becomes redis" in proposal.text
    assert proposal.left_out == ()


def test_a_service_that_nothing_deploys_is_adopted_with_a_word() -> None:
    files = api(
        **{
            "web/package.json": VITE,
            "web/index.html": "<html>",
            "docker-compose.yml": "services:\n  api: { build: api, ports: ['4000:4000'] }\n",
        }
    )
    proposal = propose(files)
    assert list(yaml.safe_load(proposal.text)["services"]) == ["api", "web"]
    assert proposal.text.count("no file builds or runs it: take it out if it is not deployed") == 1


def test_spring_boot_is_known_by_the_plugin_that_makes_it_run() -> None:
    pom = (
        "<project>\n<artifactId>edge</artifactId>\n<dependencies>\n"
        "<dependency><artifactId>spring-cloud-starter-gateway</artifactId></dependency>\n"
        "<dependency><artifactId>micrometer-registry-prometheus</artifactId></dependency>\n</dependencies>\n"
        "<build><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></build>\n</project>\n"
    )
    files = {
        "edge/pom.xml": pom,
        "edge/src/main/resources/application.properties": "server.port=${SERVER_PORT:8085}\n",
        "edge/Dockerfile": "FROM eclipse-temurin:25\nCOPY target/app.jar .\nEXPOSE 8085\n",
        "docker-compose.yml": "services:\n  edge: { build: edge, ports: ['8085:8085'] }\n",
    }
    text = propose(files).text
    service = yaml.safe_load(text)["services"]["edge"]
    assert service["framework"] == "spring"
    assert service["port"] == 8085
    assert service["metrics"] == "/actuator/prometheus"
    assert "framework: spring # edge/pom.xml:7" in text  # the line of the plugin
    assert "SERVER_PORT" not in text.replace("(default of SERVER_PORT)", "")  # it is what Trimtab sets for Spring


def test_a_port_that_another_has_is_said_and_the_next_is_told() -> None:
    files = api(
        **{
            "more/package.json": EXPRESS.replace('"api"', '"more"'),
            "more/server.js": "app.listen(process.env.PORT || 4000)\n",
            "docker-compose.yml": "services:\n  api: { build: api, ports: ['4000:4000'] }\n  more: { build: more }\n",
        }
    )
    text = propose(files).text
    services = yaml.safe_load(text)["services"]
    assert services["api"]["port"] == 4000
    assert "port" not in services["more"]
    assert (
        "port: 4000 (more/server.js:1) is that of api, too, and locally each has its own; it gets 3001, in PORT"
        in text.replace("\n    # ", " ")
    )


def test_a_variable_of_its_own_for_the_port_follows_the_port() -> None:
    source = "const port = process.env.CART_SERVER_PORT || '8080';\napp.listen(port);\n"
    files = {
        "cart/package.json": EXPRESS.replace('"api"', '"cart"'),
        "cart/server.js": source,
        "docker-compose.yml": "services:\n  cart: { build: cart }\n",
    }
    service = adopt(files)["services"]["cart"]
    assert service["port"] == 8080
    assert service["env"] == {"CART_SERVER_PORT": 8080}


def test_the_port_of_a_development_server_is_not_that_of_static_files() -> None:
    files = {
        "web/package.json": VITE,
        "web/index.html": "<html>",
        "web/Dockerfile": "FROM node:24 AS build\nRUN npm run build\nFROM nginx:1.29\nEXPOSE 80\n",
        "web/Dockerfile.dev": "FROM node:24\nEXPOSE 5173\nCMD npm run dev\n",
        "docker-compose.yml": "services:\n  web: { build: { context: web, dockerfile: Dockerfile.dev }, ports: ['5173:5173'] }\n",  # noqa: E501
    }
    text = propose(files).text
    assert "port" not in yaml.safe_load(text)["services"]["web"]
    assert "port: 80 (web/Dockerfile:4) is for root only; it gets 8080" in text


def test_a_scheduled_job_is_named_as_left_out() -> None:
    job = deployment("api-tidy", "ghcr.io/acme/api:1").replace("apps/v1", "batch/v1").replace("Deployment", "Job")
    files = api(
        **{
            "api/Dockerfile": "FROM node:24\nEXPOSE 4000\n",
            "k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1"),
            "k8s/job.yaml": job,
        }
    )
    assert propose(files).left_out == (
        "api-tidy (k8s/job.yaml:11): a job on the image of api, and Trimtab runs no jobs but migrations",
    )
