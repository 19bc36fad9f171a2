"""A variable that the source reads is set in one environment and not in another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from trimtab.audit.facts.envnames import meaning, public_prefix
from trimtab.audit.facts.forms import given_otherwise
from trimtab.audit.facts.model import Container, EnvRead, EnvVar, Facts, Place, Service
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Finding, Rule
from trimtab.audit.rules.env_read_undeclared import AMBIENT

# What usually belongs to one environment: reporting, mail, clouds, debugging.
_OF_ONE = re.compile(
    r"SENTRY|OTEL|DATADOG|^DD_|NEW_RELIC|ANALYTICS|METRICS|TRACING|AWS_|S3_|GCS_|AZURE_|SMTP|MAIL|LOG|DEBUG|WORKERS|"
    r"THREADS|POOL|TIMEOUT|MAX_|MIN_|SEED|MOCK|FEATURE|ENABLE|DISABLE|STRIPE|SLACK|RELEASE|VERSION|COMMIT"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per source directory and environment that lacks variables."""
    known = _objects_with_keys(facts)
    found: dict[tuple[str, str, tuple[str, ...]], list[_Lack]] = defaultdict(list)
    for service in facts.services:
        if service.root is None or not service.reads:
            continue
        image = {item.name for dockerfile in service.dockerfiles for item in (*dockerfile.env, *dockerfile.args)}
        reads: dict[str, list[EnvRead]] = defaultdict(list)
        for read in service.reads:
            if read.name not in image:
                reads[read.name].append(read)
        deployments = _deployments(service, known)
        for one in deployments:
            others = [other for other in deployments if other.origin != one.origin]
            if one.whole and others and len(one.given.keys() & reads.keys()) >= 2:
                otherwise = given_otherwise(service, one.given.values(), facts)  # another rule's
                asked = {name: uses for name, uses in reads.items() if name not in otherwise}
                lacking = _lacking(one, others, asked)
                if one.origin == "kubernetes":  # a chart may give it where a value says so
                    lacking = {name: uses for name, uses in lacking.items() if name not in facts.mentioned}
                if lacking:
                    lack = _Lack(service.name, one, others, lacking)
                    found[(service.root, one.origin, tuple(lacking))].append(lack)
    for lacks in found.values():
        yield _finding(lacks, known)


@dataclass(slots=True)
class _Deployment:
    """A service as compose files of one folder, or as manifests of one group, run it. `whole` is whether all that it is
    given can be told.
    """

    origin: str
    place: Place
    given: dict[str, EnvVar] = field(default_factory=dict)
    whole: bool = True
    sources: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Lack:
    """A service, the deployment that lacks variables, those that have them, and where the source reads them."""

    service: str
    one: _Deployment
    others: list[_Deployment]
    reads: dict[str, list[EnvRead]]


def _lacking(one: _Deployment, others: list[_Deployment], reads: dict[str, list[EnvRead]]) -> dict[str, list[EnvRead]]:
    """The variables that the source cannot or hardly do without, and that only the others give."""
    unread = {meaning(name) for name in one.given if name not in reads}
    lacking: dict[str, list[EnvRead]] = {}
    for name, uses in sorted(reads.items()):
        if name in one.given or not any(name in other.given for other in others):
            continue
        if AMBIENT.match(name) or public_prefix(name) or any(_suffices(use) for use in uses):
            continue
        if _OF_ONE.search(name) and not any(use.required for use in uses):
            continue
        if meaning(name) not in unread:  # under another name it is a drift of names
            lacking[name] = uses
    return lacking


_OWN_MACHINE = re.compile(r"(?:^|[/@])(?:localhost|127\.0\.0\.1)(?=[:/]|$)")


def _suffices(use: EnvRead) -> bool:
    """Whether the source can do without the variable: an address of the own machine is none in a container."""
    return bool(use.default) and not _OWN_MACHINE.search(use.default or "")


def _finding(lacks: list[_Lack], known: Mapping[tuple[str, str], Place]) -> Finding:
    reads = lacks[0].reads
    names = list(reads)
    needed = any(use.required for uses in reads.values() for use in uses)
    cluster = lacks[0].one.origin == "kubernetes"
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    places: dict[tuple[Place, str], None] = {}
    for lack in lacks:
        places[(lack.one.place, f"not set: {', '.join(names)}")] = None
        for source in sorted(lack.one.sources):
            if source[0] == "ConfigMap" and source in known:
                places[(known[source], f"not set: {', '.join(names)}")] = None
        for name in names:
            for other in lack.others:
                if name in other.given:
                    places[(other.given[name].name_place, f"sets {name}")] = None
    for name, uses in reads.items():
        for use in uses[:2]:
            places[(use.place, f"reads {name}")] = None
    services = " and ".join(dict.fromkeys(lack.service for lack in lacks))
    return RULE.finding(
        f"{services}: {shown} set {'by compose' if cluster else 'in the cluster'} and not "
        f"{'in the cluster' if cluster else 'by compose'}",
        list(places),
        service=lacks[0].service,
        severity="high" if needed and cluster else "medium",  # compose files often leave out what only the cluster has
        confidence="high" if needed else "medium",
    )


def _deployments(service: Service, known: Mapping[tuple[str, str], Place]) -> list[_Deployment]:
    found: dict[tuple[str, str], _Deployment] = {}
    apart: dict[tuple[str, str], bool] = {}
    for container in service.containers:
        if container.job or container.init or container.environment in ("test", "example"):
            continue
        if container.origin == "compose":
            key = ("compose", directory_of(container.place.path))
        else:
            key = ("kubernetes", container.workload)
        if key not in found:
            found[key] = _Deployment(container.origin, container.place)
        one = found[key]
        apart[key] = apart.get(key, True) and container.environment == "local"
        one.sources.update(container.env_from)
        for item in container.env:
            one.given.setdefault(item.name, item)
        one.whole &= _told(container, known)
    return [one for key, one in found.items() if not apart[key]]  # what only develops may differ


def _told(container: Container, known: Mapping[tuple[str, str], Place]) -> bool:
    """Whether every variable of a container is known."""
    if any(source not in known for source in container.env_from):
        return False
    from_files = {item.place.path for item in container.env if item.origin == "envfile"}
    return all(path in from_files for path, _ in container.env_files)


def _objects_with_keys(facts: Facts) -> dict[tuple[str, str], Place]:
    """(kind, name) of the ConfigMaps and Secrets whose keys a file shows, and where."""
    found: dict[tuple[str, str], Place] = {}
    for item in facts.objects:
        if item.kind in ("ConfigMap", "Secret", "ExternalSecret", "SealedSecret"):
            spec = item.body.map("spec")
            if item.body.map("data") or item.body.map("stringData") or spec.seq("data") or spec.map("encryptedData"):
                kind = "ConfigMap" if item.kind == "ConfigMap" else "Secret"
                found.setdefault((kind, item.name), item.place)
                found.setdefault((kind, str(spec.map("target").text("name") or item.name)), item.place)
    return found


RULE = Rule(
    module=__name__,
    severity="high",
    area="Environment Variables Consistency",
    title="A variable is set in one environment only",
    what="""Compares what compose files give a service with what its manifests give it, for variables that its source
reads without a default, or with one that is an address of the own machine. Variables that usually belong to one
environment, such as those of error reporting, count only where the source cannot do without them. Where a Secret's
keys are not known, nothing is said.""",
    why="The service fails, or works without the setting, in the environment that nobody looks at before a deploy.",
    example="""settings.py:        BROKER = os.environ["BROKER_URL"]
docker-compose.yml: BROKER_URL: redis://redis:6379/1
k8s/api.yaml:       env: [{ name: REDIS_URL, value: … }]   # no BROKER_URL""",
    remedy="Set the variable in every environment, or give it a default in the source.",
    check=check,
)
