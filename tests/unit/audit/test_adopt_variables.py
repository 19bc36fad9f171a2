"""The variables of adopted services: which value, for which environment, what is secret, and what is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.unit.audit.test_adopt import EXPRESS, adopt, api, propose
from tests.unit.audit.test_adopt_joining import VITE, deployment

HEAD = "services:\n  api:\n    build: api\n    ports: ['4000:4000']\n    environment:\n"
READS = "const x = [process.env.A_URL, process.env.B_URL, process.env.OTHER];\napp.listen(process.env.PORT || 4000);\n"


def compose(**values: Any) -> str:
    return HEAD + "".join(f"      {name}: {json.dumps(value)}\n" for name, value in values.items())


def clustered(**more: str) -> dict[str, str]:
    return api(**{"k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1"), **more})


def flat(text: str) -> str:
    """A proposal without its line breaks in comments."""
    return text.replace("\n    # ", " ").replace("\n  # ", " ")


SECRETS = {
    "REDIS_AUTH": "correcthorse",
    "QUEUE_DSN": "amqp://me:correcthorse@mq",
    "STORE": "Server=db;User Id=sa;Password=correcthorse9;",
    "HOOK": "https://hooks.slack.com/services/T0/B0/correcthorse",
    "GATE": "Bearer correcthorse.batterystaple",
    "CACHE_PIN": "correcthorse",
    "OPAQUE": "my-correcthorse-password",
    "SESSION": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjb3JyZWN0aG9yc2UifQ.correcthorse",
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_kept_out_of_the_file_whatever_it_is_called(name: str) -> None:
    text = propose(api(**{"docker-compose.yml": compose(**{name: SECRETS[name]})})).text
    service = yaml.safe_load(text)["services"]["api"]
    assert name in service["secrets"]
    assert "env" not in service
    assert "correcthorse" not in text


def test_a_value_that_is_a_secret_elsewhere_is_one_everywhere() -> None:
    files = api(
        **{
            "docker-compose.yml": compose(BROKER_LOGIN="blue-harbour") + "  mq:\n    image: rabbitmq:4\n"
            "    environment: { RABBITMQ_DEFAULT_PASS: blue-harbour, RABBITMQ_DEFAULT_USER: harbourmaster }\n",
        }
    )
    text = propose(files).text
    assert yaml.safe_load(text)["services"]["api"]["secrets"] == ["BROKER_LOGIN"]
    assert "blue-harbour" not in text


def test_a_switch_and_a_users_name_are_no_secrets() -> None:
    files = api(**{"docker-compose.yml": compose(SMTP_AUTH="true", BASIC_AUTH="false", LOGIN_USER="postgres-user")})
    service = adopt(files)["services"]["api"]
    assert service["env"] == {"SMTP_AUTH": True, "BASIC_AUTH": False, "LOGIN_USER": "postgres-user"}


def test_the_url_of_a_redis_is_a_secret_since_it_gets_a_password() -> None:
    files = api(**{"docker-compose.yml": compose(QUEUE_URL="redis://cache:6379/1") + "  cache:\n    image: redis:8\n"})
    text = propose(files).text
    assert yaml.safe_load(text)["services"]["api"]["secrets"] == ["QUEUE_URL"]
    assert "its URLs are secrets: QUEUE_URL (docker-compose.yml:6)" in flat(text)


def test_addresses_lead_to_the_names_and_ports_that_all_have_from_now_on() -> None:
    files = api(
        **{
            "users/package.json": EXPRESS.replace('"api"', '"users"'),
            "users/server.js": "app.listen(process.env.PORT || 5001)\n",
            "docker-compose.yml": compose(
                ACCOUNTS="http://accounts:8080/v1",
                USERS_HOST="accounts",
                USERS_ADDR="accounts:8080",
                REPORTS_URL="http://accounts.shop.svc.cluster.local:80/x",
                SEARCH_URL="http://finder:9200",
            )
            + "  accounts:\n    build: users\n  finder:\n    image: acme/finder:1\n",
        }
    )
    service = adopt(files)["services"]["api"]
    assert service["env"]["ACCOUNTS"] == "http://accounts:5001/v1"
    assert service["env"]["USERS_HOST"] == "accounts"
    assert service["env"]["USERS_ADDR"] == "accounts:5001"
    assert service["env"]["REPORTS_URL"] == "http://accounts:5001/x"
    assert service["uses"] == ["accounts"]
    text = propose(files).text
    assert "finder is not adopted, so name the one that will serve" in text


def test_an_address_of_one_machine_stays_local_where_there_is_another_environment() -> None:
    example = (
        "SITE_URL=http://localhost:3000\nORIGINS=http://localhost:3000,http://127.0.0.1:5173\nSEARCH_HOST=localhost\n"
    )
    files = clustered(**{"api/.env.example": example, "docker-compose.yml": HEAD + "      LEVEL: info\n"})
    data = adopt(files)
    assert data["services"]["api"].get("env", {}) == {"LEVEL": "info"}
    assert data["environments"]["local"]["services"]["api"]["env"] == {
        "SITE_URL": "http://localhost:3000",
        "ORIGINS": "http://localhost:3000,http://127.0.0.1:5173",
        "SEARCH_HOST": "localhost",
    }
    assert "addresses of one machine, so set for `local` only" in propose(files).text


def test_what_says_that_it_is_for_development_stays_local_too() -> None:
    example = "DEBUG=true\nAPP_ENV=development\nLEVEL=info\n"
    data = adopt(clustered(**{"api/.env.example": example}))
    assert data["services"]["api"]["env"] == {"LEVEL": "info"}
    assert data["environments"]["local"]["services"]["api"]["env"] == {"DEBUG": True, "APP_ENV": "development"}


def test_without_another_environment_there_is_one_place_for_all() -> None:
    data = adopt(api(**{"docker-compose.yml": compose(SITE_URL="http://localhost:3000")}))
    assert data["services"]["api"]["env"] == {"SITE_URL": "http://localhost:3000"}
    assert data["environments"] == {"local": {}}


def test_an_example_for_production_comes_before_a_plain_one_and_a_local_one_is_local() -> None:
    files = clustered(
        **{
            "api/.env.example": "CERT=./cert.pem\n",
            "api/.env.prod.example": "CERT=/srv/cert.pem\n",
            "api/.env.local.example": "CERT=/tmp/cert.pem\nEXTRA=on-my-desk\n",
        }
    )
    text = propose(files).text
    data = yaml.safe_load(text)
    assert data["services"]["api"]["env"] == {"CERT": "/srv/cert.pem"}
    assert data["environments"]["local"]["services"]["api"]["env"] == {"CERT": "/tmp/cert.pem", "EXTRA": "on-my-desk"}
    assert "# CERT: elsewhere ./cert.pem at api/.env.example:1" in text


def test_stand_ins_and_empty_values_are_left_out_by_name() -> None:
    example = "CLIENT_ID=your-client-id\nPRICE=price_xxxxx\nKEY_FILE=/path/to/key.pem\nREGION=\nLEVEL=info\n"
    text = propose(api(**{"api/.env.example": example})).text
    assert yaml.safe_load(text)["services"]["api"]["env"] == {"LEVEL": "info"}
    assert (
        "only stand-ins were found, so left out: CLIENT_ID (api/.env.example:1), PRICE (api/.env.example:2), "
        "KEY_FILE (api/.env.example:3)" in flat(text)
    )
    assert "so left out: REGION (api/.env.example:4)" in flat(text)


CONFIG = """---
apiVersion: v1
kind: ConfigMap
metadata: { name: shared }
data: { A_URL: "https://a.example.org", B_URL: "https://b.example.org", NEITHER: kept, LEVEL: info }
"""
TAKES = "          envFrom: [{ configMapRef: { name: shared } }]\n"


def test_a_container_beats_the_map_that_it_takes_whole() -> None:
    own = TAKES + "          env: [{ name: LEVEL, value: debug }]\n"
    files = api(**{"k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1", more=own) + CONFIG})
    env = adopt(files)["services"]["api"]["env"]
    assert env["LEVEL"] == "debug"
    assert env["NEITHER"] == "kept"


def test_of_a_map_that_several_take_each_gets_what_it_reads_or_nobody_does() -> None:
    files = api(
        **{
            "api/server.js": READS.replace("process.env.B_URL, ", ""),
            "more/package.json": EXPRESS.replace('"api"', '"more"'),
            "more/server.js": "process.env.B_URL;\napp.listen(process.env.PORT || 4001)\n",
            "k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1", more=TAKES)
            + "---\n"
            + deployment("more", "ghcr.io/acme/more:1", 4001, TAKES)
            + CONFIG,
        }
    )
    text = propose(files).text
    services = yaml.safe_load(text)["services"]
    assert services["api"]["env"] == {"A_URL": "https://a.example.org", "NEITHER": "kept", "LEVEL": "info"}
    assert services["more"]["env"] == {"B_URL": "https://b.example.org", "NEITHER": "kept", "LEVEL": "info"}
    assert "read by other services only, so left out here: B_URL (k8s/api.yaml:" in flat(text)


def test_a_weaker_file_for_production_is_a_conflict_and_no_override() -> None:
    own = "          env: [{ name: SITE, value: 'https://one.example.org' }]\n"
    files = api(
        **{
            "k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1", more=own),
            "docker-compose.prod.yml": compose(SITE="https://two.example.org"),
        }
    )
    text = propose(files).text
    data = yaml.safe_load(text)
    assert data["services"]["api"]["env"] == {"SITE": "https://one.example.org"}
    assert "services" not in data["environments"]["production"]
    assert "# SITE: elsewhere https://two.example.org at docker-compose.prod.yml:6" in text


def test_a_build_time_value_is_no_conflict_with_a_developers_machine() -> None:
    files = {
        "web/package.json": '{"name": "web", "dependencies": {"next": "16"}}',
        "web/app/page.tsx": "export default 1\n",
        "web/Dockerfile": "FROM node:24\nARG NEXT_PUBLIC_SITE=http://localhost:3000\nRUN next build\nEXPOSE 3000\n",
        "web/.env.example": "NEXT_PUBLIC_SITE=http://localhost:3000\nNEXT_PUBLIC_MARK=dev\n",
        "docker-compose.prod.yml": "services:\n  web:\n    build:\n      context: web\n"
        "      args: { NEXT_PUBLIC_SITE: 'https://shop.example.org' }\n    ports: ['3000:3000']\n",
    }
    text = propose(files).text
    assert yaml.safe_load(text)["services"]["web"]["public_env"]["NEXT_PUBLIC_SITE"] == "https://shop.example.org"
    assert "elsewhere" not in text
    assert "was http://localhost:3000" not in text


def test_a_bind_address_of_one_machine_becomes_every_address() -> None:
    text = propose(api(**{"api/.env.example": "BIND_ADDRESS_HOST=127.0.0.1\n"})).text
    assert yaml.safe_load(text)["services"]["api"]["env"] == {"BIND_ADDRESS_HOST": "0.0.0.0"}
    assert "was 127.0.0.1, where a container listens for nobody" in text


def test_secrets_that_the_source_reads_and_no_file_sets_are_told() -> None:
    source = "const key = process.env.SIGNING_SECRET || '';\napp.listen(process.env.PORT || 4000);\n"
    text = propose(api(**{"api/server.js": source})).text
    assert "secrets that the source reads, and no file sets: SIGNING_SECRET (api/server.js:1)" in flat(text)
    assert "secrets" not in yaml.safe_load(text)["services"]["api"]


def test_each_secret_has_its_place() -> None:
    text = propose(api(**{"docker-compose.yml": compose(API_TOKEN="x", DB_PASSWORD="y")})).text
    assert "      - API_TOKEN # docker-compose.yml:6\n      - DB_PASSWORD # docker-compose.yml:7\n" in text


def test_a_datastore_that_only_the_source_speaks_of_is_adopted() -> None:
    files = {
        "api/package.json": '{"name": "api", "dependencies": {"express": "5", "pg": "8", "ioredis": "5"}}',
        "api/server.js": "process.env.DATABASE_URL;\nprocess.env.REDIS_URL;\napp.listen(process.env.PORT || 4000);\n",
    }
    data = adopt(files)
    assert data["services"]["api"]["uses"] == ["postgres", "redis"] or data["services"]["api"]["uses"] == [
        "redis",
        "postgres",
    ]
    assert set(data["datastores"]) == {"postgres", "redis"}


def test_a_value_that_compose_fills_in_tells_where_it_stands() -> None:
    files = api(**{"docker-compose.yml": HEAD + "      TITLE: ${TITLE}\n", ".env": "TITLE=Corner shop\n"})
    assert 'TITLE: "Corner shop" # docker-compose.yml:6; by .env:1' in propose(files).text


def test_static_files_get_paths_for_addresses() -> None:
    files = api(
        **{
            "web/package.json": VITE,
            "web/index.html": "<html>",
            "docker-compose.yml": "services:\n  api: { build: api }\n  web:\n    build: web\n"
            "    environment: { VITE_API_URL: 'http://localhost:4000/api' }\n",
        }
    )
    assert adopt(files)["services"]["web"]["public_env"] == {"VITE_API_URL": "/api"}
