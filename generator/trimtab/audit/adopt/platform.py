"""What is said of the platform as a whole: its name, its registry, how it is delivered, and its environments."""

from __future__ import annotations

import json
import re
from pathlib import Path

from trimtab.audit.adopt.cluster import PLATFORM, Cluster, place_environment, slug
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, GUESS, PIPELINE, Choice, Node, Seen, choose, rank, shown
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.products import datastore_of
from trimtab.repo import Repo
from trimtab.settings.schema import HOST, REGISTRY, REPOSITORY
from trimtab.yamlpos import load_all

_REMOTE = re.compile(
    r'\[remote "origin"\][^\[]*?url\s*=\s*(?:\S+@|https?://(?:[^/@\s]+@)?)([\w.-]+)[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?\s',
    re.DOTALL,
)
_REGISTRIES = {"github.com": "ghcr.io", "gitlab.com": "registry.gitlab.com"}
_MAX_CONFIG = 100_000
_PARTIAL = re.compile(r"\$\{|\{\{|<|\$\(|\$[A-Z_]")


class Origin:
    """Where the repository is hosted, by its git configuration: host, owner, name; empty where there is none."""

    def __init__(self, root: Path | None) -> None:
        """Read the configuration of the repository at `root`, never through a link."""
        self.host = self.owner = self.name = ""
        file = root / ".git" / "config" if root else None
        try:
            if file is None or file.is_symlink() or file.parent.is_symlink() or file.stat().st_size > _MAX_CONFIG:
                return
            match = _REMOTE.search(file.read_text(encoding="utf-8", errors="replace") + "\n")
        except OSError:
            return
        if match:
            self.host, self.owner, self.name = match[1].lower(), match[2].lower(), match[3].lower()


def name(repo: Repo, facts: m.Facts, cluster: Cluster, folder: str, origin: Origin) -> Choice:
    """The platform's name."""
    seen: list[Seen] = []
    for one in cluster.objects("Deployment", "StatefulSet"):
        part_of = one.labels.get("app.kubernetes.io/part-of")
        if part_of:
            seen.append(Seen(slug(str(part_of)), one.place, CLUSTER, "(part-of)"))
    for file in facts.compose:
        for body, _ in load_all(repo.read(file.path) or "").maps():
            text = body.text("name")
            if text and "$" not in text:
                seen.append(
                    Seen(slug(str(text)), m.Place(file.path, body.line_of("name")), rank(COMPOSE, file.environment))
                )
    seen = [one for one in seen if one.value and not one.value.startswith("tpl-")]
    for guess, why in ((origin.name, "the name of the git repository"), (folder, "the name of the folder")):
        if slug(guess):
            seen.append(Seen(slug(guess), None, GUESS, why))
    return choose(seen) or Choice("platform", None, "found nowhere: choose a name")


def registry(facts: m.Facts, units: list[Unit], origin: Origin) -> Choice:
    """The registry by the images that are deployed, built or pushed."""
    seen: list[Seen] = []
    for unit in units:
        for one in unit.service.containers:
            kind = CLUSTER if one.origin == "kubernetes" else COMPOSE
            if one.image is not None:
                found = _prefix(one.image.text, origin)
                if found:
                    seen.append(Seen(found, one.image.place, rank(kind, one.environment)))
    for push in facts.pushes:
        seen += [Seen(found, push.place, PIPELINE) for tag in push.tags if (found := _prefix(tag, origin))]
    choice = choose(seen)
    if choice is not None:
        return choice
    if origin.owner:
        host = _REGISTRIES.get(origin.host, origin.host)
        # Images of GitLab's registry live below a project.
        path = origin.owner if host != "registry.gitlab.com" else f"{origin.owner}/{origin.name}"
        return Choice(f"{host}/{path}", None, "by the git remote; no file names an image of this registry")
    return Choice("registry.example.com/team", None, "FOUND NOWHERE: name your registry here")


def _prefix(text: str, origin: Origin) -> str | None:
    """The registry and path before an image's own name, or None where the text does not tell."""
    text = re.sub(r"\$\{\{\s*github\.repository_owner\s*\}\}", origin.owner or "$" + "{X}", text)
    text = re.sub(
        r"\$\{\{\s*github\.repository\s*\}\}", f"{origin.owner}/{origin.name}" if origin.owner else "$" + "{X}", text
    )
    text = re.sub(r"\$\{\w+:?-([^}$]+)\}", r"\1", text.strip("\"' "))
    prefix, slash, _ = text.partition("@")[0].rpartition("/")
    if not slash or _PARTIAL.search(prefix) or "tpl-" in prefix:
        return None
    head = prefix.split("/")[0]
    prefix = prefix if "." in head or ":" in head or head == "localhost" else f"docker.io/{prefix}"
    prefix = prefix.lower()
    return prefix if re.fullmatch(REGISTRY, prefix) and not prefix.startswith("localhost") else None


def delivery(root: Node, repo: Repo, facts: m.Facts, cluster: Cluster) -> None:
    """The `delivery` section, of what is in evidence."""
    node = root.at("delivery")
    pipelines = {flow.system: flow for flow in facts.workflows}
    if "gitlab" in pipelines and "github" not in pipelines:
        node.put("ci", "gitlab", pipelines["gitlab"].path)
    _mode(node, facts, cluster)
    for one in cluster.objects("Rollout"):
        strategy = one.body.map("spec", "strategy")
        kind = "canary" if "canary" in strategy else "blue-green" if "blueGreen" in strategy else ""
        if kind:
            node.put("strategy", kind, shown(one.place))
            _abort_when(node, cluster)
            break
    _secrets(node, facts, cluster)
    _traffic(node, repo, cluster)
    hooks = {
        hook: step.place
        for flow in facts.workflows
        for job in flow.jobs
        for step in job.steps
        for hook in ("before-deploy", "after-deploy")
        if step.uses.rstrip("/") == f"./.github/actions/{hook}" or step.run.strip() == f".gitlab/hooks/{hook}.sh"
    }
    if hooks:
        listed = [hook for hook in ("before-deploy", "after-deploy") if hook in hooks]
        node.put("hooks", listed, shown(next(iter(hooks.values()))))
    if not node.children:
        root.remove(("delivery",))


def _secrets(node: Node, facts: m.Facts, cluster: Cluster) -> None:
    for kind, found in (("ExternalSecret", "external-secrets"), ("SealedSecret", "sealed-secrets")):
        first = next(iter(cluster.objects(kind)), None)
        if first is not None:
            node.put("secrets", found, shown(first.place))
            break
    else:
        for command in facts.commands:
            tool = re.match(
                r"(?:\w+=\S*\s+){0,20}(?:exec\s+)?(kubeseal|sops)\b|.*[|(]\s{0,9}(kubeseal|sops)\b", command.text
            )
            if tool:
                node.put("secrets", "sops" if "sops" in (tool[1], tool[2]) else "sealed-secrets", shown(command.place))
                break


def _traffic(node: Node, repo: Repo, cluster: Cluster) -> None:
    for kind, found in (("Gateway", "gateway"), ("HTTPRoute", "gateway"), ("Ingress", "ingress")):
        first = next((one for one in cluster.objects(kind) if "istio.io" not in str(one.body.text("apiVersion"))), None)
        if first is not None:
            node.put("ingress", found, shown(first.place))
            break
    scaled = next(iter(cluster.objects("ScaledObject")), None)
    if scaled is not None:
        node.put("metrics", "keda", shown(scaled.place))
    elif (line := _line(repo, "k8s/README.md", "| KEDA |")) is not None:
        node.put("metrics", "keda", f"k8s/README.md:{line}")


def _line(repo: Repo, path: str, start: str) -> int | None:
    """The line of a file that begins so."""
    lines = (repo.read(path) or "").split("\n") if repo.is_file(path) else []
    return next((number for number, text in enumerate(lines, start=1) if text.startswith(start)), None)


def _mode(node: Node, facts: m.Facts, cluster: Cluster) -> None:
    for one in cluster.objects("Application", "ApplicationSet", "Kustomization", "GitRepository"):
        api = str(one.body.text("apiVersion") or "")
        engine = "argocd" if api.startswith("argoproj.io/") else "flux" if "fluxcd.io/" in api else ""
        if engine:
            node.put("mode", "gitops", shown(one.place))
            node.put("engine", engine)
            break
    else:
        for command in facts.commands:
            if command.context in ("workflow", "script", "makefile") and re.search(
                r"\bkubectl\s+(?:\S+\s+){0,30}?(?:apply|set\s+image|rollout)\b", command.text
            ):
                node.put("mode", "kubectl", shown(command.place))
                return
        return
    for one in cluster.objects("Application", "ApplicationSet", "GitRepository"):
        spec = one.body.map("spec")
        for holder in (spec.map("source"), spec.map("template", "spec", "source"), spec):
            url = str(holder.text("repoURL") or holder.text("url") or "")
            if re.fullmatch(REPOSITORY, url) and len(url) <= 200:
                node.put(
                    "repository",
                    url,
                    f"{one.place.path}:{holder.line_of('repoURL' if holder.text('repoURL') else 'url')}",
                )
                return


def _abort_when(node: Node, cluster: Cluster) -> None:
    for one in cluster.objects("AnalysisTemplate"):
        limits = node.at("abort_when")
        for metric in one.body.map("spec").maps("metrics"):
            text = str(metric.text("name") or "")
            match = re.search(r"<=?\s*(\d+(?:\.\d+)?)\s*$", str(metric.text("successCondition") or ""))
            if match and "error" in text:
                limits.put("error_rate", f"{float(match[1]) * 100:g}%", shown(one.place))
            elif match and "latency" in text:
                seconds = float(match[1])
                limits.put(
                    "p95_latency",
                    f"{seconds:g}s" if seconds.is_integer() else f"{seconds * 1000:g}ms",
                    shown(one.place),
                )
        if not limits.children:
            node.remove(("abort_when",))
        return


class Environments:
    """The environments of a platform and what is said of each."""

    def __init__(self, repo: Repo, facts: m.Facts, cluster: Cluster, platform: str) -> None:
        """Take what they are read from; `platform` is the platform's name."""
        self.repo = repo
        self.facts = facts
        self.cluster = cluster
        self.platform = platform

    def host(self, environment: str) -> Choice | None:
        """The public host name."""
        seen: list[Seen] = []
        for one in self.cluster.objects("Gateway", "HTTPRoute", "Ingress", "Certificate"):
            if not self.cluster.reaches(environment, one.place.path):
                continue
            spec = one.body.map("spec")
            later = 0 if place_environment(one.place.path) else 5
            names = [
                (str(item.text("hostname")), item.line_of("hostname"))
                for item in spec.maps("listeners")
                if item.text("hostname")
            ]
            names += [
                (str(item.text("host")), item.line_of("host")) for item in spec.maps("rules") if item.text("host")
            ]
            for key in ("hostnames", "dnsNames"):
                names += [(str(item), line) for item, line in spec.seq(key).lined() if isinstance(item, str)]
            for text, line in names:
                if (
                    re.fullmatch(HOST, text)
                    and "tpl-" not in text
                    and not text.endswith((".local", ".localhost", ".svc"))
                ):
                    seen.append(Seen(text, m.Place(one.place.path, line), CLUSTER + later))
        return choose(seen)

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
        for path, body in self.cluster.kustomizations(environment):
            text = body.text("namespace")
            if text and str(text) != f"{self.platform}-{environment}" and slug(str(text)) == str(text):
                return Choice(str(text), m.Place(path, body.line_of("namespace")))
        return None

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
