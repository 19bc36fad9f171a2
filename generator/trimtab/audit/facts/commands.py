"""Command lines in scripts, Makefiles and workflow steps, and what they do: test, build, deploy, migrate."""

from __future__ import annotations

import re

from trimtab.audit.facts import model as m

MAX_LINES = 20_000
MAX_COMMAND = 1_500  # beyond it a command is data, and patterns over it grow slow

# What a command does. Each pattern is tried on one logical line; the words are those that the tools' own
# manuals use.
KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "test",
            r"\b(?:cargo\s+(?:nextest|test|llvm-cov|tarpaulin)|(?:flutter|dart)\s+test|pytest|tox\b|nox\b|go\s+test|gotestsum|dotnet\s+test|rspec|phpunit|pest\b|vitest|"
            r"jest\b|playwright\s+test|cypress\s+run|mix\s+test|rails\s+test|artisan\s+test|ctest|manage\.py\s+test|python\s+-m\s+unittest|"
            r"(?:npm|pnpm|yarn|bun)\s+(?:(?:-\S+|--\S+(?:\s+[\w./@-]+)?)\s+){0,10}(?:run\s+)?(?:t|test|test:(?!smoke|health)\S+|e2e|coverage)(?![\w:])|"
            r"(?:\./)?(?:mvnw?|gradlew?)\s+(?:\S+\s+){0,30}(?:test|verify|check)\b|make\s+(?:\S+\s+)?(?:test|check|e2e)\S*)",
        ),
        (
            "lint",
            r"\b(?:cargo\s+(?:fmt|clippy)|ruff|flake8|pylint|mypy|eslint|prettier|golangci-lint|rubocop|"
            r"(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?(?:lint|typecheck|type-check|format)\S*|tsc\b)",
        ),
        (
            "scan",
            r"\b(?:trivy|cargo\s+audit|cargo\s+deny|npm\s+audit|pip-audit|safety\s+check|snyk|grype|gitleaks|bandit|semgrep)\b",
        ),
        (
            "image",
            r"\bdocker\s+(?:buildx\s+)?build\b|\bdocker[ -]compose\s+(?:-\S+\s+\S+\s+)*build\b|\bbuildah\s+(?:bud|build)\b|\bkaniko\b|\bpodman\s+build\b",  # noqa: E501
        ),
        (
            "push",
            r"\bdocker\s+(?:image\s+)?push\b|\bdocker\s+buildx\s+build\b.{0,1000}--push|\bpodman\s+push\b|\bdocker[ -]compose\s+(?:-\S+\s+\S+\s+)*push\b",  # noqa: E501
        ),
        (
            "deploy",
            r"\bkubectl\s+(?:\S+\s+){0,30}?(?:apply|set\s+image|rollout\s+restart|replace|patch)\b|\bhelm\s+(?:\S+\s+){0,30}?(?:upgrade|install)\b|"
            r"\bdocker[ -]compose\s.{0,300}\bup\b.{0,300}(?:-d|--detach)\b|\bdocker\s+stack\s+deploy\b|\bfly(?:ctl)?\s+deploy\b|\bgcloud\s+run\s+deploy\b|"  # noqa: E501
            r"\bvercel\s+(?:deploy|--prod)|\bnetlify\s+deploy\b|\baws\s+ecs\s+update-service\b|\bgcloud\s+app\s+deploy\b|\bheroku\s+container:release\b|"
            r"\bargocd\s+app\s+sync\b|\bskaffold\s+(?:run|deploy)\b|\bkustomize\s+build\b.{0,300}\|\s*kubectl\s+apply|\bserverless\s+deploy\b|\bcdk\s+deploy\b|"
            r"\brailway\s+up\b|\bfastapi\s+deploy\b|\bwrangler\s+(?:deploy|publish)\b|\beb\s+deploy\b|\bsam\s+deploy\b|\bpulumi\s+up\b|"
            r"\baz\s+(?:containerapp\s+(?:up|update)|webapp\s+(?:up|deploy))\b|\bdoctl\s+apps\s+(?:create-deployment|update)\b|"
            r"\bansible-playbook\b|\bterraform\s+apply\b|\bcap\s+\w+\s+deploy\b|\bkamal\s+deploy\b",
        ),
    )
)

# (tool, action, pattern) of commands that change a schema or report on it.
MIGRATIONS: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (tool, action, re.compile(pattern))
    for tool, action, pattern in (
        ("diesel", "status", r"\bdiesel\s+migration\s+(?:list|pending)\b"),
        ("diesel", "up", r"\bdiesel\s+(?:migration\s+(?:run|redo)|database\s+(?:setup|reset)|setup)\b"),
        ("sqlx", "status", r"\bsqlx\s+migrate\s+info\b"),
        ("sqlx", "up", r"\bsqlx\s+(?:migrate\s+run|database\s+(?:setup|reset))\b"),
        ("sea-orm", "status", r"\bsea-orm-cli\s+migrate\s+status\b"),
        ("sea-orm", "up", r"\bsea-orm-cli\s+migrate(?:\s+up)?\b"),
        ("alembic", "status", r"\balembic\s+(?:\S+\s+){0,30}?(?:current|history|heads|check)\b"),
        ("alembic", "up", r"\balembic\s+(?:-\S+\s+\S+\s+){0,20}upgrade\b"),
        ("flask-migrate", "up", r"\bflask\s+db\s+upgrade\b"),
        ("django", "status", r"\bmanage\.py\s+(?:showmigrations|migrate\s+--check|migrate\s+--plan)\b"),
        ("django", "up", r"\bmanage\.py\s+migrate\b|\bdjango-admin\s+migrate\b"),
        ("prisma", "status", r"\bprisma(?:/build/index\.js)?\s+migrate\s+status\b"),
        ("prisma", "up", r"\bprisma(?:/build/index\.js)?\s+(?:migrate\s+(?:deploy|dev|reset)|db\s+push)\b"),
        ("drizzle", "up", r"\bdrizzle-kit\s+(?:migrate|push)\b"),
        ("knex", "status", r"\bknex\s+migrate:(?:status|list)\b"),
        ("knex", "up", r"\bknex\s+migrate:latest\b"),
        ("typeorm", "status", r"\btypeorm\S{0,100}\s+migration:show\b"),
        ("typeorm", "up", r"\btypeorm\S{0,100}\s+migration:run\b|\btypeorm\s.{0,500}migration:run\b"),
        ("sequelize", "status", r"\bsequelize(?:-cli)?\s+db:migrate:status\b"),
        ("sequelize", "up", r"\bsequelize(?:-cli)?\s+db:migrate\b"),
        ("goose", "status", r"\bgoose\s+(?:\S+\s+){0,30}?status\b"),
        ("goose", "up", r"\bgoose\s+(?:\S+\s+){0,30}?up\b"),
        ("golang-migrate", "status", r"\bmigrate\s.{0,300}-(?:database|path)\s.{0,300}\bversion\b"),
        ("golang-migrate", "up", r"\bmigrate\s.{0,300}-(?:database|path|source)[\s=].{0,300}\bup\b"),
        ("dbmate", "status", r"\bdbmate\s+(?:\S+\s+){0,30}?status\b"),
        ("dbmate", "up", r"\bdbmate\s+(?:\S+\s+){0,30}?(?:up|migrate)\b"),
        ("atlas", "status", r"\batlas\s+migrate\s+status\b"),
        ("atlas", "up", r"\batlas\s+(?:migrate|schema)\s+apply\b"),
        ("flyway", "status", r"\bflyway\S{0,100}\s+(?:\S+\s+){0,30}?info\b|\bflyway:info\b|\bflywayInfo\b"),
        ("flyway", "up", r"\bflyway\s+(?:-\S+\s+)*migrate\b|\bflyway:migrate\b|\bflywayMigrate\b"),
        ("liquibase", "status", r"\bliquibase\s+(?:\S+\s+){0,30}?status\b|\bliquibase:status\b"),
        ("liquibase", "up", r"\bliquibase\s+(?:\S+\s+){0,30}?update\b|\bliquibase:update\b"),
        ("ef", "status", r"\bdotnet\s+ef\s+migrations\s+list\b"),
        ("ef", "up", r"\bdotnet\s+ef\s+database\s+update\b|\befbundle\b"),
        ("rails", "status", r"\bdb:(?:migrate:status|abort_if_pending_migrations)\b"),
        ("rails", "up", r"\b(?:rails|rake)\s+db:(?:migrate|prepare|setup|schema:load)\b"),
        ("laravel", "status", r"\bartisan\s+migrate:status\b"),
        ("laravel", "up", r"\bartisan\s+migrate\b(?!:status)"),
        ("doctrine", "status", r"\bdoctrine:migrations:(?:status|list)\b"),
        ("doctrine", "up", r"\bdoctrine:migrations:migrate\b|\bdoctrine:schema:update\b"),
        ("ecto", "status", r"\becto\.migrations\b"),
        ("ecto", "up", r"\becto\.(?:migrate|setup)\b"),
    )
)
# A word of every pattern above: most commands hold none, and are told apart by one search instead of forty.
_MIGRATION_WORD = re.compile(
    r"migrat|diesel|sqlx|sea-orm|alembic|prisma|drizzle|goose|dbmate|atlas|flyway|liquibase|efbundle|"
    r"database\s+update|db:|db\s+upgrade|doctrine|ecto\."
)
SQL_CLIENT = re.compile(r"\b(?:psql|mysql|mariadb|sqlite3|pgcli|cockroach\s+sql|sqlcmd)\b")
SQL_FILE = re.compile(
    r"(?:(?:\s-\w{0,20}f|--file|<)[\s=]{0,20}|\\i\s+|-i\s+)[\"']?([^\s\"'|;&<>]{1,300}\.sql)|(?:cat)\s+[\"']?([^\s\"'|]{1,300}\.sql)[\"']?\s*\|"
)
SCHEMA = re.compile(
    r"\b(?:CREATE|ALTER|DROP)\s+(?:UNIQUE\s+)?(?:TABLE|INDEX|TYPE|VIEW|MATERIALIZED\s+VIEW|SEQUENCE|COLUMN|TRIGGER)\b",
    re.IGNORECASE,
)
CREATES = re.compile(r"(?i)\bCREATE\s+DATABASE\s+(?:IF\s+NOT\s+EXISTS\s+)?[\"'`\[]?([\w-]{1,100})")
INDEX = re.compile(r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\b", re.IGNORECASE)
INDEX_CHECK = re.compile(
    r"\bpg_indexes?\b|\bindisvalid\b|\bSHOW\s+INDEX|\binformation_schema\.statistics\b|verify[-_ ]?(?:the[-_ ])?(?:db[-_ ])?(?:index|indices|schema)|check[-_ ]?index",  # noqa: E501
    re.IGNORECASE,
)


def logical_lines(text: str, first_line: int = 1) -> list[tuple[str, int]]:
    """Commands of a script with their lines: continuations joined, comments and blank lines left out,
    heredocs kept as one.
    """
    found: list[tuple[str, int]] = []
    lines = text.split("\n")[:MAX_LINES]
    index = 0
    while index < len(lines):
        start = index
        line = lines[index].strip()
        while line.endswith("\\") and index + 1 < len(lines) and index - start < 200:
            index += 1
            line = line[:-1].rstrip() + " " + lines[index].strip()
        heredoc = (
            re.search(r"<<-?\s*[\"'\\]?([A-Za-z_]\w*)[\"']?", line) if "<<" in line and "<<<" not in line else None
        )
        index += 1
        if heredoc and not line.startswith("#"):
            body: list[str] = []
            while index < len(lines) and lines[index].strip() != heredoc[1] and len(body) < 2000:
                body.append(lines[index])
                index += 1
            index += 1
            line = line + "\n" + "\n".join(body)
        if line and not line.startswith("#"):
            found.append((line, start + first_line))
    return found


_ASSIGNMENT = re.compile(r"^(?:export\s+|local\s+|readonly\s+|declare\s+)?([A-Za-z_]\w*)=(\S.*)$")


def with_assignments(lines: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """A script's lines with its own plain assignments filled in; what a `$(command)` would print becomes
    `.`.
    """
    values: dict[str, str] = {}
    found: list[tuple[str, int]] = []
    for line, number in lines:
        filled = (
            re.sub(r"\$\{?([A-Za-z_]\w*)\}?", lambda match: values.get(match[1], match[0]), line)
            if values and "$" in line
            else line
        )
        match = _ASSIGNMENT.match(line)
        if match and len(match[2]) < 300:
            values[match[1]] = re.sub(r"\$\([^()]*\)", ".", match[2].strip()).strip("\"'").replace('"', "")
        found.append((filled[: 20 * MAX_COMMAND], number))
    return found


def makefile_lines(text: str) -> list[tuple[str, int, str]]:
    """(command, line, target) of each recipe line of a Makefile or justfile."""
    found: list[tuple[str, int, str]] = []
    target = ""
    for line, number in _joined(text):
        if line[:1] in ("\t", " ") and target:
            command = line.strip().lstrip("@-+")
            if command and not command.startswith("#"):
                found.append((command, number, target))
        else:
            match = re.match(r"^([A-Za-z0-9_./-]+)(?:\s[^:=]*)?:(?!=)", line)
            target = match[1] if match else ("" if line.strip() else target)
    return found


def _joined(text: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    lines = text.split("\n")[:MAX_LINES]
    index = 0
    while index < len(lines):
        start, line = index, lines[index]
        while line.endswith("\\") and index + 1 < len(lines) and index - start < 200:
            index += 1
            line = line[:-1].rstrip() + " " + lines[index].strip()
        found.append((line, start + 1))
        index += 1
    return found


# Tools are only named where they are installed.
_INSTALLS = re.compile(
    r"\b(?:pip3?|pipx|uv|poetry|npm|pnpm|yarn|bun|apt|apt-get|apk|dnf|yum|brew|gem|cargo|go)\s+(?:-\S{1,50}\s+){0,5}"
    r"(?:pip\s+)?(?:install|add|i|ci|get)\b[^;&|\n]{0,1500}"
)


def kinds_of(text: str) -> set[str]:
    """What a command does, as far as its words say."""
    if text.lstrip().startswith(("echo ", "printf ")) and "|" not in text:
        return set()
    text = _INSTALLS.sub(" ", text[:MAX_COMMAND])
    found = {kind for kind, pattern in KINDS if pattern.search(text)}
    if "--dry-run" in text:
        found.discard("deploy")
    if _MIGRATION_WORD.search(text) and any(
        action == "up" and pattern.search(text) for _, action, pattern in MIGRATIONS
    ):
        found.add("migrate")
    return found


def migration_of(command: m.Command) -> tuple[str, str] | None:
    """(tool, action) of a migration command; action is `up` or `status`. None for any other command."""
    text = command.text[:MAX_COMMAND]
    if text.lstrip().startswith(("echo ", "printf ", "#")):
        return None
    if not _MIGRATION_WORD.search(text):
        return None
    for tool, action, pattern in MIGRATIONS:
        if pattern.search(text):
            return tool, action
    return None


def migration_words(command: m.Command) -> str:
    """The words of a migration command that name the tool and what it does, as written where they are few."""
    text = command.text[:MAX_COMMAND]
    for tool, action, pattern in MIGRATIONS:
        match = pattern.search(text)
        if match:
            return match[0] if len(match[0]) <= 60 and "://" not in match[0] else f"{tool} {action}"
    return ""


def sql_files(text: str) -> list[str]:
    """The SQL files that a command feeds to a database client."""
    if not SQL_CLIENT.search(text):
        return []
    text = re.sub(r"\$\([^()]{0,200}\)", ".", text)  # as in "$(dirname "$0")/indexes.sql"
    return [first or second for first, second in SQL_FILE.findall(text)]


def is_remote_shell(text: str) -> bool:
    """Whether a command runs something on another machine over SSH."""
    return (
        "ssh" in text
        and bool(re.search(r"(?:^|[\s;&|(])(?:ssh|sshpass)\s", text))
        and not re.search(r"\bssh-(?:keyscan|add|agent|keygen)\b(?!.*\bssh\s)", text)
    )
