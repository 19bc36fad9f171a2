"""Datastores and their clients: passwords, users and names on both sides."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings, service

COMPOSE = """\
services:
  redis:
    image: redis:7.4.1
    command: redis-server --requirepass ${{REDIS_PASSWORD:?}}
  api:
    image: acme/api:1.0.0
    environment:
      {0}
"""


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ("CACHE_URL: redis://redis:6379/0", [8, 4]),
        ("CACHE_URL: redis://:${REDIS_PASSWORD}@redis:6379/0", []),
        ("CACHE_URL: redis://redis:6379/0\n      REDIS_PASSWORD: ${REDIS_PASSWORD}", []),
        ("CACHE_URL: redis://cache.acme.dev:6379/0", []),
        ("CACHE_URL: ${CACHE_URL}", []),
    ],
)
def test_a_client_has_the_password_that_its_server_asks_for(variables, lines):
    found = findings({"docker-compose.yml": COMPOSE.format(variables)}, "datastore-auth-inconsistent")
    assert [place.line for one in found for place in one.locations] == lines
    assert all(one.severity == "high" for one in found)


def test_in_a_cluster_the_server_is_what_the_service_selects():
    def manifests(host):
        server = deployment("cache", "redis:7.4.1", 6379).replace(
            "          ports", "          args: [--requirepass, $(REDIS_PASSWORD)]\n          ports"
        )
        client = deployment() + f"          env: [{{ name: REDIS_URL, value: 'redis://{host}:6379' }}]\n"
        return {"k8s/all.yaml": "---\n".join((server, service(6379, name="store", selector="app: cache"), client))}

    (found,) = findings(manifests("store.shop.svc"), "datastore-auth-inconsistent")
    assert found.title == "redis asks for a password, and the URL of api holds none"
    assert findings(manifests("other"), "datastore-auth-inconsistent") == ()


POSTGRES = """\
services:
  db:
    image: postgres:17.2
    ports: ["5432:5432"]
    environment: {{ POSTGRES_USER: {0}, POSTGRES_DB: shop, POSTGRES_PASSWORD: sea }}
  api:
    image: acme/api:1.0.0
    environment: {{ DB_HOST: db, DB_USER: {1} }}
"""


@pytest.mark.parametrize(
    ("live", "lines"), [("bob", []), ("ann", [("docker-compose.prod.yml", 8), ("docker-compose.prod.yml", 5)])]
)
def test_a_client_is_compared_with_the_database_of_its_own_file(live, lines):
    files = {
        "docker-compose.yml": POSTGRES.format("ann", "ann"),
        "docker-compose.prod.yml": POSTGRES.format("bob", live),
    }
    found = findings(files, "database-settings-mismatch")
    assert [(place.path, place.line) for one in found for place in one.locations] == lines


@pytest.mark.parametrize(
    ("path", "url", "values"),
    [
        (".env.example", "postgresql://bob:sea@localhost:5432/shop", {"bob", "ann"}),
        (".env.example", "postgresql+asyncpg://ann:sea@localhost/store", {"store", "shop"}),
        (".env.example", "postgresql://ann:sea@localhost:5432/shop", set()),
        (".env.example", "postgresql://bob@localhost:5432/shop", set()),
        (".env.example", "postgresql://bob:sea@localhost:5433/shop", set()),
        (".env.example", "postgresql://user:password@localhost:5432/shop", set()),
        (".env.test", "postgresql://bob:sea@localhost:5432/shop", set()),
        (".env.production", "postgresql://bob:sea@localhost:5432/shop", set()),
    ],
)
def test_env_files_name_the_database_that_compose_publishes(path, url, values):
    files = {"docker-compose.yml": POSTGRES.format("ann", "ann"), path: f"DATABASE_URL={url}\n"}
    found = findings(files, "database-settings-mismatch")
    assert {place.value for one in found for place in one.locations} == values
