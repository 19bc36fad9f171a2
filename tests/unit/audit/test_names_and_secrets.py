"""Variables under two names, services under two names, and secrets that are written where nobody looks for them."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings
from trimtab.audit.facts.collect import collect
from trimtab.repo import Repo

SETTINGS = """\
from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    port: int = Field(default=8000, description="where it listens")
    signing_key: str = Field(
        default="none",
        alias="JWT_SECRET_KEY",
    )
    broker: str = Field(...)
    labels: list[str] = Field(default_factory=list)
"""


def test_the_fields_of_a_settings_class_tell_their_variable_and_default():
    facts = collect(Repo.from_texts({"api/config.py": SETTINGS}))
    assert {(read.name, read.place.line, read.default, read.required) for read in facts.reads} == {
        ("PORT", 6, "8000", False),
        ("JWT_SECRET_KEY", 7, "none", False),
        ("BROKER", 11, None, True),
        ("LABELS", 12, "", False),
    }
    assert [(bind.port, bind.variable) for bind in facts.binds] == [(8000, "PORT")]


def reading(reads, declared="", script=""):
    files = {
        "package.json": '{"name": "shop", "dependencies": {"express": "5"}}',
        "Dockerfile": "FROM node:26.5.0\nCOPY . .\n",
        "docker-compose.yml": f"services:\n  shop:\n    build: .\n    environment:\n      LOG_DIR: /var/log\n"
        f"      APP_TITLE: Shop\n{declared}",
        "server.js": "process.env.LOG_DIR; process.env.APP_TITLE;\n",
        "check.sh": script,
    }
    files |= {f"src/{number}.js": f"use(process.env.{name} || 'x');\n" for number, name in enumerate(reads)}
    return findings(files, "env-read-undeclared")


@pytest.mark.parametrize(
    ("reads", "declared", "title"),
    [
        (["GOOGLE_CLIENT_KEY"], "OAUTH_GOOGLE_CLIENT_KEY",
         "shop reads GOOGLE_CLIENT_KEY, but files set OAUTH_GOOGLE_CLIENT_KEY"),
        (["JWT_SIGNING_KEY"], "SIGNING_KEY", "shop reads JWT_SIGNING_KEY, but files set SIGNING_KEY"),
        (["DB_URI", "DATABASE_URL"], "DATABASE_URL",
         "shop reads DB_URI, which no file declares, beside DATABASE_URL, which files set"),
    ],
)  # fmt: skip
def test_a_variable_is_set_under_a_near_name(reads, declared, title):
    (found,) = reading(reads, f"      {declared}: x\n")
    assert found.title == title
    assert ("src/0.js", 1) in {(one.path, one.line) for one in found.locations}
    assert ("docker-compose.yml", 7) in {(one.path, one.line) for one in found.locations}


@pytest.mark.parametrize(
    ("reads", "declared"),
    [
        (["ADMIN_URL"], "      SHOP_URL: x\n"),  # another word instead of one more
        (["KEY"], "      OTHER_KEY: x\n"),  # a name of one word is anybody's
        (["DB_URI || process.env.DATABASE_URL"], "      DATABASE_URL: x\n"),  # one falls back on the other
        (["JWT_SIGNING_KEY", "SIGNING_KEY"], "      SIGNING_KEY: x\n"),  # both are read
    ],
)
def test_another_variable_is_no_near_name(reads, declared):
    assert "files set" not in "".join(one.title for one in reading(reads, declared))


def test_a_script_that_asks_for_a_variable_does_not_set_it():
    near = "      SIGNING_KEY: x\n"
    assert len(reading(["JWT_SIGNING_KEY"], near, 'grep -q JWT_SIGNING_KEY .env || echo "missing"\n')) == 1
    assert reading(["JWT_SIGNING_KEY"], near, "export JWT_SIGNING_KEY=$(cat key)\n") == ()


def test_a_workload_with_the_name_of_the_package_is_the_service_that_compose_builds():
    files = {
        "package.json": '{"name": "@acme/recipe-desk", "dependencies": {"express": "5"}}',
        "Dockerfile": "FROM node:26.5.0\nCOPY . .\nEXPOSE 3000\n",
        "docker-compose.yml": "services:\n  app:\n    build: .\n    ports: ['3000:3000']\n",
        "k8s/app.yaml": deployment("recipe-desk", "recipe-desk:1.2.3", 8080),
    }
    (service,) = [one for one in collect(Repo.from_texts(files)).services if one.root is not None]
    assert [container.origin for container in service.containers] == ["compose", "kubernetes"]
    (found,) = findings(files, "port-mismatch")
    assert found.title == "app listens on 3000 and 8080, depending on the file"


SECRET = "q7Zp2LkV9xTf4WmB8sRd6NcYh3"
WEAK = "Tidal-Wave77"


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("deploy.sh", f"#!/bin/sh\nDB_PASS='{WEAK}'\n", 2),
        ("deploy.sh", f"set -e\nenv STAGE=live API_TOKEN={SECRET} ./run\n", 2),
        ("deploy.sh", f'sqlcmd -C "Server=db.acme.io;User ID=sa;Password={WEAK};Encrypt=True"\n', 1),
        ("api/appsettings.json", f'{{\n  "Default": "Host=db;Username=app;Password={WEAK}"\n}}\n', 2),
        ("api/appsettings.Production.json", f'{{\n  "Mail": {{\n    "smtpPassword": "{WEAK}"\n  }}\n}}\n', 3),
    ],
)
def test_a_secret_is_written_out(path, text, line):
    (found,) = findings({path: text}, "secret-in-tracked-file")
    assert [(one.path, one.line) for one in found.locations] == [(path, line)]
    assert found.severity == "high"
    assert all(WEAK not in one.value and SECRET not in one.value for one in found.locations)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("deploy.sh", 'DB_PASS="$1"\nDB_PASS=$(cat /run/secrets/db)\nDB_PASS=postgres123\n# DB_PASS=Tidal-Wave77\n'),
        ("deploy.sh", "TLS_SECRET=Shop-Tls-2024\nSECRET_NAME=Shop-Secrets-2024\n"),
        ("setup-dev.sh", f"DB_PASS='{WEAK}'\n"),
        ("api/appsettings.Development.json", f'{{\n  "Default": "Host=db;Password={WEAK}"\n}}\n'),
        ("api/appsettings.json", '{\n  "Db": "Host=db;Password=${PW}",\n  "passwordPolicy": "Strict-2024"\n}\n'),
    ],
)  # fmt: skip
def test_what_is_no_secret_in_a_script_or_settings(path, text):
    assert findings({path: text}, "secret-in-tracked-file") == ()


def test_a_secret_names_the_test_files_that_have_it_too():
    job = f"on: [push]\njobs:\n  test:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: DB_PASSWORD={WEAK} make\n"
    files = {".github/workflows/ci.yml": job, "prod.env": f"DB_PASSWORD={WEAK}\n"}
    (found,) = findings(files, "secret-in-tracked-file")
    assert {one.path for one in found.locations} == {".github/workflows/ci.yml", "prod.env"}
    del files["prod.env"]
    assert findings(files, "secret-in-tracked-file") == ()


@pytest.mark.parametrize(("value", "severity"), [(WEAK, "medium"), (SECRET, "high")])
def test_the_default_of_an_interpolation_weighs_less_unless_it_is_random(value, severity):
    compose = f"services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: ${{PW:-{value}}}\n"
    (found,) = findings({"docker-compose.yml": compose}, "secret-in-tracked-file")
    assert found.severity == severity


@pytest.mark.parametrize(
    ("key", "count"), [("SEARCH_ENVIRONMENT", 0), ("BUCKET_REGION", 0), ("WEBHOOK_SEED", 1), ("JWT_KEY", 1)]
)
def test_a_kubernetes_secret_holds_names_of_things_too(key, count):
    manifest = f"apiVersion: v1\nkind: Secret\nmetadata: {{ name: shop }}\nstringData:\n  {key}: eu-Central-1-aws\n"
    assert len(findings({"k8s/secret.yaml": manifest}, "secret-in-tracked-file")) == count


def test_a_user_called_nextjs_makes_no_next_image():
    files = {
        "package.json": '{"name": "shop", "dependencies": {"express": "5"}}',
        "Dockerfile": "FROM node:26.5.0\nRUN adduser -S nextjs\nCOPY dist dist\nUSER nextjs\nCMD node dist/main.js\n",
    }
    assert findings(files, "dockerfile-for-another-framework") == ()
    files["Dockerfile"] += "COPY .next/standalone ./\n"
    assert len(findings(files, "dockerfile-for-another-framework")) == 1


@pytest.mark.parametrize(
    ("external", "host", "severity"),
    [("false", "store-db", "high"), ("true", "store-db", "medium"), ("true", "cahce", "high")],
)
def test_a_network_of_others_may_have_the_host(external, host, severity):
    compose = (
        f"services:\n  api:\n    build: .\n    networks: [shared]\n    environment:\n      CACHE_URL: redis://{host}:6379\n"
        f"  cache: {{ image: 'redis:7.2.4' }}\nnetworks:\n  shared:\n    external: {external}\n"
    )
    (found,) = findings({"docker-compose.yml": compose, "Dockerfile": "FROM node:26.5.0\n"}, "undefined-host")
    assert found.severity == severity


FRONTEND = {
    "web/package.json": '{"name": "web", "dependencies": {"express": "5"}, "devDependencies": {"vite": "8"}}',
    "web/server.js": "app.listen(process.env.PORT || 4173);\n",
    "web/vite.config.ts": "export default { server: { port: Number(process.env.PORT) || 5173 } };\n",
    "k8s/web.yaml": deployment("web", "acme/web:1.2.3", 80),
}


def test_a_folder_with_an_nginx_configuration_for_the_port_is_served_by_nginx():
    (found,) = findings(FRONTEND, "port-mismatch")
    assert {one.value for one in found.locations} == {"4173", "80"}  # and not that of the development server
    conf = {"web/nginx.conf": "server {\n  listen 80;\n  location / { root /srv; }\n}\n"}
    assert findings(FRONTEND | conf, "port-mismatch") == ()


def test_a_port_for_metrics_is_not_the_one_that_serves():
    api = {
        "api/package.json": '{"name": "api", "dependencies": {"express": "5"}}',
        "api/.env": "PORT=3000\n",
        "api/server.js": "app.listen(process.env.PORT || 8000);\n",
        "k8s/api.yaml": deployment("api", "acme/api:1.2.3", "8000, name: http }, { containerPort: 8001, name: metrics"),
    }
    (found,) = findings(api, "port-mismatch")
    assert {one.value for one in found.locations} == {"3000", "8000"}


CHART = {
    "chart/Chart.yaml": "name: shop\ndependencies:\n  - { name: postgresql, version: 1.2.3, repository: x }\n",
    "chart/values.yaml": "existing: shop-db-secret\n",
    "chart/templates/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: { name: shop-secrets }\nstringData: {}\n",
    "chart/templates/app.yaml": deployment("shop", "acme/shop:1.2.3", 80),
}


@pytest.mark.parametrize(
    ("name", "count"),
    [("shop-postgresql", 0), ("'{{ .Values.existing }}'", 0), ("shop-secret", 1), ("shop-db-secret", 1)],
)
def test_a_secret_of_a_dependency_or_of_the_values_is_defined_elsewhere(name, count):
    env = f"          env: [{{ name: KEY, valueFrom: {{ secretKeyRef: {{ name: {name}, key: KEY }} }} }}]\n"
    files = CHART | {"chart/templates/app.yaml": CHART["chart/templates/app.yaml"] + env}
    assert len(findings(files, "undefined-kubernetes-reference")) == count
