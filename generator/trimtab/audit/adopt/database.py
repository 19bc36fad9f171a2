"""Datastores, migrations, and the indexes that they promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from trimtab.audit.adopt.cluster import Cluster, located
from trimtab.audit.adopt.foreign import store_of
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, PIPELINE, Choice, Seen, brief_list, choose, rank, shown
from trimtab.audit.adopt.scaling import compose_memory, cpu, memory
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.products import datastore_of
from trimtab.repo import Repo
from trimtab.settings.schema import FOLDER, INDEX
from trimtab.yamlpos import Map, load_all

_NAME = r"(?:\"[^\"\n]+\"|[A-Za-z_][\w$]*)"
_CREATE = re.compile(
    rf"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?({_NAME})"
    rf"\s+ON\s+(?:ONLY\s+)?((?:{_NAME}\.)?{_NAME})",
    re.IGNORECASE,
)
_DROP = re.compile(rf"\bDROP\s+INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?(?:{_NAME}\.)?({_NAME})", re.IGNORECASE)
_RENAME = re.compile(
    rf"\bALTER\s+INDEX\s+(?:IF\s+EXISTS\s+)?(?:{_NAME}\.)?({_NAME})\s+RENAME\s+TO\s+({_NAME})", re.IGNORECASE
)
_DROP_TABLE = re.compile(rf"\bDROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:{_NAME}\.)?({_NAME})", re.IGNORECASE)
_ALEMBIC = re.compile(r"""\bcreate_index\(\s*(?:op\.f\(\s*)?["'](\w+)["']\s{0,99}\)?\s{0,99},\s*["'](\w+)["']""")
_ALEMBIC_DROP = re.compile(r"""\bdrop_(?:index|table)\(\s*(?:op\.f\(\s*)?["'](\w+)["']""")
MAX_INDEXES = 200
_LAYOUTS = {
    "node": "migrations in JavaScript or TypeScript",
    "sqlx": "numbered SQL files",
}


# Libraries that speak to each datastore.
_DRIVERS = {
    "postgres": frozenset(
        {"pg", "postgres", "psycopg", "psycopg2", "psycopg2-binary", "asyncpg", "tokio-postgres", "deadpool-postgres"}
        | {"postgrex", "postgresql", "npgsql", "npgsql.entityframeworkcore.postgresql", "gorm.io/driver/postgres"}
        | {"github.com/lib/pq", "github.com/jackc/pgx", "r2d2-postgres", "diesel-async"}
    ),
    "redis": frozenset(
        {"redis", "ioredis", "fred", "bb8-redis", "deadpool-redis", "hiredis", "stackexchange.redis", "redix"}
        | {"github.com/redis/go-redis", "github.com/go-redis/redis", "github.com/gomodule/redigo", "bullmq"}
    ),
}
# Libraries that speak to PostgreSQL among others.
_DRIVERS_OF_SEVERAL = frozenset(
    {"diesel", "sqlx", "sqlalchemy", "sqlmodel", "@prisma/client", "prisma", "typeorm", "knex"}
)


@dataclass(slots=True)
class Migrating:
    """How a service changes its schema."""

    tool: Choice | None = None
    path: Choice | None = None
    indexes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def drives(unit: Unit, store: str, facts: m.Facts) -> bool:
    """Whether a service that reads a datastore's URL has the library that speaks to it."""
    package = unit.service.package
    if package is None:
        return False
    several = not any(one.role in ("mysql", "mariadb", "mongodb") for one in facts.services)
    names = _DRIVERS[store] | (_DRIVERS_OF_SEVERAL if store == "postgres" and several else frozenset())
    return any(name in names or name.split("/v", 1)[0] in names for name in package.dependencies)


def version(facts: m.Facts, store: str) -> tuple[Choice | None, list[str]]:
    """The version of a datastore by the tags of its images, and what was not taken of them."""
    seen: list[Seen] = []
    untold: dict[str, list[m.Place]] = {}
    richer: dict[str, list[m.Place]] = {}
    kinds: dict[m.Place, int] = {}
    for image, kind, environment in _run(facts, store):
        kinds[image.place] = kind
        if image.base == store:
            continue
        richer.setdefault(image.repository, []).append(image.place)
        tagged = _tagged(image) if datastore_of(image.repository) == store and environment != "test" else None
        if tagged:
            seen.append(Seen(tagged, image.place, rank(kind, environment)))
    adding = {place for places in richer.values() for place in places}
    for one in facts.versions:
        if one.product != store or one.kind not in ("image", "ci") or one.environment == "test" or one.place in adding:
            continue
        number = re.match(r"v?(\d+(?:\.\d+)*)", one.text)
        if number:
            kind = PIPELINE if one.kind == "ci" else kinds.get(one.place, COMPOSE)
            seen.append(Seen(number[1], one.place, rank(kind, one.environment)))
        elif one.text in ("latest", "alpine"):
            untold.setdefault(f"{store}:{one.text}", []).append(one.place)
    notes = [f"{name} at {_places(places)} says no version" for name, places in untold.items()]
    for name, places in richer.items():
        what = f"the plain {store} image, without what it adds" if datastore_of(name) == store else store
        notes.append(f"{name} at {_places(places)} becomes {what}")
    return choose(seen), notes


def _run(facts: m.Facts, store: str) -> Iterator[tuple[m.Image, int, m.Environment]]:
    """The images that run as a datastore, each with the kind of the file that runs it and its environment. Jobs and
    init containers run one for its client, which tells less.
    """
    for container in facts.containers:
        if container.image and store_of(datastore_of(container.image.repository)) == store:
            kind = CLUSTER if container.origin == "kubernetes" else COMPOSE
            client = container.job or container.init
            yield container.image, PIPELINE if client else kind, container.environment


def _tagged(image: m.Image) -> str | None:
    """The version of PostgreSQL or Redis in the tag of an image that adds to it: `pg16`, `16-3.5`, `latest-pg16`."""
    match = re.search(r"(?:^|[-_.])pg(\d+(?:\.\d+)?)", image.tag) or re.match(r"(\d+)(?:\.\d+)?(?:-|$)", image.tag)
    if match is None or (image.base.startswith("timescale") and "pg" not in image.tag):
        return None
    return match[1]


def _places(places: list[m.Place]) -> str:
    return brief_list([shown(place) for place in dict.fromkeys(places)], 3)


def storage(cluster: Cluster, facts: m.Facts, store: str) -> Choice | None:
    """The size of a datastore's volume in the cluster: of what its workload claims, else of a claim by its name."""
    names = _workloads(facts, store)
    seen: list[Seen] = []
    claimed: set[str] = set()
    for one in cluster.objects("StatefulSet", "Deployment"):
        if one.name in names:
            spec = one.body.map("spec")
            for template in spec.maps("volumeClaimTemplates"):
                seen += _sized(template, one.place.path, CLUSTER)
            for volume in spec.map("template", "spec").maps("volumes"):
                claimed.add(str(volume.map("persistentVolumeClaim").text("claimName") or ""))
    for one in cluster.objects("PersistentVolumeClaim"):
        if one.name in claimed:
            seen += _sized(one.body, one.place.path, CLUSTER + 1)
        elif store in one.name:
            seen += _sized(one.body, one.place.path, CLUSTER + 2)
    own = [one for one in seen if one.rank < CLUSTER + 2]
    return choose(own or seen)


def _sized(claim: Map, path: str, order: int) -> Iterator[Seen]:
    held = claim.map("spec", "resources", "requests")
    size = memory(str(held.text("storage") or ""))
    if size:
        yield Seen(size, located(path, held.line_of("storage")), order)


def _workloads(facts: m.Facts, store: str) -> set[str]:
    """The names of the workloads that run a datastore."""
    services = [one for one in facts.services if store_of(one.role) == store]
    return {one.workload for service in services for one in service.containers if one.workload and not one.job}


def resources(repo: Repo, cluster: Cluster, facts: m.Facts, store: str) -> dict[str, Choice]:
    """CPU and memory of a datastore, by its StatefulSet or its Compose service."""
    found: dict[str, list[Seen]] = {"cpu": [], "memory": []}
    services = [one for one in facts.services if store_of(one.role) == store]
    names = _workloads(facts, store)
    for one in cluster.objects("StatefulSet", "Deployment"):
        if one.name in names:
            for body in one.body.map("spec", "template", "spec").maps("containers")[:1]:
                held = body.map("resources", "limits")
                for key, read in (("cpu", cpu), ("memory", memory)):
                    value = read(str(held.text(key) or ""))
                    if value:
                        found[key].append(Seen(value, located(one.place.path, held.line_of(key)), CLUSTER))
    for container in (
        one for service in services for one in service.containers if one.origin == "compose" and not one.partial
    ):
        for body, _ in load_all(repo.read(container.place.path) or "").maps():
            held = body.map("services", container.name, "deploy", "resources", "limits")
            for key, name, read in (("cpu", "cpus", cpu), ("memory", "memory", compose_memory)):
                value = read(str(held.text(name) or ""))
                if value:
                    found[key].append(
                        Seen(
                            value,
                            m.Place(container.place.path, held.line_of(name)),
                            rank(COMPOSE, container.environment),
                        )
                    )
    chosen = {key: choose(seen[:1]) for key, seen in found.items()}
    return {key: one for key, one in chosen.items() if one is not None}


def migrations(repo: Repo, facts: m.Facts, unit: Unit, alone: bool) -> Migrating:
    """The migrations of one service. `alone` is whether it is the only one that uses the database."""
    result = Migrating()
    tools = list(unit.data.get("migrations") or [])
    if not tools:
        return result
    if _own_settings(repo, unit, result):
        return result
    path = str(unit.path.value)
    inside = [one for one in facts.migrations if path == "." or one.path == path or one.path.startswith(path + "/")]  # noqa: PLR1714
    chosen = max(
        inside or (facts.migrations if alone else ()),
        key=lambda one: (_count(repo, one.path), -len(one.path)),
        default=None,
    )
    if chosen is None:
        return result
    folder = chosen.path
    if not inside:
        result.comments.append(
            f"migrations: {folder} stands outside of {path}, where the image does not reach: move it into {path}"
        )
        return result
    if folder.rsplit("/", 1)[-1] == "versions":
        folder = folder.rpartition("/")[0]
    tool = _tool(chosen, unit, tools)
    if tool is None:
        held = _LAYOUTS.get(chosen.tool, f"migrations of {chosen.tool or 'no tool that is known'}")
        result.comments.append(
            f"migrations: {chosen.path} holds {held}; for {unit.data['title']} Trimtab runs {' or '.join(tools)} only"
        )
        return result
    relative = (folder.removeprefix(path + "/") if path != "." else folder) or "."
    if not re.fullmatch(FOLDER, relative):
        return result
    result.tool = Choice(tool, chosen.place)
    result.path = Choice(relative, None) if tool != "django" else None  # which finds the folders of every app itself
    result.indexes = sorted(_indexes(repo, chosen.path))[:MAX_INDEXES]
    stray = [one for one in sorted(facts.sql) if facts.sql[one] == "index" and not one.startswith(folder + "/")]
    if stray:
        result.comments.append(
            f"indexes outside of the migrations: {', '.join(stray[:4])}; `trimtab adopt-indexes` folds them in"
        )
    return result


def _own_settings(repo: Repo, unit: Unit, result: Migrating) -> bool:
    """The runner's own settings file, where the repository has one."""
    file = f"infrastructure/database/services/{unit.name}.conf"
    if not repo.is_file(file):
        return False
    for number, line in enumerate((repo.read(file) or "").split("\n"), start=1):
        key, sign, value = (part.strip() for part in line.partition("="))
        place = m.Place(file, number)
        if key == "tool" and sign:
            result.tool = Choice(value, place)
        elif key == "directory" and sign:
            result.path = Choice(value, place)
        elif key == "expect_index" and sign and re.fullmatch(INDEX, value):
            result.indexes.append(value)
    return result.tool is not None


def _count(repo: Repo, folder: str) -> int:
    return sum(path.startswith(folder + "/") for path in repo.files)


def _tool(found: m.MigrationDirectory, unit: Unit, tools: list[str]) -> str | None:
    """The tool by the dependencies that the manifest names, else by the layout of the files."""
    names = unit.service.package.dependencies if unit.service.package else frozenset()
    for tool, dependency in (
        ("diesel", "diesel"),
        ("sqlx", "sqlx"),
        ("prisma", "prisma"),
        ("prisma", "@prisma/client"),
        ("alembic", "alembic"),
        ("django", "django"),
    ):
        if tool in tools and dependency in names and (found.tool == tool or tool in ("diesel", "sqlx")):
            return tool
    if found.tool in tools:
        return found.tool
    return "sql" if "sql" in tools and found.tool in ("sqlx", "goose", "golang-migrate", "flyway") else None


def _indexes(repo: Repo, folder: str) -> Iterator[str]:  # noqa: C901
    """Every index that the migrations leave behind, as `table.index`."""
    found: dict[str, str] = {}
    for path in repo.files:
        if (
            not path.startswith(folder + "/")
            or path.endswith(("/down.sql", ".down.sql"))
            or not path.endswith((".sql", ".py"))
        ):
            continue
        text = repo.read(path) or ""
        if path.endswith(".py"):
            text = text.split("def downgrade", 1)[0]
            for match in _ALEMBIC.finditer(text):
                found[match[1]] = f"{match[2]}.{match[1]}"
            for match in _ALEMBIC_DROP.finditer(text):
                found = {
                    name: entry for name, entry in found.items() if name != match[1] and entry.split(".")[0] != match[1]
                }
            continue
        text = re.split(r"(?im)^--\s*\+goose\s+down", re.sub(r"/\*.*?(?:\*/|\Z)", " ", text, flags=re.S))[0]
        text = re.sub(r"--[^\n]*", "", text)
        for match in _CREATE.finditer(text):
            table = ".".join(part.strip('"') for part in match[2].split("."))
            found[match[1].strip('"')] = f"{table}.{match[1].strip(chr(34))}"
        for match in _RENAME.finditer(text):
            old, new = match[1].strip('"'), match[2].strip('"')
            if old in found:
                found[new] = found.pop(old).rpartition(".")[0] + "." + new
        for match in _DROP.finditer(text):
            found.pop(match[1].strip('"'), None)
        for match in _DROP_TABLE.finditer(text):
            found = {name: entry for name, entry in found.items() if entry.split(".")[-2] != match[1].strip('"')}
    return (entry for entry in found.values() if re.fullmatch(INDEX, entry))
