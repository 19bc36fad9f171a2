"""A workload states its replicas although an autoscaler sets them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Autoscaler, Facts, KubeObject
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workload."""
    targets: dict[tuple[str, str], list[Autoscaler]] = defaultdict(list)
    for scaler in facts.autoscalers:
        if scaler.target and not scaler.off:
            targets[scaler.target[1], _home(scaler, facts)].append(scaler)
    for (name, group), scalers in sorted(targets.items()):
        scaler = scalers[0]
        environments = {one.environment for one in scalers}
        groups = {group, *(one.group for one in scalers)}
        without = set(_removed(scaler, facts))
        named = [one for one in facts.workloads if one.name == name and "tpl-" not in name]
        fixed = [
            one
            for one in named
            # A chart's values may turn the autoscaler on and the replicas off together.
            if one.replicas
            and not (one.patch and one.environment in without)
            and (one.environment in environments or (one.patch and "" in environments))
            # The objects of another folder count when this one has none of the name, and those of overlays within it.
            and (
                one.group in groups
                or (one.patch and one.group.startswith(f"{group}/"))
                or not any(other.group == group for other in named)
            )
        ]
        if fixed:
            yield RULE.finding(
                f"{fixed[0].kind} {name} sets replicas beside {scaler.kind} {scaler.name}",
                [
                    *((one.replicas, f"replicas: {one.count}".removesuffix(": ")) for one in fixed if one.replicas),
                    *dict.fromkeys((one.place, one.kind) for one in scalers),
                ],
            )


def _home(scaler: Autoscaler, facts: Facts) -> str:
    """The folder of an autoscaler, or the one that has its workload where its own, such as an overlay's, has none."""
    homes = {one.group for one in facts.workloads if scaler.target and one.name == scaler.target[1] and not one.patch}
    return homes.pop() if scaler.group not in homes and len(homes) == 1 else scaler.group


def _removed(scaler: Autoscaler, facts: Facts) -> Iterator[str]:
    """The environments whose overlays delete an autoscaler."""
    name = re.compile(rf"\bname:\s*[\"']?{re.escape(scaler.name)}(?![\w.-])")
    deleting: list[tuple[KubeObject, list[str]]] = facts.once("deleting patches", lambda: list(_deleting(facts)))
    for one, texts in deleting:
        if any(scaler.kind in text and name.search(text) for text in texts):
            yield environment_of(one.place.path)
        elif (one.kind, one.name) == (scaler.kind, scaler.name):
            yield one.environment


def _deleting(facts: Facts) -> Iterator[tuple[KubeObject, list[str]]]:
    """Kustomizations with the patches of theirs that delete something, and objects that are such patches."""
    for one in facts.objects:
        if one.kind == "Kustomization":
            texts = [str(patch.text("patch") or "") for patch in one.body.maps("patches")]
            texts += [str(text) for text in one.body.seq("patchesStrategicMerge").texts()]
            if found := [text for text in texts if "$patch: delete" in text]:
                yield one, found
        elif one.body.text("$patch") == "delete":
            yield one, []


RULE = Rule(
    module=__name__,
    severity="low",
    area="Kubernetes",
    title="Replicas are set beside an autoscaler",
    what="Looks for `replicas` in a workload that an autoscaler scales.",
    why="Each apply sets the number back, so a deploy under load removes pods that are needed.",
    example="kind: Deployment, replicas: 3   # and a HorizontalPodAutoscaler for it",
    remedy="Leave `replicas` out of the manifest.",
    check=check,
)
