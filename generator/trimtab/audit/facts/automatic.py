"""Files by which a platform or an image runs migrations without any command that is read elsewhere: start scripts
without an ending, release commands, source that calls the tool.
"""

from __future__ import annotations

import re

_MAX = 200_000
_NAMES = frozenset(
    {
        "procfile",
        "fly.toml",
        "render.yaml",
        "render.yml",
        "railway.json",
        "railway.toml",
        "nixpacks.toml",
        "app.json",
        "app.yaml",
        "app.yml",
        "heroku.yml",
        "supervisord.conf",
        "vercel.json",
        "apprunner.yaml",
        "deploy.rb",
        "tiltfile",
        "skaffold.yaml",
    }
)
_STARTS = re.compile(r"(?:^|[-_.])(?:entry-?point|start|boot|run|init|release|migrate|deploy|server)(?:[-_.]|$)")
_MIGRATES = re.compile(
    rb"alembic|flask\W{1,8}db\W{1,8}upgrade|manage\.py\W{1,8}migrate|migrate\W{1,8}deploy|db\W{1,8}push|drizzle-kit|"
    rb"knex\W{1,8}migrate|migrate:latest|migration:run|db:migrate|diesel\W{1,8}migration|sqlx\W{1,8}migrate|goose\W|"
    rb"run_migrations|runMigrations|dbmate|atlas\W{1,8}migrate"
)
_SOURCE = (
    (b"alembic", b'"upgrade"'),
    (b"alembic", b"'upgrade'"),
    (b"alembic", b"command.upgrade"),
    (b"alembic", b"upgrade head"),
    (b"call_command", b"migrate"),
    (b"migrate deploy", b""),
    (b"db push", b""),
    (b"drizzle-orm/", b"migrat"),
    (b".migrate.latest", b""),
    (b"runMigrations", b""),
    (b"migrationsRun", b""),
    (b"umzug", b""),
    (b"Umzug", b""),
    (b"pending_migrations", b""),
    (b"MigratorTrait", b""),
)
_WORDS = (b"igrat", b"alembic", b"mzug", b"db push")  # one of which all of the above hold


def may_start(base: str) -> bool:
    """Whether a file's name says that a platform or an image starts something by it."""
    low = base.lower()
    return low in _NAMES or ("." not in low and bool(_STARTS.search(low)))


def migrates(data: bytes, *, source: bool) -> bool:
    """Whether the bytes of such a file, or of a source file, call a migration tool."""
    if source:
        return any(word in data for word in _WORDS) and any(one in data and other in data for one, other in _SOURCE)
    return bool(_MIGRATES.search(data[:_MAX]))
