"""A manifest with `${NAME}` in it is applied as it is."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.filledin import applied_with_holes
from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per manifest."""
    for path, holes, commands in applied_with_holes(facts):
        names = some(list(dict.fromkeys(name for _, name in holes)), 3)
        yield RULE.finding(
            f"{path} is applied with {names} in it",
            [*holes, *((command.place, "applied as it is") for command in commands)],
            confidence="medium",
        )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Deployment Automation",
    title="A manifest is applied with a variable that nothing fills in",
    what="Looks for manifests with `${NAME}` in their values that a command gives to `kubectl apply` by path, where no "
    "command of the repository fills that file in (`envsubst`, `sed`, `yq`). Shell commands in manifests, and files "
    "inside ConfigMaps, are left out.",
    why="Kubernetes knows no such variables: the text itself becomes the host, the image or the password.",
    example="""config.yaml: DATABASE_HOST: ${DATABASE_HOST}
deploy.sh:   kubectl apply -f config.yaml""",
    remedy="Fill the file in first, `envsubst < config.yaml | kubectl apply -f -`, or keep the value in an overlay.",
    check=check,
)
