"""What adoption says of the platform: its names, environments, routes, datastores, health, and replaced files."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.audit.test_adopt import EXPRESS, SERVER, adopt, api, propose
from tests.unit.audit.test_adopt_joining import VITE, deployment
from trimtab.audit.adopt.served import Sources
from trimtab.audit.facts import model as m
from trimtab.repo import Repo

COMPOSE = "services:\n  api: { build: api, ports: ['4000:4000'] }\n"
SERVICE = (
    "---\napiVersion: v1\nkind: Service\nmetadata: {{ name: {0} }}\n"
    "spec: {{ selector: {{ app: {0} }}, ports: [{{ port: 80, targetPort: 4000 }}] }}\n"
)
LIMITS = "          resources: { requests: { cpu: 100m, memory: 128Mi }, limits: { cpu: 500m, memory: 512Mi } }\n"


def ingress(*rules: tuple[str, str, str]) -> str:
    text = "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: front }\nspec:\n  rules:\n"
    for host, path, service in rules:
        text += f"    - host: {host}\n      http:\n        paths:\n          - path: {path}\n"
        text += f"            backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }}\n"
    return text


def overlaid(overlay: str, **more: str) -> dict[str, str]:
    base = deployment("api", "ghcr.io/acme/api:1", more=LIMITS)
    return api(
        **{
            "k8s/base/api.yaml": base + SERVICE.format("api"),
            "k8s/base/kustomization.yaml": "resources: [api.yaml]\n",
            "k8s/overlays/production/kustomization.yaml": "resources: [../../base]\n" + overlay,
            **more,
        }
    )


def of_production(files: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = adopt(files)["environments"]["production"]
    return found


def test_a_json_patch_of_an_overlay_is_an_override_with_its_own_place() -> None:
    patch = (
        "patches:\n  - target: { kind: Deployment, name: api }\n    patch: |-\n"
        "      - op: replace\n        path: /spec/template/spec/containers/0/resources/limits/cpu\n        value: '2'\n"
    )
    text = propose(overlaid(patch)).text
    assert yaml.safe_load(text)["environments"]["production"]["services"]["api"]["resources"] == {"cpu": "2"}
    assert 'cpu: "2" # k8s/overlays/production/kustomization.yaml:7 (the limit; 100m is requested)' in text


def test_a_patch_written_into_the_kustomization_is_an_override() -> None:
    patch = (
        "patchesStrategicMerge:\n  - |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: { name: api }\n"
        "    spec:\n      replicas: 5\n      template: { spec: { containers: [{ name: api, "
        "resources: { limits: { memory: 1Gi } } }] } }\n"
    )
    service = of_production(overlaid(patch))["services"]["api"]
    assert service["replicas"] == 5
    assert service["resources"] == {"memory": "1Gi"}


def test_replicas_and_prefixes_of_a_kustomization_are_followed() -> None:
    scaler = (
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: api }\nspec:\n"
        "  scaleTargetRef: { kind: Deployment, name: prod-api }\n  minReplicas: 3\n  maxReplicas: 9\n"
    )
    files = overlaid(
        "namePrefix: prod-\n",
        **{
            "k8s/overlays/production/scaler.yaml": scaler,
            "k8s/overlays/production/front.yaml": ingress(("shop.example.org", "/shop", "prod-api")).removeprefix(
                "---\n"
            ),
            "k8s/overlays/staging/kustomization.yaml": "resources: [../../base]\nreplicas: [{ name: api, count: 4 }]\n",
        },
    )
    text = propose(files).text
    data = yaml.safe_load(text)
    assert data["services"]["api"]["autoscaling"] == {"min": 3, "max": 9}
    assert data["services"]["api"]["route"] == ["/shop"]
    assert data["environments"]["staging"]["services"]["api"] == {"autoscaling": False, "replicas": 4}
    assert "min: 3 # k8s/overlays/production/scaler.yaml:6" in text
    assert "max: 9 # k8s/overlays/production/scaler.yaml:7" in text


def test_a_request_is_told_beside_its_limit_and_is_no_conflict() -> None:
    text = propose(api(**{"k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1", more=LIMITS)})).text
    assert 'cpu: "500m" # k8s/api.yaml:14 (the limit; 100m is requested)' in text
    assert "elsewhere" not in text


def test_manifests_that_no_kustomization_names_do_not_add_to_those_that_one_does() -> None:
    variant = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: api }\nspec:\n  template: { spec: { containers: "
        "[{ name: api, env: [{ name: CLOUD_REGION, value: north }] }] } }\n"
    )
    service = adopt(overlaid("", **{"clouds/kubernetes/cloud-patches.yaml": variant}))["services"]["api"]
    assert "env" not in service


def test_the_host_is_that_of_what_visitors_open_and_others_are_told() -> None:
    files = api(
        **{
            "web/package.json": VITE,
            "web/index.html": "<html>",
            "docker-compose.yml": COMPOSE + "  web: { build: web }\n",
            "k8s/all.yaml": deployment("api", "ghcr.io/acme/api:1")
            + SERVICE.format("api")
            + "---\n"
            + deployment("web", "ghcr.io/acme/web:1", 80)
            + SERVICE.format("web")
            + ingress(("api.shop.example.org", "/", "api"), ("shop.example.org", "/", "web")),
        }
    )
    text = propose(files).text
    data = yaml.safe_load(text)
    assert data["environments"]["production"]["host"] == "shop.example.org"
    assert data["services"]["web"]["route"] == ["/"]
    assert "route" not in data["services"]["api"]
    assert "leads / here, on a host of its own" in text
    assert "# host: elsewhere api.shop.example.org at k8s/all.yaml:" in text


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("shop.yourdomain.com", "(looks like a stand-in: name the host)"),
        ("staging.shop.example.org", "(by its name, not that of production)"),
    ],
)
def test_a_doubtful_host_is_marked(host: str, said: str) -> None:
    files = api(
        **{
            "k8s/all.yaml": deployment("api", "ghcr.io/acme/api:1")
            + SERVICE.format("api")
            + ingress((host, "/", "api")),
        }
    )
    assert f"host: {host} # k8s/all.yaml:" in propose(files).text
    assert said in propose(files).text


def test_a_name_of_a_local_network_is_no_host() -> None:
    text = propose(
        api(
            **{
                "k8s/all.yaml": deployment("api", "ghcr.io/acme/api:1")
                + SERVICE.format("api")
                + ingress(("shop.local", "/", "api")),
            }
        )
    ).text
    assert "host: app.example.com # FOUND NOWHERE: name the host" in text
    assert "# host: shop.local (k8s/all.yaml:" in text


def test_the_namespace_of_plain_manifests_is_kept() -> None:
    data = adopt(api(**{"k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1")}))
    assert data["environments"]["production"]["namespace"] == "shop-space"


def test_two_environments_do_not_get_one_namespace() -> None:
    same = "namespace: everything\nresources: [../../base]\n"
    files = overlaid("namespace: everything\n", **{"k8s/overlays/staging/kustomization.yaml": same})
    text = propose(files).text
    data = yaml.safe_load(text)
    assert data["environments"]["staging"]["namespace"] == "everything"
    assert "namespace" not in data["environments"]["production"]
    assert "is that of staging, too" in text


def test_the_root_manifest_names_the_platform_before_the_folder_does() -> None:
    files = api(**{"package.json": '{\n  "name": "@acme/corner-shop-monorepo",\n  "private": true\n}\n'})
    assert "name: corner-shop # package.json:2 (the manifest's name)" in propose(files).text
    generic = api(**{"package.json": '{"name": "root"}'})
    assert "name: shop # the name of the folder" in propose(generic).text


def test_an_application_that_reads_another_repository_is_not_how_this_one_is_delivered() -> None:
    application = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: x }\nspec:\n"
        "  source: { repoURL: 'https://github.com/acme/other.git', path: deployments }\n"
    )
    files = overlaid("", **{"argo/app.yaml": application})
    assert "mode" not in adopt(files).get("delivery", {})
    here = overlaid("", **{"argo/app.yaml": application.replace("path: deployments", "path: k8s/overlays/production")})
    assert adopt(here)["delivery"]["mode"] == "gitops"


def test_a_stand_in_is_no_registry() -> None:
    text = propose(api(**{"k8s/api.yaml": deployment("api", "ghcr.io/your-org/api:1")})).text
    assert "registry: registry.example.com/team # FOUND NOWHERE" in text


def test_the_version_of_postgres_is_that_of_the_cluster_not_of_compose_or_of_a_client() -> None:
    job = (
        "apiVersion: batch/v1\nkind: Job\nmetadata: { name: dump }\nspec:\n  template:\n    spec:\n"
        "      containers: [{ name: dump, image: 'postgres:14', command: [pg_dump] }]\n"
    )
    files = api(
        **{
            "docker-compose.yml": f"{COMPOSE}  db: {{ image: 'postgres:15' }}\n",
            "k8s/db.yaml": deployment("db", "postgres:16", port=5432),
            "k8s/dump.yaml": job,
        }
    )
    text = propose(files).text
    assert "    # version: elsewhere 15 at docker-compose.yml:" in text
    assert yaml.safe_load(text)["datastores"]["postgres"]["version"] == "16"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("pgvector/pgvector:pg16", "16"),
        ("postgis/postgis:17-3.5", "17"),
        ("timescale/timescaledb:2.19.0-pg15", "15"),
        ("timescale/timescaledb:latest", None),
        ("postgres:18.1-alpine", "18.1"),
    ],
)
def test_the_version_of_postgres_is_read_from_images_that_add_to_it(image: str, version: str | None) -> None:
    files = api(**{"docker-compose.yml": f"{COMPOSE}  db: {{ image: '{image}' }}\n"})
    assert (adopt(files)["datastores"]["postgres"] or {}).get("version") == version


def test_storage_is_what_the_datastore_claims_and_not_what_its_backups_do() -> None:
    claim = (
        "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{ name: {} }}\n"
        "spec: {{ resources: {{ requests: {{ storage: {} }} }} }}\n"
    )
    volumes = "      volumes: [{ name: d, persistentVolumeClaim: { claimName: pg-data } }]\n"
    database = deployment("postgres", "postgres:17", 5432, volumes)
    files = api(
        **{
            "docker-compose.yml": COMPOSE,
            "k8s/backup.yaml": claim.format("postgres-backups", "5Gi").removeprefix("---\n"),
            "k8s/db.yaml": database + claim.format("pg-data", "40Gi"),
        }
    )
    assert adopt(files)["datastores"]["postgres"]["storage"] == "40Gi"


ROUTES = """
const express = require("express");
const app = express();
app.get("/health", (req, res) => res.send("ok"));
app.get("/ready", (req, res) => res.send("ok"));
router.get("/status", (req, res) => res.json(orders));
app.get("/metrics", metrics);
fetch("/health/upstream");
app.listen(process.env.PORT || 4000);
"""


def test_beside_what_is_asked_for_only_a_route_for_readiness_is_worth_a_word() -> None:
    probe = "          livenessProbe: { httpGet: { path: /health, port: 4000 } }\n"
    probe += "          readinessProbe: { httpGet: { path: /health, port: 4000 } }\n"
    files = api(
        **{
            "api/server.js": ROUTES,
            "api/load-tests/run.js": 'fetch("/health/live")\n',
            "k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1", more=probe),
        }
    )
    text = propose(files).text
    assert "# ready: elsewhere /ready at api/server.js:5\n" in text
    assert "# live: elsewhere" not in text
    assert yaml.safe_load(text)["services"]["api"]["metrics"] == "/metrics"


@pytest.mark.parametrize(
    ("line", "served"),
    [
        ('app.get("/health", handler)', True),
        ('@app.get("/health")', True),
        ('mux.HandleFunc("/health", ok)', True),
        ('#[get("/health")]', True),
        ('.route("/health", get(ok))', True),
        ('path("/health", views.health),', True),
        ('if (req.url === "/health") {', True),
        ('await client.get("/health")', False),
        ('requests.get(base + "/health")', False),
        ('if path.startswith("/health"):', False),
        ('public_paths = ["/health"]', False),
    ],
)
def test_a_route_is_told_from_a_question(line: str, served: bool) -> None:
    sources = Sources(Repo.from_texts({"a.x": line}))
    assert sources.declares(m.Route("/health", m.Place("a.x", 1))) is served


def test_pods_that_prometheus_is_told_to_scrape_have_metrics() -> None:
    manifest = deployment("api", "ghcr.io/acme/api:1").replace(
        "metadata: { labels: { app: api } }",
        "metadata: { labels: { app: api }, "
        "annotations: { prometheus.io/scrape: 'true', prometheus.io/path: /numbers } }",
    )
    assert adopt(api(**{"k8s/api.yaml": manifest}))["services"]["api"]["metrics"] == "/numbers"


def test_a_caddyfile_routes() -> None:
    files = api(
        **{
            "docker-compose.yml": COMPOSE,
            "proxy/Caddyfile": "shop.example.org {\n  reverse_proxy /api/* api:4000\n  handle /hooks/* {\n"
            "    reverse_proxy api:4000\n  }\n}\n",
        }
    )
    assert adopt(files)["services"]["api"]["route"] == ["/api", "/hooks"]


def test_a_service_outside_of_the_cluster_gets_its_route_from_the_proxy() -> None:
    files = api(
        **{
            "web/package.json": VITE,
            "web/index.html": "<html>",
            "docker-compose.yml": COMPOSE + "  web: { build: web }\n",
            "nginx/site.conf": "server {\n  location / {\n    proxy_pass http://web:80;\n  }\n}\n",
            "k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1")
            + SERVICE.format("api")
            + ingress(("shop.example.org", "/api", "api"), ("api.example.org", "/", "api")),
        }
    )
    services = adopt(files)["services"]
    assert services["api"]["route"] == ["/api"]
    assert "route" not in services["web"]  # so it gets /, which it has by default


def test_migrations_of_django_are_known_and_those_that_cannot_run_are_said() -> None:
    files = {
        "shop/requirements.txt": "django\npsycopg\n",
        "shop/manage.py": "import os\nos.environ['DATABASE_URL']\n",
        "shop/orders/migrations/0001_initial.py": "class Migration: pass\n",
        "docker-compose.yml": "services:\n  shop: { build: shop }\n  db: { image: 'postgres:17' }\n",
    }
    assert adopt(files)["services"]["shop"]["migrations"] == {"tool": "django"}
    typed = api(
        **{
            "api/src/migrations/1700000000000-Init.ts": "export class Init {}\n",
            "docker-compose.yml": COMPOSE + "  db: { image: 'postgres:17' }\n",
        }
    )
    text = propose(typed).text
    assert "api/src/migrations holds migrations in JavaScript or TypeScript" in text
    assert "for Express Trimtab runs prisma or sql only" in text.replace("\n    # ", " ")


def test_prisma_is_known_beside_scripts_that_undo() -> None:
    folder = "api/prisma/migrations/20250101000000_init"
    files = api(
        **{
            f"{folder}/migration.sql": "CREATE TABLE a (b int);\n",
            f"{folder}/down.sql": "DROP TABLE a;\n",
            "docker-compose.yml": COMPOSE + "  db: { image: 'postgres:17' }\n",
        }
    )
    assert adopt(files)["services"]["api"]["migrations"]["tool"] == "prisma"


def test_only_what_is_replaced_is_listed_and_whole_folders_in_one_line() -> None:
    files = api(
        **{
            "api/Dockerfile": "FROM node:24\nEXPOSE 4000\n",
            "api/Dockerfile.test": "FROM node:24\n",
            "docker-compose.yml": COMPOSE + "  mq: { image: 'rabbitmq:4' }\n",
            "docker-compose.other.yml": "services:\n  mq: { image: 'rabbitmq:4' }\n",
            "deploy/api.yaml": deployment("api", "ghcr.io/acme/api:1"),
            "deploy/service.yaml": SERVICE.format("api").removeprefix("---\n"),
            "deploy/front.yaml": ingress(("shop.example.org", "/", "api")).removeprefix("---\n"),
            "monitoring/grafana.yaml": deployment("grafana", "grafana/grafana:12"),
            ".env.example": "A=b\n",
            ".github/workflows/ci.yml": "on: push\njobs:\n  test:\n    runs-on: x\n    steps: [{ run: npm test }]\n",
            ".github/workflows/release.yml": "on: push\njobs:\n  ship:\n    runs-on: x\n    steps:\n"
            "      - run: docker build -t ghcr.io/acme/api:1 api && docker push ghcr.io/acme/api:1\n",
            ".github/workflows/infra.yml": "on: push\njobs:\n  apply:\n    steps: [{ run: terraform apply }]\n",
        }
    )
    found = dict(propose(files).replaced)
    assert found == {
        ".env.example": ".env.example",
        ".github/workflows/ci.yml": ".github/workflows/ci-cd.yml, "
        "in part: it runs each language's usual tests and linters",
        ".github/workflows/release.yml": ".github/workflows/ci-cd.yml",
        "api/Dockerfile": "infrastructure/docker/Dockerfile.api",
        "docker-compose.yml": "docker-compose.yml, but for mq",
        "deploy/": "k8s/",
    }


def test_a_file_with_something_else_in_it_is_replaced_in_part() -> None:
    files = api(
        **{
            "docker-compose.yml": COMPOSE,
            "k8s/all.yaml": deployment("api", "ghcr.io/acme/api:1") + "---\n" + deployment("mq", "rabbitmq:4", 5672),
            "k8s/mq-config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: mq-config }\ndata: { A: b }\n",
        }
    )
    found = dict(propose(files).replaced)
    assert found["k8s/all.yaml"] == "k8s/, but for mq"
    assert "k8s/mq-config.yaml" not in found


def test_a_dockerfile_of_a_service_with_the_name_of_a_language_is_read() -> None:
    files = {
        "package.json": EXPRESS,
        "server.js": SERVER,
        "docker/Dockerfile.go": "FROM node:24\nEXPOSE 4000\nHEALTHCHECK CMD curl -f http://localhost:4000/alive\n",
        "docker-compose.yml": "services:\n  go: { build: { context: ., dockerfile: docker/Dockerfile.go } }\n",
    }
    assert adopt(files)["services"]["go"]["framework"] == "express"
    assert "docker/Dockerfile.go" in dict(propose(files).replaced)
