"""What is said of each environment of the platform."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from trimtab.audit.adopt.addresses import is_stand_in
from trimtab.audit.adopt.cluster import PLATFORM, Cluster, located, object_environment, slug
from trimtab.audit.adopt.model import (
    CLUSTER,
    COMPOSE,
    Choice,
    Seen,
    brief_list,
    choose,
    shown,
)
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.products import datastore_of
from trimtab.repo import Repo
from trimtab.settings.schema import HOST
from trimtab.yamlpos import Map

_FURTHEST = 3
_NOT_PRODUCTION = re.compile(r"(?:^|[-.])(?:staging|stage|stg|dev|test|uat|qa)(?:[-.]|$)")


class Environments:
    """The environments of a platform and what is said of each."""

    def __init__(  # noqa: PLR0913, PLR0917 - what they are read from
        self, repo: Repo, facts: m.Facts, cluster: Cluster, platform: str, units: list[Unit], hosts: dict[str, str]
    ) -> None:
        """Take what they are read from; `platform` is the platform's name."""
        self.repo = repo
        self.facts = facts
        self.cluster = cluster
        self.platform = platform
        self.units = units
        self.hosts = hosts

    def host(self, environment: str) -> tuple[Choice | None, str]:
        """The public host name, and a word on those that are no public ones."""
        seen: list[Seen] = []
        private: list[str] = []
        kinds = ("Gateway", "HTTPRoute", "Ingress", "Certificate")
        shared = (one for one in self.cluster.objects(*kinds) if self.cluster.reaches(environment, one.place.path))
        own = list(self.cluster.changed(environment, *kinds))
        for one in (*own, *shared):
            later = 0 if object_environment(one) or one in own else 5
            for text, line, rule in _host_names(one):
                if text.endswith((".local", ".localhost", ".svc", ".internal", ".lan")):
                    private.append(f"{text} ({shown(located(one.place.path, line))})")
                elif re.fullmatch(HOST, text) and "tpl-" not in text:
                    further = self._further(rule)
                    why = self._doubt(environment, text, everywhere=later > 0)
                    why = why or ("(leads to what is not adopted)" if further == _FURTHEST else "")
                    seen.append(Seen(text, located(one.place.path, line), CLUSTER + later + further, why))
        if any(one.rank < CLUSTER + 5 for one in seen):  # of its own; what all share is what it changes
            seen = [one for one in seen if one.rank < CLUSTER + 5]
        if not seen:
            seen = list(self._proxied(environment))
        word = f"{brief_list(list(dict.fromkeys(private)), 3)}: of a local network only" if private and not seen else ""
        return choose(seen), word

    def _doubt(self, environment: str, text: str, *, everywhere: bool) -> str:
        """What speaks against a host's name."""
        if is_stand_in(text):
            return "(looks like a stand-in: name the host)"
        if environment == "production" and _NOT_PRODUCTION.search(text):
            return "(by its name, not that of production)"
        return "(stated for every environment)" if everywhere and len(self.cluster.environments) > 1 else ""

    def _further(self, rule: Map | None) -> int:
        """How far a host is from what visitors open: 0 for a frontend's, 3 for that of something not adopted."""
        if rule is None:
            return 1
        kinds = {unit.name: unit.data["kind"] for unit in self.units}
        targets = [
            self.hosts.get(self.cluster.overlays.plain(str(name), set(self.hosts)), "")
            for path in rule.map("http").maps("paths")
            if (name := path.map("backend", "service").text("name") or path.map("backend").text("serviceName"))
        ]
        if any(kinds.get(target) == "frontend" for target in targets):
            return 0
        return 1 if not targets or any(target in kinds for target in targets) else _FURTHEST

    def _proxied(self, environment: str) -> Iterator[Seen]:
        """The names that a proxy in front of Compose answers to."""
        if environment != "production":
            return
        for one in self.facts.settings:
            if one.product == "nginx" and one.name == "server_name" and environment_of(one.place.path) != "local":
                for name in one.value.split():
                    if re.fullmatch(HOST, name) and "." in name and not name.endswith((".local", ".localhost")):
                        yield Seen(name, one.place, COMPOSE, self._doubt(environment, name, everywhere=False))

    def issuer(self, environment: str) -> Choice | None:
        """`letsencrypt-staging` where the certificates are Let's Encrypt's for testing."""
        for tls in self.facts.ingress_tls:
            if tls.issuer and "staging" in tls.issuer[0] and self.cluster.reaches(environment, tls.issuer[1].path):
                return Choice("letsencrypt-staging", tls.issuer[1])
        for one in self.cluster.objects("Certificate"):
            if self.cluster.reaches(environment, one.place.path) and "staging" in str(
                one.body.map("spec", "issuerRef").text("name") or ""
            ):
                return Choice("letsencrypt-staging", one.place)
        return None

    def namespace(self, environment: str) -> Choice | None:
        """The namespace, where it is not the one that Trimtab would choose."""
        usual = f"{self.platform}-{environment}"
        for path, body in self.cluster.kustomizations(environment):
            text = body.text("namespace")
            if text and self._deploys(path):
                named = str(text) != usual and slug(str(text)) == str(text)
                return Choice(str(text), m.Place(path, body.line_of("namespace"))) if named else None
        if len(self.cluster.environments) > 1:
            return None
        names = {name for unit in self.units for name in unit.kube}
        seen = [
            Seen(one.namespace, located(one.place.path, one.body.map("metadata").line_of("namespace")), CLUSTER)
            for one in self.cluster.objects("Deployment", "StatefulSet", "Rollout")
            if one.name in names and one.namespace and slug(one.namespace) == one.namespace
        ]
        choice = choose(seen)
        return None if choice is None or choice.value in (usual, "default") else choice

    def _deploys(self, path: str) -> bool:
        """Whether a kustomization applies a service, rather than something beside them."""
        names = {name for unit in self.units for name in unit.kube}
        applied = self.cluster.overlays.applied(path.rpartition("/")[0])
        workloads = [one.name for one in applied if one.kind in ("Deployment", "StatefulSet", "Rollout")]
        return not workloads or any(self.cluster.overlays.plain(name, names) in names for name in workloads)

    def approval(self, environment: str) -> Choice | None:
        """Whether a person approves, where a file says so."""
        file = PLATFORM
        if self.repo.is_file(file):
            try:
                data = json.loads(self.repo.read(file) or "")
                if data["environments"][environment]["approval"] is True:
                    return Choice("required", m.Place(file, 1))
            except (ValueError, KeyError, TypeError, RecursionError):
                return None
        for flow in self.facts.workflows:
            for job in flow.jobs:
                if slug(job.environment) == environment and any("manual-approval" in step.uses for step in job.steps):
                    return Choice("required", job.place)
        return None

    def patches(self, environment: str) -> list[str]:
        """The user's own patches in the overlay of a tree that Trimtab wrote."""
        found = []
        for _, body in self.cluster.kustomizations(environment):
            for patch in body.maps("patches"):
                match = re.fullmatch(r"patches/([A-Za-z0-9][A-Za-z0-9._-]*\.ya?ml)", str(patch.text("path") or ""))
                if match:
                    found.append(match[1])
        return found

    def is_external(self, environment: str, store: str) -> bool:
        """Whether a datastore runs outside of the cluster: nothing that this environment applies is one."""
        return not any(
            one.image
            and datastore_of(one.image.repository) == store
            and self.cluster.reaches(environment, work.place.path)
            for work in self.facts.workloads if work.kind in ("StatefulSet", "Deployment")
            for one in work.containers
        )  # fmt: skip


def _host_names(one: m.KubeObject) -> Iterator[tuple[str, int, Map | None]]:
    """The host names of an object, each with its line and the rule that it stands in."""
    spec = one.body.map("spec")
    for item in spec.maps("listeners"):
        if item.text("hostname"):
            yield str(item.text("hostname")), item.line_of("hostname"), None
    for item in spec.maps("rules"):
        if item.text("host"):
            yield str(item.text("host")), item.line_of("host"), item
    for key in ("hostnames", "dnsNames"):
        yield from ((str(item), line, None) for item, line in spec.seq(key).lined() if isinstance(item, str))
