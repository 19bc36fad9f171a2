"""Several workflows do the same work on the same events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from trimtab.audit.facts.commands import kinds_of, logical_lines
from trimtab.audit.facts.model import Facts, Job, Step, Workflow
from trimtab.audit.finding import Finding, Rule

_EVENTS = ("push", "pull_request", "pull_request_target")
_TOOL = re.compile(
    r"\b(?:cargo|npm|pnpm|yarn|bun|go|pytest|dotnet|docker|kubectl|helm|mvn|gradle|make|diesel|python)\b"
)
_PYTEST = re.compile(r"\bpytest\b([^\n]*)")
_KINDS = ("test", "image", "push", "deploy", "migrate")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for each group of workflows that overlap."""
    workflows = [one for one in facts.workflows if any(event in one.triggers for event in _EVENTS)]
    work = {one.path: _work(one) for one in workflows}
    images = {one.path: _image_names(one) for one in workflows}
    groups: list[set[str]] = []
    shared: set[str] = set()
    for index, one in enumerate(workflows):
        for other in workflows[index + 1 :]:
            common = (work[one.path] & work[other.path]) - _other_images(images[one.path], images[other.path])
            if not _race(one, other, common):
                continue
            shared |= common
            touching = [group for group in groups if group & {one.path, other.path}]
            merged = {one.path, other.path}.union(*touching)
            groups = [group for group in groups if group not in touching] + [merged]
    for group in groups:
        places = []
        for workflow in workflows:
            if workflow.path in group:
                for job in workflow.jobs:
                    both = sorted(_job_work(job) & shared)
                    if both:
                        places.append((job.place, f"{workflow.name}: {', '.join(both)}"))
        sure = len(shared) > 1 or any(item.startswith(("deploy", "push", "image")) for item in shared)
        yield RULE.finding(
            f"{len(group)} workflows do the same work on the same events: {', '.join(sorted(group))}",
            places,
            confidence="high" if sure else "medium",
        )


def _race(one: Workflow, other: Workflow, common: set[str]) -> bool:
    """Whether what two workflows have in common is work that one event starts twice."""
    if one.system != other.system:  # to test on two systems is a choice; to release from two is a race
        return any(item.startswith(("deploy", "push")) for item in common)
    if one.system == "gitlab":
        return False  # an event starts one pipeline there, which files are parts of
    # Linting twice costs little, and a schema is made anew for every kind of test.
    return any(not item.startswith(("lint", "migrate")) for item in common) and _same_events(one, other)


def _work(workflow: Workflow) -> set[str]:
    return {item for job in workflow.jobs for item in _job_work(job)}


def _job_work(job: Job) -> set[str]:
    """What a job does, as `kind: the command's first words`, so that tests of two languages are not taken
    for the same.
    """
    found: set[str] = set()
    kinds = {*_KINDS, "lint"} & {"test", "image", "push", "migrate", "lint", *job.kinds}
    leaves = bool(job.kinds & {"push", "deploy"})  # else what compose builds serves the job's own tests
    for step in job.steps:
        directory = step.directory.strip("./")
        for line, _ in logical_lines(step.run):
            for command in map(str.strip, re.split(r"&&|\|\||;", line)):
                moved = re.match(r"cd\s+(\S+)", command)
                directory = moved[1].strip("./") if moved else directory
                composed = not leaves and re.search(r"\bdocker[ -]compose\b", command)
                for kind in (kinds_of(command) & kinds) - ({"image"} if composed else set()):
                    found.add(f"{kind}: {_short(command, directory)}")
        if step.uses.startswith("docker/build-push-action"):
            found.add(_built(step))
        if _releases(step):
            found.add("release: the tag's release")
        if "ssh-action" in step.uses:
            found.add(f"deploy: {step.options.get('host', 'ssh')}")
    return found


def _releases(step: Step) -> bool:
    """Whether a step writes the release of a tag, rather than adding files to it."""
    action = step.uses.partition("@")[0]
    if action in ("softprops/action-gh-release", "ncipollo/release-action"):
        return any(key in step.options for key in ("body", "body_path", "bodyFile", "generate_release_notes"))
    return action == "actions/create-release" or "gh release create" in step.run


def _built(step: Step) -> str:
    return f"image: {step.options.get('context', '.')} {step.options.get('file', '')}".strip()


def _short(command: str, directory: str) -> str:
    """The tool and what it is told to do where, alike for `npm test`, `npm t` and `npm run test:unit`, and for
    `pytest api/tests` and `cd api && python -m pytest tests/`; a suite of another kind, such as `test:e2e`, is another
    work.
    """
    where = f" in {directory}" if directory else ""
    if tests := _PYTEST.search(command):
        selected = sorted(_selected(tests[1].split()))
        return (
            f"pytest {' '.join(f'{directory}/{one}'.strip('/') for one in selected)}" if selected else f"pytest{where}"
        )
    found = _TOOL.search(command)
    words = command[found.start() if found else 0 :].split()
    if len(words) > 1 and words[0] in ("npm", "pnpm", "yarn", "bun"):
        script = next((word for word in words[1:] if word not in ("run", "t") and not word.startswith("-")), "test")
        name, _, suite = script.partition(":")
        return f"{words[0]} {name if suite.partition(':')[0] in _SAME_SUITE else script}{where}"
    return " ".join([*words[:2], *sorted(_selected(words[2:]))]) + where


_SAME_SUITE = frozenset({"", "unit", "ci", "cov", "coverage", "run", "all", "prod", "once", "check"})
_SELECTS = frozenset({"-tags", "--tags", "-p", "--package", "-m", "-k", "-run", "--filter", "--testsuite", "-pl"})


def _selected(words: list[str]) -> set[str]:
    """The part of the tests that a command is told to run: its paths, and what its filters name."""
    found = {word for word in words if "/" in word and "=" not in word and not re.fullmatch(r"\./?(\.\.\.)?", word)}
    for flag, value in pairwise([*words, ""]):
        name, sign, rest = flag.partition("=")
        if name in _SELECTS:
            found.add(rest if sign else value)
    return {word for word in found if not word.startswith("-")}


def _other_images(left: dict[str, set[str]], right: dict[str, set[str]]) -> set[str]:
    """Builds that both workflows have, of which each pushes images under names of its own."""
    return {item for item in left.keys() & right.keys() if left[item] and right[item] and not left[item] & right[item]}


def _image_names(workflow: Workflow) -> dict[str, set[str]]:
    """The names under which each build of a workflow is pushed, as written."""
    env = {item.name: item.value or "" for item in workflow.env}
    found: dict[str, set[str]] = {}
    for job in workflow.jobs:
        named = "\n".join(
            step.options.get("images", "") for step in job.steps if step.uses.startswith("docker/metadata-action")
        )
        for step in job.steps:
            if step.uses.startswith("docker/build-push-action"):
                written = re.sub(r"(?m):[^/\n]*$", "", step.options.get("tags", "").strip()) + "\n" + named
                filled = re.sub(r"\$\{\{\s*env\.(\w+)\s*\}\}", lambda match: env.get(match[1], match[0]), written)
                names = {line.strip() for line in re.split(r"[\n,]", filled) if "/" in line and "steps." not in line}
                found.setdefault(_built(step), set()).update(names)
    return found


def _same_events(one: Workflow, other: Workflow) -> bool:
    """Whether one event can start both."""
    for event in _EVENTS:
        if event not in one.triggers or event not in other.triggers:
            continue
        left, right = set(one.triggers[event]), set(other.triggers[event])
        if (
            left
            and right
            and not left & right
            and not any("*" in item or item.startswith("!") for item in left | right)
        ):
            continue
        paths = set(one.filters.get(event, ())), set(other.filters.get(event, ()))
        if all(paths) and not paths[0] & paths[1]:
            continue
        return True
    return False


RULE = Rule(
    module=__name__,
    kind="3.1",
    severity="high",
    area="CI/CD Pipeline",
    title="Several workflows do the same work on the same events",
    what="""Compares the workflows that one push or pull request starts, by what their jobs run: tests with
the same tool, the same image build,
the same deploy. Workflows for other branches or paths are not compared.""",
    why="Time is spent twice, the results can contradict each other, and two deploys of one commit "
    "can run in either order.",
    example="""ci-cd.yml:          on: push → cargo test, docker build, deploy
enhanced-ci-cd.yml: on: push → cargo test, docker build, deploy""",
    remedy="Merge them into one workflow with a matrix, and order its jobs by `needs`.",
    check=check,
)
