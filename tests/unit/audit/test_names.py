"""Names of variables against what the source reads of them."""

import pytest

from tests.unit.audit.test_stacks import findings

PACKAGE = '{"name": "api", "dependencies": {"express": "4"}}'
COMPOSE = "services:\n  api:\n    build: ./api\n    environment:\n{0}"


def repository(source, *given, **files):
    lines = "".join(f"      {one}\n" for one in given)
    return {
        "api/package.json": PACKAGE,
        "api/server.js": source,
        "api/Dockerfile": "FROM node:22.1.0\nCOPY . .\nCMD [node, server.js]\n",
        "docker-compose.yml": COMPOSE.format(lines),
        **{path.replace("__", "/").replace("_dot_", "."): text for path, text in files.items()},
    }


HOST = "const host = process.env.REDIS_HOST || 'localhost';\n"


@pytest.mark.parametrize(
    ("source", "given", "severity"),
    [
        (HOST, ("REDIS_URL: redis://redis:6379",), "high"),
        (HOST.replace("localhost", "redis"), ("REDIS_URL: redis://redis:6379",), "medium"),
        ("const url = process.env.DATABASE_URL;\n", ("POSTGRES_HOST: db",), "high"),
        (HOST, ("REDIS_URL: redis://redis:6379", "REDIS_HOST: redis"), ""),
        (HOST + "const url = process.env.REDIS_URL;\n", ("REDIS_URL: redis://redis:6379",), ""),
        (HOST, ("SMTP_URL: smtp://mail:25",), ""),
    ],
)
def test_a_connection_is_given_in_the_form_that_is_read(source, given, severity):
    found = [one for one in findings(repository(source, *given), "env-read-undeclared") if "is given" in one.title]
    assert [one.severity for one in found] == [severity] * bool(severity)


@pytest.mark.parametrize(
    ("given", "rule"), [("REDIS_HOST: redis", "env-read-undeclared"), ("LOG: info", "localhost-between-containers")]
)
def test_a_connection_in_another_form_is_one_finding(given, rule):
    files = repository("const url = process.env.REDIS_URL || 'redis://localhost:6379';\n", given)
    files["docker-compose.yml"] += "  redis:\n    image: redis:8.2.1\n"
    found = findings(files, "env-read-undeclared", "localhost-between-containers", "env-missing-in-environment")
    weighty = [one for one in found if one.severity != "low"]
    assert [one.rule for one in weighty] == [rule]


def test_what_starts_the_container_may_turn_one_form_into_the_other():
    files = repository(HOST, "REDIS_URL: redis://redis:6379")
    assert len(findings(files, "env-read-undeclared")) == 1
    files["api/entrypoint.sh"] = 'export REDIS_HOST=$(echo "$REDIS_URL" | cut -d/ -f3)\n'
    assert findings(files, "env-read-undeclared") == ()
    files["check.sh"] = files.pop("api/entrypoint.sh")
    assert len(findings(files, "env-read-undeclared")) == 1


def test_one_value_read_under_two_names_of_which_one_is_set():
    given = ("WEATHER_API_URL: https://a.dev", "LOG: info")
    source = "const a = process.env.WEATHER_API_URL;\n" + "\n" * 9 + "const b = process.env.WEATHER_API_BASE_URL;\n"
    (found,) = findings(repository(source, *given), "env-read-undeclared")
    assert (
        found.title == "api reads WEATHER_API_BASE_URL, which no file declares, beside WEATHER_API_URL, which files set"
    )
    beside = source.replace("\n" * 9, "")
    assert not any("beside" in one.title for one in findings(repository(beside, *given), "env-read-undeclared"))


@pytest.mark.parametrize(("read", "severity"), [("API_URL", "critical"), ("OTHER", "medium")])
def test_names_that_nothing_reads_weigh_less(read, severity):
    files = repository(f"const a = process.env.{read};\n", "API_URL: http://api:1")
    files["docker-compose.prod.yml"] = COMPOSE.format("      API_BASE_URL: http://api:1\n")
    (found,) = findings(files, "env-name-drift")
    assert found.severity == severity


@pytest.mark.parametrize(("read", "count"), [("JWT_EXPIRY", 1), ("PORT", 0)])
def test_env_files_of_two_folders_are_compared_where_the_source_tells_which_is_read(read, count):
    files = repository(f"const a = process.env.{read};\n", "PORT: 3000")
    files |= {".env.example": "JWT_EXPIRY=15m\n", "api/.env.example": "JWT_EXPIRES_IN=24h\n"}
    assert len(findings(files, "duration-name-drift")) == count


def test_rust_reads_through_its_own_functions():
    source = (
        'fn flag(name: &str, other: bool) -> bool {\n    std::env::var(name).map(|v| v == "1").unwrap_or(other)\n}\n'
        'fn main() { flag("MFA_ON", true); std::env::var("A_ONE"); std::env::var("A_TWO"); std::env::var("A_SIX"); }\n'
    )
    files = {
        "api/Cargo.toml": '[package]\nname = "api"\nversion = "0.1.0"\n[dependencies]\naxum = "0.8"\n',
        "api/src/main.rs": source,
        "api/.env.example": "MFA_ON=1\nDB_POOL_SIZE=5\n",
    }
    (found,) = findings(files, "env-declared-unread")
    assert [place.value for place in found.locations] == ["DB_POOL_SIZE"]


METRICS = "const port = process.env.PROMETHEUS_PORT || 9090;\n"


@pytest.mark.parametrize(
    ("source", "given", "example", "found"),
    [
        (METRICS, "METRICS_PORT: 9100", True, True),
        (METRICS, "METRICS_PORT: 9100", False, True),
        (METRICS, "METRICS_PATH: /metrics", True, False),
        (METRICS, "WORKER_PORT: 9100", True, False),
        (METRICS + "const own = process.env.METRICS_PORT;\n", "METRICS_PORT: 9100", True, False),
        ("const kafka = process.env.KAFKA_BROKERS;\n", "KAFKA_BOOTSTRAP_SERVERS: kafka:9092", False, True),
        ("const kafka = process.env.KAFKA_BROKERS;\n", "KAFKA_ADVERTISED_SERVERS: kafka:9092", False, False),
        ("const from = process.env.SENDER;\n", "FROM: a@acme.io", False, False),
    ],
)
def test_words_for_one_thing_are_told_apart_by_who_reads_them(source, given, example, found):
    files = repository(source, given, "LOG_LEVEL: info")
    if example:
        files["api/.env.example"] = "PROMETHEUS_PORT=9090\nLOG_LEVEL=info\n"
    seen = [one for one in findings(files, "env-read-undeclared", "env-name-drift") if one.severity != "low"]
    assert [one.severity for one in seen] == ["medium"] * found


@pytest.mark.parametrize(
    ("other", "found"),
    [("PRICE_FEED_ENDPOINT", True), ("PRICE_FEED_CACHE_URL", False), ("FEED_URL", False)],
)
def test_a_service_is_called_one_by_its_address_or_not(other, found):
    source = f"const a = process.env.PRICE_FEED_SERVICE_URL || '';\n{'//' * 9}\n" + "\n" * 9
    source += f"const b = process.env.{other} || '';\n"
    seen = findings(repository(source, f"{other}: http://feed:8080", "LOG_LEVEL: info"), "env-read-undeclared")
    assert [one.severity for one in seen if one.severity != "low"] == ["medium"] * found


@pytest.mark.parametrize(
    ("variable", "command", "found"),
    [
        ("REDIS_URL: localhost:6379", "npm test", True),
        ("REDIS_ADDR: localhost:6379", "npm test", False),
        ("REDIS_URL: localhost:6379", "npx wait-on tcp:$REDIS_URL", False),
        ("CLOUD_REDIS_ADDR: localhost:6379", "npm test", False),  # may be a tool's own
    ],
)
def test_a_workflow_sets_what_the_source_reads(variable, command, found):
    files = repository("const address = process.env.REDIS_ADDR;\n", "REDIS_ADDR: redis:6379", "LOG_LEVEL: info")
    files[".github/workflows/ci.yml"] = (
        "on: [push]\njobs:\n  test:\n    runs-on: ubuntu-24.04\n    steps:\n"
        f"      - run: {command}\n        env:\n          {variable}\n"
    )
    seen = findings(files, "env-name-drift")
    assert [(one.severity, one.locations[-1].value) for one in seen] == [("medium", "reads REDIS_ADDR")] * found


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("const a = import.meta.env.VITE_SHOP_API;\n", 1),
        ("const a = import.meta.env.VITE_SHOP_API, b = import.meta.env.VITE_OLD_API;\n", 0),
        ("const env = import.meta.env;\nuse(env.VITE_SHOP_API, env['VITE_OLD_API']);\n", 0),
        ("const all = pick(import.meta.env, 'VITE_'); use(all.VITE_SHOP_API);\n", 0),  # any of them
        ("const a = 1;\n", 0),  # perhaps the source is elsewhere
        ("const a = import.meta.env.VITE_SHOP_API; // MY_VITE_OLD_API\n", 1),
    ],
)
def test_a_public_variable_that_no_source_spells_is_unread(source, count):
    files = {
        "web/package.json": '{"dependencies": {"vite": "7"}}',
        "web/src/main.js": source,
        "web/Dockerfile": "FROM node:22\nCOPY . .\n",
        "docker-compose.yml": "services:\n  web:\n    build:\n      context: web\n"
        "      args: { VITE_SHOP_API: /a, VITE_OLD_API: /b, VITE_CJS_TRACE: 1 }\n",
    }
    found = findings(files, "env-declared-unread")
    assert [[place.value for place in one.locations] for one in found] == [["VITE_OLD_API"]] * count
    page = {**files, "web/index.html": "<script src='%VITE_OLD_API%/a.js'></script>\n"}
    assert findings(page, "env-declared-unread") == ()
    script = {**files, "web/start.sh": 'sed -i "s#API#$VITE_OLD_API#" /srv/index.html\n'}
    assert findings(script, "env-declared-unread") == ()
