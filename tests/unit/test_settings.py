"""Settings: every problem at once, each with its line, its path and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, ROOT
from trimtab.errors import TrimtabError
from trimtab.frameworks import Frameworks
from trimtab.settings.load import SettingsError, load_settings, parse_settings

FRAMEWORKS = Frameworks(ROOT)
BASE = """\
version: 1
name: shop
registry: ghcr.io/acme
services:
  api: { framework: fastapi, uses: [postgres] }
  web: { framework: vite }
datastores: { postgres: {} }
environments:
  production: { host: shop.example.com }
"""


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text.encode(), FRAMEWORKS)
    for line in caught.value.lines:
        assert re.match(r"trimtab\.yml:\d+: .+; .+", line), line
    return list(caught.value.lines)


def replaced(old: str, new: str) -> str:
    assert old in BASE
    return BASE.replace(old, new)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_examples_are_valid(example: Path) -> None:
    assert load_settings(example / "trimtab.yml", FRAMEWORKS).settings.services


def test_the_minimal_file_has_eight_lines() -> None:
    assert len((ROOT / "tests/examples/minimal/trimtab.yml").read_text().splitlines()) == 8


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "what"),
    [
        ("fastapi", "fastapy", 5, "services.api.framework", "did you mean 'fastapi'?"),
        ("fastapi", "fastapi, prot: 80", 5, "services.api.prot", "did you mean 'port'?"),
        ("fastapi", "fastapi, port: 70000", 5, "services.api.port", "not a port (1-65535)"),
        ("fastapi", "fastapi, port: '80'", 5, "services.api.port", "not a port"),
        ("fastapi", "fastapi, port: 5432", 5, "services.api.port", "local port of postgres"),
        ("fastapi", "fastapi, route: api", 5, "services.api.route", "not a route"),
        ("fastapi", "fastapi, migrations: prisma", 5, "services.api.migrations", "does not go with FastAPI"),
        ("fastapi", "fastapi, env: { DB_URL: x }", 5, "services.api.env.DB_URL", "DATABASE_URL"),
        ("fastapi", "fastapi, env: { DATABASE_URL: x }", 5, "services.api.env.DATABASE_URL", "written by Trimtab"),
        ("fastapi", "fastapi, env: { PORT: 1 }", 5, "services.api.env.PORT", "written by Trimtab"),
        ("fastapi", "fastapi, env: { API_PORT: 1 }", 5, "services.api.env.API_PORT", "written by Trimtab"),
        ("fastapi", "fastapi, env: { JWT_SECRET: x }", 5, "services.api.env.JWT_SECRET", "looks like a secret"),
        ("fastapi", "fastapi, env: { 'NO': x }", 5, "services.api.env.NO", "truth value"),
        ("fastapi", "fastapi, env: { A: [x] }", 5, "services.api.env.A", "not a text"),
        ("fastapi", "fastapi, secrets: [A, A]", 5, "services.api.secrets[1]", "stands twice"),
        ("fastapi", "fastapi, public_env: { X: 1 }", 5, "services.api.public_env", "sends no variables"),
        ("fastapi", "fastapi, replicas: 3", 5, "services.api.replicas", "no effect while autoscaling"),
        ("fastapi", "fastapi, autoscaling: { min: 5, max: 2 }", 5, "services.api.autoscaling.min", "more than max"),
        ("fastapi", "fastapi, autoscaling: true", 5, "services.api.autoscaling", "or false"),
        ("[postgres]", "[postgres, redis]", 5, "services.api.uses[1]", "add `redis: {}`"),
        ("[postgres]", "[api]", 5, "services.api.uses[0]", "neither a datastore nor another service"),
        ("vite }", "vite, public_env: { API_URL: /api } }", 6, "services.web.public_env.API_URL", "begin with VITE_"),
        ("vite }", "vite, public_env: { VITE_A_TOKEN: x } }", 6, "services.web.public_env.VITE_A_TOKEN", "secret"),
        ("vite }", "vite, migrations: sql }", 6, "services.web.migrations", "runs none"),
        ("  web:", "  Web:", 6, "services.Web", "not a name"),
        ("  web:", "  redis:", 6, "services.redis", "generated parts bear"),
        ("  web:", "  api-host:", 6, "services.api-host", "its variable API_HOST_PORT is that of api too"),
        ("  web:", "  gateway-host:", 6, "services.gateway-host", "GATEWAY_HOST_PORT is that of gateway too"),
        (
            "[postgres] }",
            "[database] }\n  database: { framework: go }",
            5,
            "services.api.uses[0]",
            "would be DATABASE_URL",
        ),
        ("postgres: {}", "postgres: { version: 18 }", 7, "datastores.postgres.version", 'quote it: "18"'),
        ("postgres: {}", "postgres: { version: 8.10 }", 7, "datastores.postgres.version", 'quote it: "8.10"'),
        ("postgres: {}", "mysql: {}", 7, "datastores.mysql", "choose one of: postgres, redis"),
        ("{ host: shop.example.com }", "{}", 9, "environments.production", "has no host"),
        (
            "host: shop.example.com",
            "host: https://shop.example.com",
            9,
            "environments.production.host",
            "write it bare",
        ),
        ("version: 1", "version: 2", 1, "version", "write `version: 1`"),
        ("registry: ghcr.io/acme", "registry: GHCR.io/acme", 3, "registry", "not an image registry"),
        ("production:", "local: { host: a.example.com }\n  production:", 9, "environments.local.host", "no effect"),
    ],
)
def test_a_mistake_is_named_with_line_path_and_remedy(old: str, new: str, line: int, path: str, what: str) -> None:
    found = problems(replaced(old, new))
    assert any(p.startswith(f"trimtab.yml:{line}: {path}: ") and what in p for p in found), found


def test_next_cannot_change_public_values_per_environment() -> None:
    text = BASE.replace("vite }", "next, public_env: { NEXT_PUBLIC_A: b } }").replace(
        "host: shop.example.com", "host: shop.example.com, services: { web: { public_env: { NEXT_PUBLIC_A: c } } }"
    )
    (line,) = problems(text)
    assert "build time" in line


def test_a_public_path_must_be_served() -> None:
    text = BASE.replace("framework: vite", "framework: vite, route: /app, public_env: { VITE_API_URL: /v2 }")
    (line,) = problems(text)
    assert "no service serves /v2" in line


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("host: shop.example.com", "host: localhost", "environments.production.host"),
        ("host: shop.example.com", "hots: shop.example.com", "environments.production.hots"),
        ("{ postgres: {} }", "[postgres]", "datastores"),
        ("{ postgres: {} }", "{ postgres: '18' }", "datastores.postgres"),
        ("{ postgres: {} }", "{ postgres: }", "datastores.postgres"),
        ("{ postgres: {} }", "{ postgress: {} }", "datastores.postgress"),
        ("[postgres]", "postgres, migrations: alembic", "services.api.uses"),
        ("uses: [postgres]", "use: [postgres], migrations: alembic", "services.api.use"),
        ("[postgres]", "[web], autoscaling: off, replicas: 3", "services.api.autoscaling"),
        ("[postgres] }\n  web: { framework: vite }", "[web] }\n  web: vite", "services.web"),
        ("vite }", "vite, route: app, public_env: { VITE_API: /app/x } }", "services.web.route"),
        ("services:", "servces:", "servces"),
        ("environments:", "environment:", "environment"),
        ("version: 1", "versoin: 1", "versoin"),
        ("  web:", "  8080:", "services.8080"),
        ("production:", "on:", "environments.on"),
        ("fastapi", "fastapi, env: { NO: x }", "services.api.env.NO"),
    ],
)
def test_one_mistake_is_one_problem(old: str, new: str, path: str) -> None:
    """What only lacks a part that is wrong is no problem of its own."""
    found = problems(replaced(old, new))
    assert [line.split(": ")[1] for line in found] == [path], found


def test_places_are_those_of_the_file_where_others_are_wrong() -> None:
    found = problems(replaced("[postgres]", "[3, postgres, mongo, 4, mongod]").replace("  web: {", "  Web: { prot: 1,"))
    places = [line.split(": ")[1] for line in found]
    assert places == [
        *(f"services.api.uses[{index}]" for index in (0, 2, 3, 4)),
        *("services.Web", "services.Web.prot"),
    ]


def test_to_quote_is_advised_only_where_a_text_can_stand() -> None:
    for value, help_ in (("010", "a whole number"), ("12:30", "a whole number")):
        (line,) = problems(replaced("fastapi", f"fastapi, port: {value}"))
        assert help_ in line
        assert "quote" not in line
    (line,) = problems(replaced("postgres: {}", "postgres: { storage: 20 }"))
    assert line.endswith("20 is not an amount of bytes; write it in Mi or Gi, such as 512Mi")


@pytest.mark.parametrize(
    ("word", "help_"),
    [
        ("nextjs", "did you mean 'next'?"),
        ("Next.js", "did you mean 'next'?"),
        ("ruby-on-rails", "did you mean 'rails'?"),
        ("spring-boot", "did you mean 'spring'?"),
        ("create-react-app", "did you mean 'cra'?"),
        ("golang", "did you mean 'go'?"),
        ("python", "choose one of: django, fastapi, flask"),
        ("cobol", "choose one of: actix"),
    ],
)
def test_a_framework_is_known_by_other_names(word: str, help_: str) -> None:
    (line,) = problems(replaced("fastapi", word))
    assert help_ in line


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("version: 1", "version: true", "version"),
        ("version: 1", "version: 1.0", "version"),
        ("ghcr.io/acme", "ghcr..io/acme", "registry"),
        ("ghcr.io/acme", "ghcr.io:99999/acme", "registry"),
        ("fastapi", "fastapi, port: ~", "services.api.port"),
        ("fastapi", "fastapi, health: { live: ~ }", "services.api.health.live"),
        ("fastapi", "fastapi, resources: ~", "services.api.resources"),
        ("fastapi", "fastapi, resources: { cpu: '0.0' }", "services.api.resources.cpu"),
        ("fastapi", "fastapi, resources: { memory: 99999999999999999999Gi }", "services.api.resources.memory"),
        ("fastapi", "fastapi, autoscaling: { metrics: [{ name: a, from: b, target: 0 }] }", None),
        ("datastores:", "delivery: { mode: }\ndatastores:", "delivery.mode"),
        ("datastores:", "delivery: { hooks: [after-deploy, after-deploy] }\ndatastores:", "delivery.hooks[1]"),
        ("host:", "patches: [a.yaml, a.yaml], host:", "environments.production.patches[1]"),
        ("[postgres]", "[postgres], migrations: { expect_indexes: [a.b, a.b] }", None),
    ],
)
def test_a_value_that_nothing_could_be_made_of_is_refused(old: str, new: str, path: str | None) -> None:
    (line,) = problems(replaced(old, new))
    assert path in (None, line.split(": ")[1])


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = replaced("fastapi", "fastapi, port: 0, prot: 1").replace("vite", "vit").replace("version: 1", "version: 3")
    found = problems(text)
    assert [p.split(": ")[1] for p in found] == [
        "version",
        "services.api.port",
        "services.api.prot",
        "services.web.framework",
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "trimtab.yml:1: the file is empty"),
        (b"# only a comment\n", "trimtab.yml:1: the file is empty"),
        (b"- a\n", "trimtab.yml:1: the file is not a mapping"),
        (b"a: 1\nb: \xff\xfe\n", "trimtab.yml:2: this byte is not UTF-8"),
        ("\ufeff".encode() + BASE.replace("vite", "vit").encode(), "trimtab.yml:6: services.web.framework"),
        (BASE.replace("\n", "\r\n").replace("vite", "vit").encode(), "trimtab.yml:6: services.web.framework"),
    ],
)
def test_a_file_in_a_wrong_form_gives_one_line(raw: bytes, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(raw, FRAMEWORKS)
    (line,) = caught.value.lines
    assert line.startswith(message)


def test_what_is_no_file_gives_one_line(tmp_path: Path) -> None:
    big = tmp_path / "big.yml"
    big.write_bytes(b"a: b\n" * 2_100_000)
    for path, what in ((big, "larger than"), (tmp_path, "is a directory"), (tmp_path / "none.yml", "no such file")):
        with pytest.raises(TrimtabError, match=what) as caught:
            load_settings(path, FRAMEWORKS)
        assert caught.value.exit_code == 2
        assert "\n" not in caught.value.message


def test_gitlabs_registry_needs_the_path_of_a_project() -> None:
    text = """version: 1
name: shop
registry: registry.gitlab.com/acme
services: { web: { framework: vite } }
delivery: { ci: gitlab }
environments: { production: { host: shop.example.com } }
"""
    [found] = problems(text)
    assert found.startswith("trimtab.yml:3: registry: names no GitLab project")
    parse_settings(text.replace("gitlab.com/acme", "gitlab.com/acme/shop").encode(), FRAMEWORKS)
    parse_settings(text.replace("ci: gitlab", "ci: github").encode(), FRAMEWORKS)
