"""What looks like a disagreement and is none: designs that real repositories have."""

from trimtab.audit.engine import Options, audit_repo
from trimtab.repo import Repo

REACT = '{"dependencies": {"react-scripts": "5.0.1"}, "scripts": {"start": "react-scripts start"}}'
STATIC = "FROM node:22-alpine AS development\nEXPOSE 3000\nCMD npm start\nFROM nginx:1.29\nEXPOSE 80\n"


def findings(files, rule):
    return audit_repo(Repo.from_texts(files), Options(rules=(rule,))).findings


def workload(name, image, port):
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {name} }}\nspec:\n"
        f"  selector: {{ matchLabels: {{ app: {name} }} }}\n"
        f"  template:\n    metadata: {{ labels: {{ app: {name} }} }}\n"
        f"    spec:\n      containers:\n        - name: {name}\n          image: {image}\n"
        f"          ports: [{{ containerPort: {port} }}]\n"
    )


def test_a_variable_that_the_program_itself_sets_is_not_read():
    found = findings(
        {
            "api/requirements.txt": "fastapi==0.115\n",
            "api/Dockerfile": "FROM python:3.13\nENV A_SETTING=1 B_SETTING=2 C_SETTING=3\n",
            "api/main.py": 'os.environ["THREADS_OF_MATH"] = "4"\nos.environ.setdefault("OTHER_THREADS", str(4))\n'
            'KEY = os.environ["BILLING_ACCOUNT"]\n',
            "api/start.js": 'process.env.NODE_FLAVOUR ||= "x";\n',
        },
        "env-read-undeclared",
    )
    assert [one.title for one in found] == ["api needs BILLING_ACCOUNT, which no file declares"]


def test_what_a_template_of_nginx_is_filled_in_with_is_read():
    reads = "".join(f"export const {name} = import.meta.env.VITE_{name};\n" for name in "ABCDE")
    conf = "server {\n  listen 8080;\n  location /api/ { proxy_pass http://${API_NAME}:${API_NUMBER}; }\n%s}\n"
    files = {
        "web/package.json": '{"dependencies": {"vite": "7"}}',
        "web/src/main.ts": reads,
        "web/Dockerfile": "FROM node:22 AS build\nCOPY . .\nRUN npx vite build\nFROM nginx:1.29\n"
        "COPY nginx.conf.template /etc/nginx/templates/default.conf.template\nCOPY --from=build /dist /srv\n",
        "web/nginx.conf.template": conf % "",
        "docker-compose.yml": "services:\n  web:\n    build: web\n"
        "    environment: { API_NAME: api, API_NUMBER: 8080, OLD_NAME: x }\n",
    }
    (found,) = findings(files, "env-declared-unread")
    assert {place.value for place in found.locations} == {"OLD_NAME"}
    more = {**files, "web/nginx.conf.template": conf % "  resolver ${NOT_SET};\n"}
    (lacking,) = findings(more, "env-read-undeclared")
    assert not any("NOT_SET" in place.value for place in lacking.locations)  # it is left as it stands
    commented = {**files, "web/nginx.conf.template": conf % "  # ${OLD_NAME}\n"}
    assert len(findings(commented, "env-declared-unread")) == 1


def test_a_database_of_a_known_extension_is_a_host_beside_another_image_of_the_product():
    files = {
        "compose.yml": "services:\n  postgres: { image: 'pgvector/pgvector:pg16' }\n"
        "  postgres_backup: { image: 'postgres:16' }\n"
        "  api:\n    image: acme/api:1\n    environment: { DATABASE_URL: 'postgresql://postgres:5432/app' }\n"
    }
    assert findings(files, "undefined-host") == ()


def test_an_image_whose_tags_an_earlier_step_wrote_is_pushed():
    workflow = """\
on: [push]
jobs:
  push:
    runs-on: ubuntu-24.04
    steps:
      - id: names
        run: |
          echo "web=${{ secrets.HUB }}/shop-web:latest,${{ secrets.HUB }}/shop-web:$(date +%s)" >> "$GITHUB_OUTPUT"
      - uses: docker/build-push-action@v6
        with: { context: web, push: true, tags: "${{ steps.names.outputs.web }}" }
      - uses: docker/build-push-action@v6
        with: { context: web, push: true, tags: "shop/web:1" }
"""
    files = {
        ".github/workflows/ci.yml": workflow,
        "docker-compose.prod.yml": "services:\n  web: { image: 'shop/shop-web:${TAG:-1}' }\n",
    }
    assert findings(files, "deployed-image-never-built") == ()


def test_what_is_left_over_from_another_framework_is_not_what_a_dockerfile_builds():
    dockerfile = (
        "FROM node:22 AS build\nENV NEXT_TELEMETRY_DISABLED=1\nRUN npm run build\n"
        "FROM node:22\nRUN adduser nextjs\nCOPY --from=build /app/dist ./dist\nCMD serve -s dist\n"
    )
    files = {"web/package.json": '{"devDependencies": {"vite": "7"}}', "web/Dockerfile": dockerfile}
    assert findings(files, "dockerfile-for-another-framework") == ()
    files["web/Dockerfile"] = dockerfile.replace("/app/dist ./dist", "/app/.next/standalone ./")
    assert [one.locations[0].line for one in findings(files, "dockerfile-for-another-framework")] == [2]


def test_a_development_server_has_a_port_of_its_own():
    compose = "services:\n  web:\n    build: { context: ./web, target: development }\n    ports: ['3000:3000']\n"
    files = {
        "web/package.json": REACT,
        "web/Dockerfile": STATIC,
        "docker-compose.yml": compose,
        "docker-compose.prod.yml": "services:\n  web: { image: 'acme/web:1', ports: ['80:80', '443:443'] }\n",
        "k8s/web.yaml": workload("web", "acme/web:1", 80),
    }
    assert findings(files, "port-mismatch") == ()
    files["k8s/web.yaml"] = workload("web", "acme/web:1", 8080)
    (found,) = findings(files, "port-mismatch")
    assert {place.value for place in found.locations} == {"80", "8080"}


def test_a_network_policy_for_pods_from_elsewhere_is_no_grave_fault():
    policy = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: p }}\n"
        "spec:\n  podSelector: {{ matchLabels: {{ app: {0} }} }}\n"
    )
    files = {"k8s/api.yaml": workload("orders-api", "acme/api:1", 80), "k8s/policy.yaml": policy.format("prometheus")}
    assert [one.severity for one in findings(files, "selector-matches-nothing")] == ["medium"]
    files["k8s/policy.yaml"] = policy.format("order-api")
    assert [one.severity for one in findings(files, "selector-matches-nothing")] == ["high"]


def test_weak_passwords_that_everybody_knows_are_no_leaked_secret():
    compose = "services:\n  db:\n    image: postgres:16\n    environment: {{ POSTGRES_PASSWORD: '{0}' }}\n"
    assert (
        findings({"docker-compose.yml": compose.format("${DB_PASSWORD:-postgres123}")}, "secret-in-tracked-file") == ()
    )
    (known,) = findings({"docker-compose.prod.yml": compose.format("Postgres123!")}, "secret-in-tracked-file")
    assert [(one.path, one.value) for one in known.locations] == [("docker-compose.prod.yml", "POSTGRES_PASSWORD")]
    assert len(findings({"docker-compose.yml": compose.format("Kx93-vRq7_tPw2mZ")}, "secret-in-tracked-file")) == 1


def test_installing_a_tool_and_smoke_testing_a_deploy_are_no_test_jobs():
    workflow = "on: [push]\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: {0}\n"
    for command in ("pip install flake8 pytest-cov", "npm run test:smoke -- --env=staging"):
        assert findings({".github/workflows/ci.yml": workflow.format(command)}, "test-reports-not-kept") == ()
    assert (
        len(findings({".github/workflows/ci.yml": workflow.format("npm run test:unit")}, "test-reports-not-kept")) == 1
    )


def test_a_key_that_another_workload_takes_from_a_shared_config_map_is_read():
    pod = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {0} }}\nspec:\n"
        "  selector: {{ matchLabels: {{ app: {0} }} }}\n  template:\n    metadata: {{ labels: {{ app: {0} }} }}\n"
        "    spec: {{ containers: [{{ name: {0}, image: '{1}', {2} }}] }}\n---\n"
    )
    reads = "".join(f"const {name} = process.env.{name}_X;\n" for name in "ABCDE")
    files = {
        "api/package.json": '{"dependencies": {"express": "5"}}',
        "api/server.js": reads,
        "docker-compose.yml": "services: { api: { build: ./api } }\n",
        "k8s/all.yaml": pod.format("api", "acme/api:1", "envFrom: [{ configMapRef: { name: shared } }]")
        + pod.format(
            "db",
            "postgres:16",
            "env: [{ name: POSTGRES_DB, valueFrom: { configMapKeyRef: { name: shared, key: NAME_OF_STORE } } }]",
        )
        + "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: shared }\ndata:\n  NAME_OF_STORE: shop\n  NOBODYS: x\n",
    }
    (found,) = findings(files, "env-declared-unread")
    assert {place.value for place in found.locations} == {"NOBODYS"}


def test_a_published_port_with_a_variable_of_its_own_is_no_other_name_of_one():
    files = {
        "docker-compose.yml": "services:\n  api:\n    build: ./api\n    environment: { APP_QUEUE_PORT: 5672 }\n"
        "  queue: { image: 'rabbitmq:4', ports: ['${QUEUE_PORT:-5672}:5672'] }\n",
        ".env.example": "QUEUE_PORT=5672\n",
        "api/package.json": '{"dependencies": {"express": "5"}}',
        "api/server.js": "connect(process.env.APP_QUEUE_PORT);\n",
    }
    assert findings(files, "env-name-drift") == ()
