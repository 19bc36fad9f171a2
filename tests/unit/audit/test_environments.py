"""What must agree between environments, and what may differ by design."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings, service


@pytest.mark.parametrize(
    ("command", "count"),
    [
        ("redis-server --requirepass ${REDIS_PASSWORD}", 0),
        ('["redis-server", "--requirepass", "${REDIS_PASSWORD:?needed}"]', 0),
        ("redis-server --requirepass ${REDIS_PASSWORD:-}", 1),
        ("redis-server --appendonly yes", 1),
    ],
)
def test_a_password_from_the_environment_is_one(command, count):
    files = {
        "docker-compose.yml": f"services:\n  redis:\n    image: redis:7.2.4\n    command: {command}\n",
        "k8s/redis.yaml": deployment("redis", "redis:7.2.4", 6379)
        + '          args: ["--requirepass", "$(REDIS_PASSWORD)"]\n',
    }
    found = findings(files, "datastore-auth-inconsistent")
    assert [("docker-compose.yml", 4) in {(x.path, x.line) for x in one.locations} for one in found] == [True] * count


def compose(**variables):
    lines = "".join(f"      {name}: {value}\n" for name, value in variables.items())
    return f"services:\n  api:\n    build: .\n    environment:\n{lines}  cache:\n    image: redis:7.2.4\n"


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("REDIS_HOST", "cache", 0),
        ("REDIS_HOST", "redis", 1),
        ("REDIS_ADDR", "redis:6379", 1),
        ("REDIS_HOST", "localhost", 0),
        ("REDIS_HOST", "cache.acme.io", 0),
        ("BIND_HOST", "wherever", 0),
        ("VIRTUAL_HOST", "shop", 0),
        ("MAIL_HOST", "relay", 0),
        ("CLUSTER_HOSTNAME", "node1", 0),
        ("DB_HOSTNAME", "store", 1),
        ("PHX_SERVER", "'true'", 0),
    ],
)
def test_a_host_in_a_variable_is_a_service(name, value, count):
    assert len(findings({"docker-compose.yml": compose(**{name: value})}, "undefined-host")) == count


@pytest.mark.parametrize(("port", "count"), [(6379, 0), (6380, 1)])
def test_a_host_and_the_port_beside_it_are_one_address(port, count):
    files = {"docker-compose.yml": compose(REDIS_HOST="cache", REDIS_PORT=port)}
    assert len(findings(files, "upstream-port-mismatch")) == count


def probed(path):
    probe = f"          livenessProbe: {{ httpGet: {{ path: {path}, port: 8080 }} }}\n"
    return deployment() + probe + "---\n" + service(8080)


@pytest.mark.parametrize(("path", "count"), [("/actuator/health/liveness", 0), ("/actuator/info", 1)])
def test_parts_of_one_health_endpoint_are_no_drift(path, count):
    compose = (
        "services:\n  api:\n    build: .\n    image: acme/api\n    environment: { PORT: 8080 }\n"
        "    healthcheck: { test: wget -qO- http://localhost:8080/actuator/health }\n"
    )
    files = {"docker-compose.yml": compose, "k8s/api.yaml": probed(path)}
    assert len(findings(files, "health-check-drift")) == count


@pytest.mark.parametrize(
    ("default", "count"),
    [
        ("", 1),
        (', "redis://localhost:6379/1"', 1),
        (', "redis://127.0.0.1"', 1),
        (', "redis://cache.acme.io:6379/1"', 0),
        (', "memory://"', 0),
    ],
)
def test_the_own_machine_is_no_default_in_a_cluster(default, count):
    files = {
        "docker-compose.yml": compose(BROKER_URL="redis://cache:6379/1", LOG_LEVEL="info", SITE="shop"),
        "Dockerfile": "FROM python:3.12-slim\nCOPY . .\nCMD python app.py\n",
        "requirements.txt": "redis==5.0.0\n",
        "app.py": f"import os\nBROKER = os.environ.get('BROKER_URL'{default})\n"
        "LEVEL, SITE = os.environ['LOG_LEVEL'], os.environ['SITE']\n",
        "k8s/api.yaml": deployment()
        + "          env: [{ name: LOG_LEVEL, value: info }, { name: SITE, value: shop }]\n",
    }
    assert len(findings(files, "env-missing-in-environment")) == count


@pytest.mark.parametrize(("wait", "count"), [("", 1), (" && aws ecs wait services-stable --services api", 0)])
def test_a_deploy_to_ecs_waits_for_its_services(wait, count):
    workflow = (
        "on: { push: { branches: [main] } }\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n"
        f"      - run: aws ecs update-service --service api --force-new-deployment{wait}\n"
    )
    assert len(findings({".github/workflows/deploy.yml": workflow}, "deploy-without-rollout-gate")) == count


@pytest.mark.parametrize(("option", "count"), [("--appendonly", 1), ("--requirepass=$(REDIS_PASSWORD)", 0)])
def test_the_command_of_a_patch_replaces_the_one_with_the_password(option, count):
    base = deployment("redis", "redis:7.2.4", 6379)
    patch = base.replace("          image: redis:7.2.4\n", "")
    files = {
        "k8s/base/redis.yaml": base + "          command: [redis-server, --requirepass, $(REDIS_PASSWORD)]\n",
        "k8s/overlays/production/patch.yaml": patch + f"          command: [redis-server, {option}]\n",
    }
    found = findings(files, "datastore-auth-inconsistent")
    assert [[(one.path, one.value) for one in each.locations] for each in found] == [
        [("k8s/overlays/production/patch.yaml", "no password"), ("k8s/base/redis.yaml", "password")]
    ] * count


@pytest.mark.parametrize(
    ("default", "missing"), [("amqp://guest@localhost:5672/", True), ("amqp://queue:5672/", False), ("", True)]
)
def test_a_default_at_localhost_is_none_in_a_cluster(default, missing):
    source = "".join(f"os.environ.get('{name}')\n" for name in ("DB_URL", "API_KEY"))
    files = {
        "requirements.txt": "fastapi==0.110.0\n",
        "main.py": f"import os\n{source}os.environ.get('QUEUE_URL', '{default}')\n",
        "Dockerfile": "FROM python:3.12.1\n",
        "docker-compose.yml": compose(DB_URL="x", API_KEY="y", QUEUE_URL="amqp://queue:5672/"),
        "k8s/api.yaml": deployment() + "          env: [{ name: DB_URL, value: x }, { name: API_KEY, value: y }]\n",
    }
    found = findings(files, "env-missing-in-environment")
    assert ["QUEUE_URL" in one.title for one in found] == [True] * missing


PROXY = "server {\n  listen 80;\n  location /api { proxy_pass http://api:8080; }\n}\n"
SHOP = {
    "web/package.json": '{"name": "web", "dependencies": {"react": "18", "vite": "6"}}',
    "web/Dockerfile": "FROM nginx:1.27.1\nCOPY nginx.conf /etc/nginx/conf.d/default.conf\nEXPOSE 80\n",
    "web/nginx.conf": PROXY,
    "docker-compose.yml": "services:\n  api:\n    image: acme/api:1.0.0\n"
    "  web:\n    build: ./web\n    image: acme/web\n",
}
MOUNT = "          volumeMounts: [{ name: conf, mountPath: /etc/nginx/conf.d }]\n"


@pytest.mark.parametrize(
    ("name", "mount", "expected"),
    [
        ("shop-api", "", "high"),
        ("orders", "", "medium"),
        ("api", "", ""),
        ("shop-api", MOUNT, ""),  # another configuration lies over the image's
    ],
)
def test_the_proxy_of_an_image_names_services_of_the_cluster_it_runs_in(name, mount, expected):
    files = {
        **SHOP,
        "k8s/web.yaml": deployment("web", "acme/web", 80) + mount,
        "k8s/api.yaml": service(8080, name=name),
    }
    found = findings(files, "undefined-host")
    assert [one.severity for one in found] == [expected] * bool(expected)
    assert all(("web/nginx.conf", 3) in {(one.path, one.line) for one in each.locations} for each in found)
    without = {path: text for path, text in files.items() if "k8s" not in path}
    assert not findings(without, "undefined-host")


API = {
    "api/requirements.txt": "flask\nredis\n",
    "api/Dockerfile": "FROM python:3.12-slim\nCOPY . .\nEXPOSE 8080\n",
    "api/main.py": "import os\n\nCACHE = os.getenv('REDIS_URL', 'redis://localhost:6379')\n",
}


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("", 1),
        ("    environment: { LOG_LEVEL: info }\n", 1),
        ("    environment: { REDIS_URL: redis://cache:6379 }\n", 0),
        ("    network_mode: host\n", 0),
        ("    env_file: .env.local\n", 0),  # which is not in the repository
    ],
)
def test_a_default_at_localhost_is_another_container_in_compose(given, count):
    stack = f"services:\n  api:\n    build: ./api\n{given}  cache:\n    image: redis:7.2.4\n    ports: [6379:6379]\n"
    found = findings({**API, "docker-compose.yml": stack}, "localhost-between-containers")
    assert [one.severity for one in found] == ["medium"] * count
    assert all(
        {("docker-compose.yml", 2), ("api/main.py", 3)} == {(x.path, x.line) for x in one.locations} for one in found
    )


def test_the_variables_of_an_env_file_that_serves_no_one_service():
    reads = "".join(f"os.environ['{name}']\n" for name in ("API_TOKEN", "LIMIT", "OWNER", "BASKET"))
    files = {
        "api/requirements.txt": "flask\n",
        "api/main.py": "import os\n" + reads,
        ".env.example": "API_TOKEN=\nLIMIT=3\nOWNER=me\nREPLICAS=2\nOLD_LIMIT=2\n",
        "docker-compose.yml": "services:\n  other:\n    image: acme/other:1.0.0\n    scale: ${REPLICAS}\n",
    }
    (found,) = findings(files, "env-declared-unread")
    assert [(one.path, one.line, one.value) for one in found.locations] == [(".env.example", 5, "OLD_LIMIT")]
    assert not findings({**files, ".env.example": "OWNER=me\nX_1=\nX_2=\nX_3=\n"}, "env-declared-unread")
