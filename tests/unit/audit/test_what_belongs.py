"""What belongs to a service, to a database, and to a deploy, where files of several could be meant."""

import pytest

from tests.unit.audit.test_stacks import findings
from trimtab.audit.facts.collect import collect
from trimtab.repo import Repo

SHARED = {
    "Cargo.toml": "[workspace]\nmembers = []\n",
    "Dockerfile.service": "FROM rust:1.90\nARG SERVICE_NAME\nCOPY Cargo.toml ./\nCOPY services ./services\n"
    "COPY services/${SERVICE_NAME}/extra ./\n",
    "docker-compose.yml": "services:\n"
    "  users-app:\n    build: { context: ., dockerfile: Dockerfile.service, args: { SERVICE_NAME: users } }\n"
    "  media-app:\n    build: { context: ., dockerfile: Dockerfile.service, args: { SERVICE_NAME: media } }\n",
    **{
        f"{path}/{name}": text
        for path in ("services/users", "services/media", "workers/media")
        for name, text in {
            "Cargo.toml": f'[package]\nname = "{path.replace("/", "-")}"\n',
            "src/main.rs": f'fn main() {{ std::env::var("{path.replace("/", "_").upper()}_KEY").unwrap(); }}\n',
        }.items()
    },
}


def test_a_build_argument_names_the_directory_of_a_service():
    facts = collect(Repo.from_texts(SHARED))
    assert {one.name: (one.root, [read.name for read in one.reads]) for one in facts.services} == {
        "users-app": ("services/users", ["SERVICES_USERS_KEY"]),
        "media-app": ("services/media", ["SERVICES_MEDIA_KEY"]),
    }


@pytest.mark.parametrize(
    ("dockerfile", "reads"),
    [
        ("COPY app ./app", ["APP_KEY"]),
        ("COPY app/main.py ./", ["APP_KEY"]),
        ("COPY . .", ["APP_KEY", "SITE_KEY"]),
        ("COPY app ./app\nCOPY absent ./", ["APP_KEY", "SITE_KEY"]),
        ("COPY app ./app\nRUN --mount=type=bind,target=/src make", ["APP_KEY", "SITE_KEY"]),
        ("COPY app ./app\nCOPY *.toml ./", ["APP_KEY", "SITE_KEY"]),
    ],
)
def test_the_source_of_a_service_is_what_its_image_holds(dockerfile, reads):
    files = {
        "docker-compose.yml": "services:\n  shop:\n    build: .\n",
        "Dockerfile": f"FROM python:3.14\n{dockerfile}\n",
        "app/main.py": "import os\nos.environ['APP_KEY']\n",
        "site/build.py": "import os\nos.environ['SITE_KEY']\n",
    }
    (service,) = collect(Repo.from_texts(files)).services
    assert [read.name for read in service.reads] == reads


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 1),
        ({"init.sql": "CREATE DATABASE IF NOT EXISTS audit;\n"}, 0),
        ({"init.sh": 'psql -c "CREATE DATABASE audit"\n'}, 0),
        ({"init.sql": "CREATE DATABASE other;\n"}, 1),
    ],
)
def test_a_second_database_that_a_script_creates(files, count):
    compose = (
        "services:\n  shop:\n    build: .\n    environment: { URL: 'postgresql://app@db/audit' }\n"
        "  db:\n    image: postgres:17.2\n    environment: { POSTGRES_USER: app, POSTGRES_DB: shop%s }\n"
    )
    assert len(findings({"docker-compose.yml": compose % "", **files}, "database-settings-mismatch")) == count
    listed = {"docker-compose.yml": compose % ", EXTRA_DATABASES: 'audit,mail'"}
    assert findings(listed, "database-settings-mismatch") == ()


def job(run, runner="ubuntu-24.04", name="docker-compose.yml", env=""):
    steps = f"{env}    steps:\n      - run: {run}\n"
    return {f".github/workflows/{name}": f"on: push\njobs:\n  go:\n    runs-on: {runner}\n{steps}"}


UP = "docker compose -f live.yml up -d"


@pytest.mark.parametrize(
    ("files", "count"),
    [
        (job(UP), 0),
        (job(UP, "self-hosted"), 1),
        (job(UP, env="    env: { DOCKER_HOST: ssh://live }\n"), 1),
        (job(f"ssh live {UP}"), 1),
        (job("fastapi deploy"), 1),
    ],
)
def test_what_a_job_starts_on_the_vendors_machine_is_no_deploy(files, count):
    facts = collect(Repo.from_texts(files))
    assert sum("deploy" in one.kinds for workflow in facts.workflows for one in workflow.jobs) == count


@pytest.mark.parametrize(
    ("run", "count"),
    [
        (UP, 1),
        ("docker compose up -d", 1),
        (f"{UP} --wait", 0),
        (f"{UP} && curl -f http://localhost/health", 0),
        ("docker compose up", 0),
    ],
)
def test_a_deploy_by_compose_waits(run, count):
    found = findings(job(run, "self-hosted"), "deploy-without-rollout-gate")
    assert [one.title.split(" ", 1)[1] for one in found] == [
        "starts containers and does not wait until they are healthy"
    ] * count


def test_containers_that_two_workflows_start_for_tests_are_no_work_done_twice():
    run = f"docker compose build && {UP}"
    files = job(run, name="one.yml") | job(run, name="two.yml")
    assert findings(files, "overlapping-workflows") == ()
    files = job(run, "self-hosted", "one.yml") | job(run, "self-hosted", "two.yml")
    assert len(findings(files, "overlapping-workflows")) == 1


def secret(kind, text):
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{ name: urls }}\n{kind}:\n  url: {text}\n"


REDIS = "services:\n  cache:\n    image: redis:8.2\n  shop:\n    build: .\n    environment: { URL: '%s' }\n"


@pytest.mark.parametrize(
    ("compose", "given", "count"),
    [
        ("redis://cache:6379", secret("stringData", "redis://:pw@cache:6379"), 1),
        ("redis://cache:6379", secret("data", "cmVkaXM6Ly86cHdAY2FjaGU6NjM3OQ=="), 1),
        ("redis://cache:6379", secret("stringData", "redis://cache:6379"), 0),
        ("redis://:${REDIS_PASSWORD}@cache:6379", "", 1),
        ("redis://:${REDIS_PASSWORD:-}@cache:6379", "", 0),
    ],
)
def test_a_redis_without_a_password_whose_clients_have_one(compose, given, count):
    files = {"docker-compose.yml": REDIS % compose, "k8s/urls.yaml": given}
    assert len(findings(files, "datastore-auth-inconsistent")) == count


@pytest.mark.parametrize(("scheme", "count"), [("postgres", 1), ("postgresql", 0)])
def test_the_scheme_of_a_url_in_a_secret(scheme, count):
    files = {
        "docker-compose.yml": REDIS % "postgresql://db/shop",
        "k8s/urls.yaml": secret("stringData", f"{scheme}://db/shop"),
    }
    found = findings(files, "database-url-scheme-drift")
    assert [{place.path for place in one.locations} for one in found] == [set(files)] * count


@pytest.mark.parametrize(
    ("name", "steps", "count"),
    [
        ("deploy", "docker compose pull && docker compose up -d", 1),
        ("Deploy to the shop", "docker-compose up -d --build", 1),
        ("deploy", "docker compose up -d --wait", 0),
        ("deploy", "docker compose up -d && curl --fail http://localhost/health", 0),
        ("deploy", "docker compose up -d && npm test", 0),  # containers for tests
        ("deploy", "docker compose up -d && docker compose down", 0),
        ("test-deploy", "docker compose up -d", 0),
        ("deployment-dry-run", "docker compose up -d", 0),
        ("integration", "docker compose up -d", 0),
    ],
)
def test_a_job_that_is_named_a_deploy_is_one_on_the_vendors_machine_too(name, steps, count):
    commands = "".join(f"          {line}\n" for line in steps.split(" && "))
    text = (
        f"on: push\njobs:\n  go:\n    name: {name}\n    runs-on: ubuntu-24.04\n    steps:\n      - run: |\n{commands}"
    )
    assert len(findings({".github/workflows/cd.yml": text}, "deploy-without-rollout-gate")) == count
