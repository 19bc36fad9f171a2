"""Datastores, migrations, and the indexes that they promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from trimtab.audit.adopt.cluster import Cluster
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, PIPELINE, Choice, Seen, choose, rank, shown
from trimtab.audit.adopt.scaling import compose_memory, cpu, memory
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.products import DATASTORES, datastore_of
from trimtab.repo import Repo
from trimtab.settings.schema import FOLDER, INDEX
from trimtab.yamlpos import load_all

STORES = ("postgres", "redis")
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


@dataclass(slots=True)
class Migrating:
    """How a service changes its schema."""

    tool: Choice | None = None
    path: Choice | None = None
    indexes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def version(facts: m.Facts, store: str) -> tuple[Choice | None, list[str]]:
    """The version of a datastore by the tags of its images, and what was not taken of them."""
    kinds = {"kubernetes": CLUSTER, "image": COMPOSE, "ci": PIPELINE}
    seen, notes = [], []
    for one in facts.versions:
        if one.product == store and one.kind in kinds and one.environment != "test":
            number = re.match(r"(?:v|pg)?(\d+(?:\.\d+)*)", one.text)
            if number:
                seen.append(Seen(number[1], one.place, rank(kinds[one.kind], one.environment)))
            elif one.text in ("latest", "alpine"):
                notes.append(f"{store}:{one.text} at {shown(one.place)} says no version")
    for container in facts.containers:
        image = container.image
        if image and datastore_of(image.repository) == store and image.base != store:
            notes.append(
                f"{image.repository} at {shown(image.place)} becomes the plain {store} image, without what it adds"
            )
    return choose(seen), list(dict.fromkeys(notes))[:3]


def foreign(facts: m.Facts) -> list[str]:
    """Datastores that Trimtab does not bring."""
    return [
        f"{one.name} ({shown(one.containers[0].place)}): Trimtab brings postgres and redis, and no {one.role}"
        for one in facts.services
        if one.role in DATASTORES and one.role not in STORES and one.containers
    ]


def storage(cluster: Cluster, facts: m.Facts, store: str) -> Choice | None:
    """The size of a datastore's volume in the cluster."""
    names = {
        one.workload
        for service in facts.services
        if service.role == store
        for one in service.containers
        if one.workload
    }
    seen = []
    for one in cluster.objects("StatefulSet", "PersistentVolumeClaim"):
        claims = one.body.map("spec").maps("volumeClaimTemplates") if one.kind == "StatefulSet" else [one.body]
        if (one.kind == "StatefulSet" and one.name in names) or (one.kind != "StatefulSet" and store in one.name):
            for claim in claims:
                held = claim.map("spec", "resources", "requests")
                size = memory(str(held.text("storage") or ""))
                if size:
                    seen.append(
                        Seen(
                            size,
                            m.Place(one.place.path, held.line_of("storage")),
                            CLUSTER + (one.kind != "StatefulSet"),
                        )
                    )
    return choose(seen)


def resources(repo: Repo, cluster: Cluster, facts: m.Facts, store: str) -> dict[str, Choice]:
    """CPU and memory of a datastore, by its StatefulSet or its Compose service."""
    found: dict[str, list[Seen]] = {"cpu": [], "memory": []}
    services = [one for one in facts.services if one.role == store]
    names = {one.workload for service in services for one in service.containers if one.workload and not one.job}
    for one in cluster.objects("StatefulSet", "Deployment"):
        if one.name in names:
            for body in one.body.map("spec", "template", "spec").maps("containers")[:1]:
                held = body.map("resources", "limits")
                for key, read in (("cpu", cpu), ("memory", memory)):
                    value = read(str(held.text(key) or ""))
                    if value:
                        found[key].append(Seen(value, m.Place(one.place.path, held.line_of(key)), CLUSTER))
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
        result.comments.append(
            f"migrations: {chosen.path} has the layout of {chosen.tool or 'no known tool'}, "
            f"which {unit.data['title']} is not run with"
        )
        return result
    relative = (folder.removeprefix(path + "/") if path != "." else folder) or "."
    if not re.fullmatch(FOLDER, relative):
        return result
    result.tool = Choice(tool, chosen.place)
    result.path = Choice(relative, None)
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
