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
    assert len(findings(files, "datastore-auth-inconsistent")) == count


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
