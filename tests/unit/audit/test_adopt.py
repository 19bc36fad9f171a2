"""Adoption of small trees: what is chosen, what is said beside it, and that nothing breaks out of the YAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from trimtab.audit.adopt.propose import NothingFoundError, Proposal, propose_repo
from trimtab.frameworks import Frameworks
from trimtab.repo import Repo
from trimtab.settings.load import parse_settings

FRAMEWORKS = Frameworks(ROOT)
EXPRESS = '{"name": "api", "dependencies": {"express": "5"}, "scripts": {"start": "node server.js"}}'
SERVER = """
const express = require("express");
const app = express();
app.get("/healthz", (req, res) => res.send("ok"));
const secret = process.env.SESSION_SECRET;
const url = process.env.DATABASE_URL;
app.listen(process.env.PORT || 4000);
"""


def propose(files: dict[str, str]) -> Proposal:
    proposal = propose_repo(Repo.from_texts(files), FRAMEWORKS, "shop")
    parse_settings(proposal.raw, FRAMEWORKS)
    return proposal


def adopt(files: dict[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(propose(files).text)
    return data


def api(**more: str) -> dict[str, str]:
    return {"api/package.json": EXPRESS, "api/server.js": SERVER, **more}


def line(text: str, start: str) -> str:
    return next(one for one in text.splitlines() if one.strip().startswith(start))


def test_the_port_of_the_source_beats_every_file_and_the_others_are_named() -> None:
    compose = 'services:\n  api:\n    build: api\n    ports: ["8080:3001"]\n'
    text = propose(api(**{"docker-compose.yml": compose, "api/Dockerfile": "FROM node:24\nEXPOSE 5000\n"})).text
    assert "port: 4000 # api/server.js:7 (default of PORT)" in text
    assert "# port: elsewhere" in text
    assert "5000 at api/Dockerfile:2" in text
    assert "3001 at docker-compose.yml:4" in text


def test_a_driver_is_not_renamed_with_the_host_that_it_is_called_as() -> None:
    compose = (
        "services:\n  api:\n    build: api\n    ports: ['4000:4000']\n"
        "    environment: { DB_CONNECTION: pgsql, REPLICA_HOST: pgsql }\n"
        "  pgsql:\n    image: postgres:17\n"
    )
    env = adopt(api(**{"docker-compose.yml": compose}))["services"]["api"]["env"]
    assert env == {"DB_CONNECTION": "pgsql", "REPLICA_HOST": "postgres"}


def test_production_beats_local() -> None:
    files = api(
        **{
            "api/server.js": "process.env.LOG_LEVEL\n",
            "docker-compose.dev.yml": "services:\n  api:\n    build: api\n    environment: { LOG_LEVEL: debug }\n    ports: ['3001:3001']\n",  # noqa: E501
            "docker-compose.prod.yml": "services:\n  api:\n    build: api\n    environment: { LOG_LEVEL: warn }\n    ports: ['80:3002']\n",  # noqa: E501
        }
    )
    data = adopt(files)
    assert data["services"]["api"]["port"] == 3002
    assert data["services"]["api"]["env"]["LOG_LEVEL"] == "warn"
    assert data["environments"]["local"]["services"]["api"]["env"]["LOG_LEVEL"] == "debug"


def test_secrets_are_named_and_never_quoted() -> None:
    files = api(
        **{
            "docker-compose.yml": "services:\n  api:\n    build: api\n    environment:\n      SESSION_SECRET: hunter2hunter2\n"  # noqa: E501
            "      BROKER: amqp://me:sesame99@mq:5672\n      DATABASE_URL: postgres://u:swordfish@db/x\n"
            "  db:\n    image: postgres:16-alpine\n"
        }
    )
    text = propose(files).text
    data = yaml.safe_load(text)
    assert data["services"]["api"]["secrets"] == ["SESSION_SECRET", "BROKER"]
    assert data["services"]["api"]["uses"] == ["postgres"]
    assert data["datastores"]["postgres"]["version"] == "16"
    assert 'version: "16"' in text
    for value in ("hunter2", "sesame99", "swordfish"):
        assert value not in text


def test_aliases_get_the_canonical_name_and_unit() -> None:
    files = api(
        **{
            "docker-compose.yml": "services:\n  api:\n    build: api\n    environment: { JWT_EXPIRES_IN: 2h, CORS_ORIGIN: 'https://a.example' }\n"  # noqa: E501
        }
    )
    text = propose(files).text
    assert line(text, "JWT_EXPIRATION_SECONDS").strip().startswith("JWT_EXPIRATION_SECONDS: 7200 #")
    assert "was CORS_ORIGIN" in line(text, "CORS_ALLOWED_ORIGINS")


def test_what_cannot_be_expressed_is_said() -> None:
    files = api(
        **{
            "shop/requirements.txt": "starlette\n",
            "docker-compose.yml": "services:\n  api:\n    build: api\n  shop:\n    build: shop\n    ports: ['5000:5000']\n  mq:\n    image: rabbitmq:4\n",  # noqa: E501
        }
    )
    proposal = propose(files)
    assert list(yaml.safe_load(proposal.text)["services"]) == ["api"]
    assert any(
        one.startswith("shop (docker-compose.yml:4): Trimtab has no template for starlette")
        for one in proposal.left_out
    )
    assert any("no rabbitmq" in one for one in proposal.left_out)
    assert all(f"LEFT OUT: {one}" in proposal.text.replace("\n# ", " ") for one in proposal.left_out)


def test_a_framework_that_is_built_alike_is_mapped_and_said() -> None:
    package = EXPRESS.replace("express", "koa")
    text = propose({"api/package.json": package, "api/server.js": SERVER}).text
    assert "framework: express # api/package.json:1 (koa)" in text
    assert "# koa at api/package.json:1: Trimtab has no folder for it yet." in text


def test_nothing_to_adopt_is_one_error() -> None:
    with pytest.raises(NothingFoundError) as error:
        propose({"README.md": "hello"})
    assert error.value.exit_code == 2
    assert "\n" not in error.value.message


def test_migrations_bring_their_indexes_less_those_dropped() -> None:
    files = api(
        **{
            "docker-compose.yml": "services:\n  api:\n    build: api\n    environment: { DATABASE_URL: 'postgres://u@db/x' }\n  db: { image: 'postgres:17' }\n",  # noqa: E501
            "api/prisma/migrations/20240101000000_init/migration.sql": 'CREATE UNIQUE INDEX "User_email_key" ON "User"("email");\n'  # noqa: E501
            "CREATE INDEX gone ON orders (a);\n-- CREATE INDEX never ON orders (b);\n",
            "api/prisma/migrations/20240201000000_more/migration.sql": "DROP INDEX gone;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_day ON ONLY app.orders (day);\n",  # noqa: E501
        }
    )
    service = adopt(files)["services"]["api"]
    assert service["migrations"]["tool"] == "prisma"
    assert service["migrations"]["path"] == "prisma/migrations"
    assert service["migrations"]["expect_indexes"] == ["User.User_email_key", "app.orders.by_day"]


KUBERNETES = """
apiVersion: apps/v1
kind: Deployment
metadata: { name: api }
spec:
  replicas: 3
  selector: { matchLabels: { app: api } }
  template:
    metadata: { labels: { app: api } }
    spec:
      containers:
        - name: api
          image: ghcr.io/acme/shop/api:1
          ports: [{ containerPort: 4000 }]
          readinessProbe: { httpGet: { path: /healthz, port: 4000 } }
          resources: { requests: { cpu: 100m, memory: 100M }, limits: { cpu: 1500m, memory: 1G } }
---
apiVersion: v1
kind: Service
metadata: { name: api-svc }
spec: { selector: { app: api }, ports: [{ port: 80, targetPort: 4000 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop }
spec:
  rules:
    - host: shop.example.org
      http:
        paths:
          - { path: "/api(/|$)(.*)", pathType: ImplementationSpecific, backend: { service: { name: api-svc, port: { number: 80 } } } }
"""  # noqa: E501
SCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: api }
spec:
  scaleTargetRef: { kind: Deployment, name: api }
  minReplicas: 3
  maxReplicas: 9
  metrics:
    - { type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 65 } } }
    - { type: Pods, pods: { metric: { name: queue_length }, target: { type: AverageValue, averageValue: "5" } } }
"""


def test_manifests_give_scaling_routes_and_the_host() -> None:
    text = propose(api(**{"k8s/app.yaml": KUBERNETES, "k8s/hpa.yaml": SCALER})).text
    data = yaml.safe_load(text)
    service = data["services"]["api"]
    assert data["registry"] == "ghcr.io/acme/shop"
    assert service["route"] == ["/api"]
    assert "was cut to /api" in text
    assert service["resources"] == {"cpu": "1500m", "memory": "954Mi"}
    assert service["autoscaling"] == {"min": 3, "max": 9, "cpu": 65}
    assert "queue_length" in text
    assert service["health"] == {"live": "/healthz", "ready": "/healthz"}
    assert data["environments"]["production"]["host"] == "shop.example.org"
    assert data["delivery"]["ingress"] == "ingress"


def test_a_fixed_number_of_replicas_stays_fixed() -> None:
    service = adopt(api(**{"k8s/app.yaml": KUBERNETES}))["services"]["api"]
    assert service["autoscaling"] is False
    assert service["replicas"] == 3


def test_a_local_address_never_reaches_a_browser() -> None:
    package = '{"name": "web", "devDependencies": {"vite": "7"}}'
    files = api(
        **{
            "web/package.json": package,
            "web/index.html": "<html>",
            "web/.env.example": "VITE_API_URL=http://localhost:4000/api\nVITE_TITLE=Shop\n",
            "docker-compose.yml": "services:\n  api: { build: api }\n  web: { build: web }\n",
        }
    )
    assert adopt(files)["services"]["web"]["public_env"] == {"VITE_API_URL": "/api", "VITE_TITLE": "Shop"}


def test_overlays_become_environments() -> None:
    overlay = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: api-config }\ndata: { LEVEL: loud }\n"
    base = KUBERNETES.replace(
        "          ports:", "          envFrom: [{ configMapRef: { name: api-config } }]\n          ports:"
    )
    files = api(
        **{
            "k8s/base/app.yaml": base + "---\n" + overlay.replace("loud", "quiet"),
            "k8s/base/kustomization.yaml": "resources: [app.yaml]\n",
            "k8s/overlays/prod/kustomization.yaml": "namespace: live\nresources: [../../base]\npatches: [{ path: config.yaml }]\n",  # noqa: E501
            "k8s/overlays/prod/config.yaml": overlay,
            "k8s/overlays/staging/kustomization.yaml": "resources: [../../base]\n",
            "k8s/overlays/staging/ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: { name: s }\n",
        }
    )
    data = adopt(files)
    assert data["services"]["api"]["env"] == {"LEVEL": "quiet"}
    assert list(data["environments"]) == ["staging", "production"]
    assert data["environments"]["production"]["namespace"] == "live"
    assert data["environments"]["production"]["services"]["api"]["env"] == {"LEVEL": "loud"}


HOSTILE = [
    "a: b # c",
    "'\"`$(id)`${X}",
    "line\nversion: 9\nservices: {}",
    "\u2028\x85\ufeff\x1b[31m",
    "- [x, {y: z}] & * ! | > %",
    "yes",
    "1e3",
    "\U0001f600 \u202e",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_breaks_out_of_its_quotes(value: str) -> None:
    compose = yaml.safe_dump(
        {"services": {"api": {"build": "api", "environment": {"NOTE": value.replace("$", "$$"), "LAST": "kept"}}}}
    )
    data = adopt(api(**{"docker-compose.yml": compose}))
    assert data["version"] == 1
    assert data["services"]["api"]["env"].get("NOTE", value) == value
    assert data["services"]["api"]["env"]["LAST"] == "kept"


@pytest.mark.parametrize("name", ["api\n# x: [", "Ünï", "-", "redis", "x" * 90, "a: b", "local", "api-config"])
def test_no_name_breaks_the_settings(name: str) -> None:
    compose = yaml.safe_dump({"services": {name: {"build": "api", "ports": ["4000:4000"]}}})
    data = adopt(
        api(**{"docker-compose.yml": compose, "we\nird: [/package.json": EXPRESS, "we\nird: [/server.js": SERVER})
    )
    assert data["services"]


def test_manifests_are_joined_to_the_folder_of_their_name_and_workers_are_left_out() -> None:
    files = {
        "src/team/api/package.json": EXPRESS,
        "src/team/api/server.js": SERVER,
        "src/load/package.json": EXPRESS,
        "src/load/index.js": "const x = 1;\n",
        "kubernetes/api.yaml": KUBERNETES,
        "kubernetes/load.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: { name: load }
spec:
  selector: { matchLabels: { app: load } }
  template:
    metadata: { labels: { app: load } }
    spec: { containers: [{ name: load, image: example.com/load:1 }] }
""",
    }
    proposal = propose(files)
    data = yaml.safe_load(proposal.text)
    assert list(data["services"]) == ["api"]
    assert data["services"]["api"]["path"] == "src/team/api"
    assert data["services"]["api"]["replicas"] == 3
    assert any(one.startswith("load (") and "no workers" in one for one in proposal.left_out)


def test_a_tool_of_static_files_is_no_frontend() -> None:
    files = api(**{"package.json": '{"name": "root", "devDependencies": {"vite": "7"}}'})
    assert list(adopt(files)["services"]) == ["api"]


def test_a_go_module_that_listens_is_a_service() -> None:
    source = 'package main\n\nfunc main() { http.HandleFunc("/healthz", ok); http.ListenAndServe(":9090", nil) }\n'
    service = adopt(
        {
            "edge/go.mod": "module example.com/edge\n\ngo 1.25\n",
            "edge/main.go": source,
            "docker-compose.yml": "services:\n  edge: { build: edge }\n",
        }
    )["services"]["edge"]
    assert service["framework"] == "go"
    assert service["port"] == 9090
    assert service["health"] == {"live": "/healthz", "ready": "/healthz"}
