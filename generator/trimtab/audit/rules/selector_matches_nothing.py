"""A selector matches no pod."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trimtab.audit.facts.model import Facts, Place, Workload
from trimtab.audit.finding import Finding, Rule
from trimtab.yamlpos import Map

_Labels = Mapping[str, str]


# Their labels are written by hand; a label of any other domain is one that an operator gives to pods that it starts.
_RELEASE = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "release"}
_COMMON_DOMAINS = ("kubernetes.io", "k8s.io", "helm.sh")
_BUILT_IN = ("v1", "apps/", "batch/", "networking.k8s.io/", "policy/", "autoscaling/", "rbac.authorization.k8s.io/")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per selector."""
    pods = [one for one in facts.workloads if one.pod_labels and not one.patch]
    if not pods:
        return
    match = _Matching(
        pods,
        {one.name for one in facts.objects if not (one.body.text("apiVersion") or "v1").startswith(_BUILT_IN)} - {""},
        {pair for one in facts.objects if one.kind == "Kustomization" for pair in _added(one.body)},
    )
    for workload in facts.workloads:
        if (
            workload.selector
            and workload.pod_labels
            and not workload.patch
            and not _within(workload.selector, workload.pod_labels)
        ):
            yield RULE.finding(
                f"The selector of {workload.kind} {workload.name} does not match its own pods",
                [
                    (workload.selector_place, _shown(workload.selector)),
                    (workload.place, _shown(workload.pod_labels)),
                ],
            )
    for service in facts.kube_services:
        if service.selector and not service.patch and not service.external and match.by_hand(service.selector):
            yield from _unmatched(f"Service {service.name}", service.selector, service.selector_place, match)
    for item in facts.objects:
        if item.kind in ("NetworkPolicy", "PodDisruptionBudget") and not item.patch:
            key = "podSelector" if item.kind == "NetworkPolicy" else "selector"
            body = item.body.map("spec", key, "matchLabels")
            labels = {name: str(value) for name, value in body.items() if isinstance(value, str)}
            if labels and match.by_hand(labels):
                place = Place(item.place.path, item.body.map("spec").line_of(key))
                alone = not any(_top(pod.place.path) == _top(item.place.path) for pod in pods)
                yield from _unmatched(f"{item.kind} {item.name}", labels, place, match, foreign=alone)


@dataclass(frozen=True, slots=True)
class _Matching:
    """The workloads that start pods, the names of custom resources, whose operators may start others, and the labels
    that kustomizations add to all that they apply.
    """

    pods: list[Workload]
    custom: set[str]
    added: set[tuple[str, str]]

    def by_hand(self, labels: _Labels) -> bool:
        """Whether the labels are written here: not by a template, and not by an operator for pods that it starts."""
        if any("tpl-" in value or "tpl-" in key for key, value in labels.items()):
            return False
        foreign = {key for key in labels if "/" in key and not key.split("/")[0].endswith(_COMMON_DOMAINS)}
        return not foreign or any(foreign & set(pod.pod_labels) for pod in self.pods)


def _top(path: str) -> str:
    return path.partition("/")[0]


def _unmatched(
    what: str, selector: _Labels, place: Place, match: _Matching, *, foreign: bool = False
) -> Iterator[Finding]:
    """A finding where the selector matches nothing; `foreign` pods may come from elsewhere: none stands beside it."""
    pods = match.pods
    written = {key: value for key, value in selector.items() if (key, value) not in match.added} or selector
    if any(_within(written, pod.pod_labels) for pod in pods):
        return
    keys = set(selector)
    near = [pod for pod in pods if keys & set(pod.pod_labels)]
    close = [
        pod for pod in near if pod.name in what.rsplit(maxsplit=1)[-1] or what.rsplit(maxsplit=1)[-1] in pod.name
    ] or near[:5]
    elsewhere = foreign or bool(set(selector.values()) & match.custom) or _released(selector, pods)
    ahead = what.startswith("NetworkPolicy ") and not _resembles(selector, pods)
    yield RULE.finding(
        f"{what} selects no pod ({_shown(selector)})",
        [(place, _shown(selector)), *((pod.place, _shown(pod.pod_labels)) for pod in close)],
        confidence="low" if elsewhere else "high" if close else "medium",
        severity="medium" if elsewhere or ahead else "high",
    )


def _resembles(selector: _Labels, pods: list[Workload]) -> bool:
    """Whether a pod has labels that come near a selector's. A network policy for pods that are nowhere here is written
    ahead of them, or for what is installed from elsewhere.
    """
    return any(
        difflib.get_close_matches(value, [pod.pod_labels.get(key, "")], n=1, cutoff=0.6)
        or value in pod.pod_labels.get(key, "").split("-")
        for key, value in selector.items()
        for pod in pods
    )


def _released(selector: _Labels, pods: list[Workload]) -> bool:
    """Whether the selector has only labels that charts give, with values that no pod of the repository comes near:
    its pods are then those of a chart that is installed from elsewhere.
    """
    if not selector.keys() <= _RELEASE:
        return False
    given: dict[str, set[str]] = defaultdict(set)
    for pod in pods:
        for key, value in pod.pod_labels.items():
            given[key].add(value)
    return not any(difflib.get_close_matches(value, given[key], n=1, cutoff=0.75) for key, value in selector.items())


def _added(kustomization: Map) -> Iterator[tuple[str, str]]:
    """The labels that a kustomization adds to pods and selectors."""
    parts = [kustomization.map("commonLabels"), *(one.map("pairs") for one in kustomization.maps("labels"))]
    for part in parts:
        yield from ((key, str(value)) for key, value in part.items() if isinstance(value, str))


def _within(selector: _Labels, labels: _Labels) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())


def _shown(labels: _Labels) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="A selector matches no pod",
    what="Compares the selectors of Services, workloads, network policies and disruption budgets "
    "with the labels of every pod template.",
    why="The Service has no endpoints, the policy or budget protects nothing, and no tool reports an error.",
    example="""kind: Service:    selector: { app: backend }
kind: Deployment: template labels: { app: reconciliation-backend }""",
    remedy="Use the same labels in the selector and in the pod template.",
    check=check,
)
