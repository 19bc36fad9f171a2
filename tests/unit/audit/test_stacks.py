"""Notations of single stacks: what is drift in them, and what only looks like it."""

import pytest

from trimtab.audit.engine import Options, audit_repo
from trimtab.repo import Repo

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name} }}
spec:
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      containers:
        - name: {name}
          image: {image}
          ports: [{{ containerPort: {port} }}]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{ name: {name} }}
spec:
  selector: {{ {selector} }}
  ports:
{ports}
"""


def findings(files, *rules):
    return audit_repo(Repo.from_texts(files), Options(rules=rules)).findings


def alarms(files, *rules):
    return [one.title for one in findings(files, *rules) if one.severity in ("critical", "high")]


def deployment(name="api", image="acme/api:1.0.0", port=8080):
    return DEPLOYMENT.format(name=name, image=image, port=port)


def service(*ports, name="api", selector="app: api"):
    lines = "\n".join(f"    - {{ name: p{port}, port: {port}, targetPort: {port} }}" for port in ports)
    return SERVICE.format(name=name, selector=selector, ports=lines)


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("${USERPROFILE}\\.aspnet\\https", []),
        ("C:\\data", []),
        (".\\config", []),
        ("data", ["docker-compose.yml refers to the volume data, which it does not define"]),
    ],
)
def test_only_a_name_is_a_volume(source, missing):
    compose = f"services:\n  api:\n    image: acme/api:1.0.0\n    volumes:\n      - {source}:/data:ro\n"
    assert alarms({"docker-compose.yml": compose}, "undefined-compose-reference") == missing


def test_phoenix_is_told_by_mix_exs():
    files = {
        "mix.exs": 'defmodule A do\n  def project, do: [app: :shop, elixir: "~> 1.17"]\n'
        '  defp deps, do: [{:phoenix, "~> 1.7"}]\nend\n',
        "assets/package.json": '{"dependencies": {"react-scripts": "5"}}',
        "Dockerfile": "FROM elixir:1.17.0\nCOPY . .\nRUN mix phx.digest\nEXPOSE 4000\n",
    }
    assert alarms(files, "dockerfile-for-another-framework") == []
    files["mix.exs"] = files["mix.exs"].replace("phoenix", "plug_cowboy")
    assert alarms(files, "dockerfile-for-another-framework") != []


@pytest.mark.parametrize(("ports", "count"), [((5672, 4369), 0), ((4369,), 1)])
def test_a_published_image_listens_on_more_than_is_listed(ports, count):
    files = {
        "k8s/rabbit.yaml": deployment("rabbit", "rabbitmq:4.1.0", 5672)
        + "---\n"
        + service(*ports, name="rabbit", selector="app: rabbit")
    }
    assert len(alarms(files, "service-target-port-mismatch")) == count


def test_own_images_list_what_they_listen_on():
    files = {"k8s/api.yaml": deployment() + "---\n" + service(8080, 9090)}
    assert len(alarms(files, "service-target-port-mismatch")) == 1


@pytest.mark.parametrize(
    ("kustomization", "count"),
    [
        ("commonLabels: { env: dev }\nresources: [../../base]\n", 0),
        ("labels: [{ pairs: { env: dev }, includeSelectors: true }]\nresources: [../../base]\n", 0),
        ("commonLabels: { env: prod }\nresources: [../../base]\n", 1),
    ],
)
def test_labels_that_a_kustomization_adds_are_selected(kustomization, count):
    files = {
        "k8s/base/api.yaml": deployment() + "---\n" + service(8080, selector="app: api, env: dev"),
        "k8s/overlays/dev/kustomization.yaml": kustomization,
    }
    assert len(alarms(files, "selector-matches-nothing")) == count


@pytest.mark.parametrize(("name", "count"), [("traefik", 0), ("bakend", 1)])
def test_pods_of_a_chart_from_elsewhere(name, count):
    pods = deployment("backend").replace("app: backend", "app.kubernetes.io/name: backend")
    files = {"k8s/all.yaml": pods + "---\n" + service(8080, name="metrics", selector=f"app.kubernetes.io/name: {name}")}
    assert len(alarms(files, "selector-matches-nothing")) == count


@pytest.mark.parametrize(("backend", "count"), [("prometheus-stack-grafana", 0), ("backend", 1)])
def test_services_of_known_charts_are_defined_elsewhere(backend, count):
    ingress = (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: web }\nspec:\n  rules:\n    - http:\n"
        f"        paths: [{{ path: /, backend: {{ service: {{ name: {backend}, port: {{ number: 80 }} }} }} }}]\n"
    )
    files = {"k8s/all.yaml": deployment() + "---\n" + service(8080) + "---\n" + ingress}
    assert len(alarms(files, "undefined-kubernetes-reference")) == count


WORKFLOW = "name: {name}\non: [push]\njobs:\n  {name}:\n    runs-on: ubuntu-24.04\n    steps:\n{steps}"


def workflow(name, *steps):
    return WORKFLOW.format(name=name, steps="".join(f"      - {step}\n" for step in steps))


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("go test ./...", "go test -race ./...", 1),
        ("go test ./...", "go test -tags e2e ./test/e2e/...", 0),
        ("mvn verify", "mvn verify -pl e2e", 0),
        ("mvn test", "mvn test", 1),
        ("npm test", "npm run test:unit", 1),
        ("npm test", "npm run test:e2e", 0),
        ("npm run test:e2e:ci", "npm run test:e2e", 0),
    ],
)
def test_other_tests_are_other_work(one, other, count):
    files = {
        ".github/workflows/ci.yml": workflow("ci", f"run: {one}"),
        ".github/workflows/more.yml": workflow("more", f"run: {other}"),
    }
    assert len(alarms(files, "overlapping-workflows")) == count


@pytest.mark.parametrize(("images", "count"), [(("acme/public", "acme/private"), 0), (("acme/api", "acme/api"), 1)])
def test_other_images_are_other_work(images, count):
    files = {
        f".github/workflows/{name}.yml": workflow(
            name,
            f"{{ uses: docker/metadata-action@v5, with: {{ images: ghcr.io/{image} }} }}",
            "{ uses: docker/build-push-action@v6, with: { context: ., push: true } }",
        )
        for name, image in zip(("one", "two"), images, strict=True)
    }
    assert len(alarms(files, "overlapping-workflows")) == count


def test_an_image_without_source_binds_no_port_of_the_source_beside_it():
    compose = (
        "services:\n  api:\n    build: .\n    ports: ['8080:8080']\n"
        "  pool:\n    build: { context: ., dockerfile: pool.Dockerfile }\n    ports: ['6432:6432']\n"
    )
    files = {
        "go.mod": "module acme/api\n\ngo 1.24\n\nrequire github.com/gin-gonic/gin v1.10.0\n",
        "main.go": 'package main\nfunc main() { gin.Default().Run(":8080") }\n',
        "Dockerfile": "FROM golang:1.24.0\nCOPY . .\nEXPOSE 8080\n",
        "pool.Dockerfile": "FROM alpine:3.22.0\nRUN apk add --no-cache pgbouncer\nEXPOSE 6432\n",
        "docker-compose.yml": compose,
    }
    assert alarms(files, "port-mismatch") == []
    files["main.go"] = files["main.go"].replace("8080", "9000")
    assert alarms(files, "port-mismatch") == ["api listens on 8080 and 9000, depending on the file"]


def test_nginx_listens_where_the_copied_file_says():
    files = {
        "edge/Dockerfile": "FROM nginx:1.29.0\nCOPY nginx.conf /etc/nginx/nginx.conf\nEXPOSE 8443\n",
        "edge/nginx.conf": "server { listen 8443; }\n",
        "ui/nginx.conf": "server { listen 3000; }\n",
        "docker-compose.yml": "services:\n  edge:\n    build: ./edge\n    ports: ['443:8443']\n",
    }
    assert alarms(files, "port-mismatch") == []


def test_a_variable_of_the_framework_is_no_spelling_of_another():
    files = {
        "Gemfile": 'gem "rails"\n',
        "config/initializers/pay.rb": 'Pay.key = ENV["SECRET_KEY"]\nPay.url = ENV["PAY_URL"]\n',
        ".env.example": "SECRET_KEY_BASE=\nPAY_URL=https://pay.example.com\nPAY_MODE=live\n",
        "docker-compose.yml": "services:\n  app:\n    build: .\n",
        "Dockerfile": "FROM ruby:3.4.0\nCOPY . .\n",
    }
    assert alarms(files, "env-read-undeclared") == []


def test_a_chart_placeholder_is_no_secret():
    files = {
        "chart/Chart.yaml": "name: shop\nversion: 1.0.0\n",
        "chart/values.yaml": "chat: {}\n",
        "chart/templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: chat }\ndata:\n"
        "  CHAT_API_KEY: {{ .Values.chat.openai.apiKey }}\n",
    }
    assert alarms(files, "secret-in-tracked-file") == []


GO = {
    "go.mod": "module acme/orders\n\ngo 1.24\n",
    "main.go": 'package main\n\ntype C struct {\n\tPort string `envconfig:"PORT" default:"8080"`\n'
    '\tKey string `envconfig:"PAY_KEY" required:"true"`\n}\n\nfunc main() {\n'
    '\thttp.HandleFunc("GET /healthz", ok)\n\thttp.ListenAndServe(":"+c.Port, nil)\n}\n',
    "Dockerfile": "FROM golang:1.24\nCOPY . .\nEXPOSE 8080\n",
    "docker-compose.yml": "services:\n  orders:\n    build: .\n    environment:\n      PORT: 8080\n"
    "      PAY_KEY: ${PAY_KEY}\n      REDIS_ADDR: redis:6379\n"
    "      DATABASE_URL: postgres://orders:${DB_PASSWORD}@db:5432/orders\n"
    "    healthcheck: { test: wget -qO- http://localhost:8080/healthz }\n"
    "  redis: { image: 'redis:7.4' }\n"
    "  db: { image: 'postgres:17.2', environment: { POSTGRES_USER: orders, POSTGRES_DB: orders } }\n",
}


def changed(files, path, old, new):
    assert old in files[path]
    return {**files, path: files[path].replace(old, new)}


def test_a_sound_go_service_of_the_standard_library_raises_no_alarm():
    assert alarms(GO) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "rule"),
    [
        ("docker-compose.yml", "PORT: 8080", "PORT: 2000", "port-mismatch"),
        ("docker-compose.yml", "8080/healthz", "8080/health", "health-path-not-served"),
        ("docker-compose.yml", "PAY_KEY: $", "PAY_KEYS: $", "env-read-undeclared"),
        ("docker-compose.yml", "redis:6379", "localhost:6379", "localhost-between-containers"),
        ("docker-compose.yml", "@db:", "@database:", "undefined-host"),
        ("docker-compose.yml", "@db:5432", "@db:5433", "upstream-port-mismatch"),
        ("docker-compose.yml", "//orders:", "//shop:", "database-settings-mismatch"),
    ],
)
def test_drift_of_a_go_service(path, old, new, rule):
    assert len(alarms(GO, rule)) == 0
    assert len(findings(changed(GO, path, old, new), rule)) == 1


KUSTOMIZE = {
    "k8s/kustomization.yaml": "resources: [api.yaml]\npatches:\n  - path: memory.yaml\n"
    "configMapGenerator:\n  - name: api-config\n    literals:\n      - SERVER_PORT=8080\n      - API_MODE=live\n"
    "secretGenerator:\n  - name: api-secrets\n    envs: [secrets.env]\n",
    "k8s/secrets.env": "API_TOKEN=\n",
    "k8s/memory.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: api }\n",
    "k8s/api.yaml": deployment().replace(
        "          ports",
        "          envFrom: [{ configMapRef: { name: api-config } }]\n          env:\n"
        "            - name: API_TOKEN\n"
        "              valueFrom: { secretKeyRef: { name: api-secrets, key: API_TOKEN } }\n          ports",
    ),
    "docker-compose.yml": "services:\n  api:\n    build: ./api\n"
    "    environment: { SERVER_PORT: 8080, API_MODE: live }\n",
    "api/pom.xml": "<project><artifactId>spring-boot-starter-web</artifactId></project>\n",
    "api/src/main/resources/application.yml": "server:\n  port: ${SERVER_PORT:8080}\napi:\n  mode: ${API_MODE}\n"
    "  secret: ${API_TOKEN}\n",
    "api/Dockerfile": "FROM eclipse-temurin:21\nCOPY . .\nEXPOSE 8080\n",
}


def test_a_sound_kustomize_tree_raises_no_alarm():
    assert alarms(KUSTOMIZE) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "rule", "line"),
    [
        ("k8s/kustomization.yaml", "SERVER_PORT=8080", "SERVER_PORT=9000", "port-mismatch", 7),
        ("k8s/kustomization.yaml", "memory.yaml", "limits.yaml", "referenced-file-missing", 3),
        ("k8s/api.yaml", "key: API_TOKEN", "key: API_KEY", "undefined-kubernetes-reference", 15),
        (
            "api/src/main/resources/application.yml",
            "${API_TOKEN}",
            "Zk3J9sQ2xV7pLm4Rt8Zw1aa",
            "secret-in-tracked-file",
            5,
        ),
    ],
)
def test_drift_in_generators_patches_and_spring_settings(path, old, new, rule, line):
    assert findings(KUSTOMIZE, rule) == ()
    (found,) = findings(changed(KUSTOMIZE, path, old, new), rule)
    assert any((place.path, place.line) == (path, line) for place in found.locations), found.locations


CHART = {
    "chart/Chart.yaml": "name: api\nversion: 1.0.0\n",
    "chart/values.yaml": "# of the api\nservice:\n  port: 80\n  targetPort: 8080\nprobePort: 8080\n",
    "chart/templates/api.yaml": deployment().replace(
        "          ports",
        "          livenessProbe: { httpGet: { path: /, port: {{ .Values.probePort }} } }\n          ports",
    )
    + "---\n"
    + service(80).replace("targetPort: 80", "targetPort: {{ .Values.service.targetPort }}"),
}


@pytest.mark.parametrize(
    ("old", "new", "rule", "line"),
    [
        ("targetPort: 8080", "targetPort: 9000", "service-target-port-mismatch", 4),
        ("probePort: 8080", "probePort: 8081", "probe-port-mismatch", 5),
    ],
)
def test_a_finding_in_a_chart_names_the_line_of_its_values(old, new, rule, line):
    assert findings(CHART, rule) == ()
    (found,) = findings(changed(CHART, "chart/values.yaml", old, new), rule)
    assert ("chart/values.yaml", line, new.split()[1]) in {(one.path, one.line, one.value) for one in found.locations}


@pytest.mark.parametrize(("tag", "count"), [("1.2.0", 0), ("latest", 1)])
def test_a_kustomization_gives_an_image_its_version(tag, count):
    files = {
        "k8s/api.yaml": deployment(image="acme/api"),
        "k8s/kustomization.yaml": f"resources: [api.yaml]\nimages: [{{ name: acme/api, newTag: {tag} }}]\n",
    }
    assert len(findings(files, "floating-image-tag")) == count


def test_a_chart_workload_of_the_same_name_is_the_service_that_compose_builds():
    chart = {path: text.replace("name: api }", 'name: {{ include "x" . }} }', 1) for path, text in CHART.items()}
    chart["docker-compose.yml"] = "services:\n  api:\n    build: ./src\n    environment: { PORT: 8080 }\n"
    chart["src/main.go"] = "package main\n"
    assert alarms(chart, "port-mismatch") == []
    (found,) = findings(changed(chart, "docker-compose.yml", "PORT: 8080", "PORT: 2000"), "port-mismatch")
    assert {one.path for one in found.locations} >= {"docker-compose.yml", "chart/templates/api.yaml"}


@pytest.mark.parametrize(("name", "count"), [("shop", 0), ("store", 1)])
def test_a_jdbc_url_names_the_database_that_there_is(name, count):
    compose = (
        "services:\n  api:\n    build: .\n    environment:\n      JDBC_URL: jdbc:postgresql://db:5432/shop?ssl=false\n"
        f"  db:\n    image: postgres:17.2\n    environment: {{ POSTGRES_USER: shop, POSTGRES_DB: {name} }}\n"
    )
    assert len(findings({"docker-compose.yml": compose}, "database-settings-mismatch")) == count


def test_what_a_loop_over_values_names_is_no_variable():
    loop = (
        "          env:\n{{- range $key, $value := .Values.env }}\n"
        "            - { name: {{ $key }}, value: {{ $value }} }\n{{- end }}\n"
    )
    chart = changed(CHART, "chart/templates/api.yaml", "          livenessProbe", loop + "          livenessProbe")
    chart["src/main.go"] = (
        'package main\nvar a, b = os.Getenv("A_URL"), os.Getenv("B_URL")\nvar c, d = os.Getenv("C"), os.Getenv("D")\n'
    )
    chart["docker-compose.yml"] = "services:\n  api:\n    build: ./src\n"
    assert findings(chart, "env-declared-unread") == ()


@pytest.mark.parametrize(("services", "count"), [(("one", "two"), 0), (("one",), 1)])
def test_migration_tools_of_two_languages_may_serve_two_services(services, count):
    compose = "services:\n  db: { image: 'postgres:17.2' }\n" + "".join(
        f"  {name}: {{ build: ./{name} }}\n" for name in services
    )
    files = {"docker-compose.yml": compose, "tools/up.sh": "mix ecto.migrate\ndotnet ef database update\n"}
    assert len(alarms(files, "mixed-migration-paths")) == count


@pytest.mark.parametrize(("store", "count"), [("clickhouse", 0), ("shop", 1)])
def test_another_store_has_migrations_of_its_own(store, count):
    files = {
        "package.json": '{"name": "shop", "scripts": {"migrate": "prisma migrate deploy"}}',
        f"{store}/up.sh": 'migrate -source file://migrations -database "$DATABASE_URL" up\n',
    }
    assert len(alarms(files, "mixed-migration-paths")) == count


IDLE = {
    "docker-compose.yml": "services:\n  api:\n    build: ./api\n",
    "api/Dockerfile": "FROM python:3.13.1\nCOPY . .\n",
    "web/Dockerfile": "# The site.\nFROM node:22.1.0\nCOPY . .\n",
}


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("README", "", [("docker-compose.yml", 3), ("web/Dockerfile", 2)]),
        ("build.sh", "docker build -t web ./web\n", []),
        ("build.sh", 'for one in api web; do docker build "./$one"; done\n', []),
        ("web/fly.toml", "app = 'web'\n", []),
        (
            ".github/workflows/ci.yml",
            workflow("ci", "uses: docker/build-push-action@v6\n        with: { context: web }"),
            [],
        ),
        (
            ".github/workflows/ci.yml",
            workflow("ci", "uses: docker/build-push-action@v6\n        with: { context: '${{ inputs.part }}' }"),
            [],
        ),
        ("docker-compose.yml", "services: { api: { image: 'acme/api:1.0' } }\n", []),
    ],
)
def test_a_dockerfile_that_nothing_builds(path, text, found):
    places = [
        (place.path, place.line)
        for one in findings({**IDLE, path: text}, "dockerfile-for-another-framework")
        for place in one.locations
    ]
    assert sorted(places) == found
