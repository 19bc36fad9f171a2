"""How the platform is delivered, of what is in evidence."""

from __future__ import annotations

import re

from trimtab.audit.adopt.cluster import Cluster
from trimtab.audit.adopt.model import (
    Node,
    shown,
)
from trimtab.audit.adopt.naming import Origin
from trimtab.audit.facts import model as m
from trimtab.audit.facts.naming import environment_of
from trimtab.repo import Repo
from trimtab.settings.schema import REPOSITORY
from trimtab.yamlpos import Map


def put_delivery(root: Node, repo: Repo, facts: m.Facts, cluster: Cluster, origin: Origin) -> None:
    """The `delivery` section, of what is in evidence."""
    node = root.at("delivery")
    pipelines = {flow.system: flow for flow in facts.workflows}
    if "gitlab" in pipelines and "github" not in pipelines:
        node.put("ci", "gitlab", pipelines["gitlab"].path)
    _mode(node, facts, cluster, origin)
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
        held = [one for one in cluster.objects(kind) if "istio.io" not in str(one.body.text("apiVersion"))]
        first = next((one for one in held if environment_of(one.place.path) != "test"), None)
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


def _mode(node: Node, facts: m.Facts, cluster: Cluster, origin: Origin) -> None:
    for one in cluster.objects("Application", "ApplicationSet", "Kustomization", "GitRepository"):
        api = str(one.body.text("apiVersion") or "")
        engine = "argocd" if api.startswith("argoproj.io/") else "flux" if "fluxcd.io/" in api else ""
        if engine and _deploys_this(one, facts, origin):
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
        for holder in _origins(one):
            url = str(holder.text("repoURL") or holder.text("url") or "")
            if re.fullmatch(REPOSITORY, url) and len(url) <= 200 and _deploys_this(one, facts, origin):
                line = holder.line_of("repoURL" if holder.text("repoURL") else "url")
                node.put("repository", url, f"{one.place.path}:{line}")
                return


def _origins(one: m.KubeObject) -> tuple[Map, ...]:
    """Where an object of a GitOps engine says what it reads."""
    spec = one.body.map("spec")
    return spec.map("source"), spec.map("template", "spec", "source"), spec


def _deploys_this(one: m.KubeObject, facts: m.Facts, origin: Origin) -> bool:
    """Whether an object of a GitOps engine reads this repository, rather than another one."""
    for holder in _origins(one):
        url = str(holder.text("repoURL") or holder.text("url") or "").removesuffix(".git").lower()
        if url and origin.name:
            return url.rsplit("/", 1)[-1] == origin.name
        path = str(holder.text("path") or "").strip("./")
        if path and "{" not in path:
            return facts.exists(path)
    return True


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
