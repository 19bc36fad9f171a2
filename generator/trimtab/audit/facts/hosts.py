"""Names that containers reach: hosts in variables that are no URLs, and what charts from elsewhere install."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import to_port
from trimtab.yamlpos import Map, load_all

ADDRESS = "address"  # the scheme of a host that stands alone
PORT_OF = "port"  # the scheme of a host whose port is in another variable
_NAME = re.compile(r"^(?P<what>[A-Z][A-Z0-9_]*?)_?(?:HOST|HOSTNAME|SERVER|ADDR|ADDRESS)$")
_VALUE = re.compile(r"([a-z](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)*)(?::(\d{2,5}))?")
_SWITCH = frozenset({"true", "false", "yes", "no", "on", "off", "none", "null", "auto", "enabled", "disabled"})
_OWN = re.compile(
    r"(?:^|_)(?:APP|SERVER|HTTP|HTTPS|BIND|LISTEN|LISTENER|PUBLIC|VIRTUAL|ALLOWED|COOKIE|TRUSTED|EXTERNAL|ADVERTISED|"
    r"WEB|SITE|DOCKER|SSH|DEPLOY|REMOTE|PROXY|MAC|IP|EMAIL|SMTP|MAIL|LETSENCRYPT|INGRESS|HMR)$"
)
# The name of the one that has it.
_SELF = re.compile(r"(?:^|_)(?:CLUSTER|NODE|INSTANCE|MACHINE|CONTAINER|POD)_HOSTNAME$")
_HELM = re.compile(r"\bhelm3?\s+(?:upgrade|install)\b(.*)", re.DOTALL)
_BUILT_IN = re.compile(
    r"^(?:v\d\w*|apps/|batch/|networking\.k8s\.io/|autoscaling/|policy/|rbac\.|storage\.|kustomize|cert-manager\.|"
    r"external-secrets\.|bitnami\.com/|monitoring\.|argoproj\.io/|keda\.|traefik\.|gateway\.networking|apiextensions\.|"
    r"scheduling\.|admissionregistration\.|source\.toolkit)"
)


def variables(container: m.Container) -> Iterator[m.Upstream]:
    """The hosts that a container's variables name without a scheme, such as REDIS_HOST, with the port of the variable
    beside them where there is one.
    """
    values = {item.name: item for item in container.env}
    for item in container.env:
        name = _NAME.match(item.name)
        value = _VALUE.fullmatch(item.value or "")
        if name is None or value is None or value[1] in _SWITCH:
            continue
        if _OWN.search(name["what"]) or _SELF.search(item.name):
            continue
        number = to_port(value[2] or "")
        yield m.Upstream(value[1], number, item.place, ADDRESS, item.name, container.name)
        beside = values.get(f"{name['what']}_PORT")
        port = to_port(beside.value or "") if beside is not None else None
        if number is None and port is not None and beside is not None:
            yield m.Upstream(value[1], port, beside.place, PORT_OF, beside.name, container.name)


def installed(draft: Draft, charts: set[str]) -> frozenset[str]:
    """Names under which charts from elsewhere and operators make Services that no manifest here shows."""
    found = {*_dependencies(draft, charts), *_commanded(draft, charts)}
    for item in draft.objects:
        api = str(item.body.text("apiVersion") or "")
        if item.kind in ("HelmRelease", "Application", "HelmChart"):
            if not _local(item.body.map("spec"), charts):
                found |= {item.name, _chart_name(item.body.map("spec"))}
        elif api and not _BUILT_IN.match(api):
            found.add(item.name)
    for _, body in draft.kustomizations:
        for one in body.maps("helmCharts"):
            found |= {str(one.text(key)) for key in ("releaseName", "name") if one.text(key)}
    return frozenset(name for name in found if len(name) > 1)


def _dependencies(draft: Draft, charts: set[str]) -> Iterator[str]:
    """The charts that the repository's own charts bring with them."""
    for chart in charts:
        for name in ("Chart.yaml", "requirements.yaml"):
            for body, _ in load_all(draft.repo.read(f"{chart}/{name}" if chart else name) or "").maps():
                for one in body.maps("dependencies"):
                    yield from (str(one.text(key)) for key in ("alias", "name") if one.text(key))


def _commanded(draft: Draft, charts: set[str]) -> Iterator[str]:
    """The charts of other repositories that commands install, and their releases."""
    for command in draft.commands:
        match = _HELM.search(command.text)
        words = [word for word in match[1].split() if not word.startswith("-")] if match else []
        if len(words) > 1 and re.fullmatch(r"[a-z][\w-]*/[a-z][\w-]*", words[1]) and words[1] not in charts:
            yield from (words[0], words[1].rpartition("/")[2])


def _chart_name(spec: Map) -> str:
    name = spec.map("chart", "spec").text("chart") or spec.map("source").text("chart") or spec.text("chart")
    return str(name or "").rsplit("/", 1)[-1]


def _local(spec: Map, charts: set[str]) -> bool:
    """Whether an object deploys what this repository holds."""
    path = spec.map("chart", "spec").text("chart") or spec.map("source").text("path") or ""
    return bool(path) and (path.strip("./") in charts or "chart" not in spec.map("source"))
