"""GitLab pipelines: jobs with what they inherit, their images, services, variables, pushed images and references.
Source: GitLab's CI/CD YAML syntax reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, product

from trimtab.audit.facts import model as m
from trimtab.audit.facts.commands import logical_lines
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.gitlabparts import DEFAULTS, Inherited, Part, entries, inherit, parts_of
from trimtab.audit.facts.products import RUNTIMES, product_of_image
from trimtab.audit.facts.pushes import PushReader, with_env
from trimtab.audit.facts.references import script_references
from trimtab.audit.facts.secrets import note_secret
from trimtab.audit.facts.text import join, parse_image
from trimtab.audit.facts.workflow import step_kinds
from trimtab.yamlpos import Map, Scalar, Seq, Value

_WORDS = frozenset(
    {*DEFAULTS[:2], "stages", "variables", "include", "default", "workflow", "image", "services", "cache", "spec"}
)
_STAGES = (".pre", "build", "test", "deploy", ".post")
_MOST_JOBS = 200  # GitLab's own limit of a matrix


def named_pipeline(path: str) -> bool:
    """Whether a file is a pipeline, or a part of one at the places where GitLab's own pages keep them."""
    low = path.lower()
    return low.endswith((".gitlab-ci.yml", ".gitlab-ci.yaml", "/gitlab-ci.yml", "/gitlab-ci.yaml")) or low.startswith(
        (".gitlab/ci/", ".gitlab-ci/")
    )


def read(draft: Draft, path: str, body: Map) -> None:
    """Add one document of a pipeline: every top-level mapping that is no keyword and not hidden is a job."""
    _Pipeline(draft, path, body).read()


class _Pipeline:
    def __init__(self, draft: Draft, path: str, body: Map) -> None:
        self.draft, self.path, self.body = draft, path, body
        self.pushes = PushReader(draft, path)
        self.whole = "/" not in path  # a part does not hold all that its jobs refer to
        self.broken: list[tuple[str, str, str, m.Place]] = []
        self.values: dict[str, str] = {}
        self.own: dict[str, str] = {}  # those of the job that is being read
        self.directory = ""  # where the job's shell is; "$" when that is not known
        self.parts = parts_of(draft, path, body)

    def place(self, line: int, path: str = "") -> m.Place:
        return m.Place(path or self.path, line)

    def read(self) -> None:
        for entry, line in entries(self.body.get("include"), self.body.line_of("include")):
            self.include(entry, line)
        env = tuple(self.variables(self.body))
        self.values = {
            key: str(value)
            for part in reversed(self.parts)
            for key, value in part.body.map("variables").items()
            if isinstance(value, Scalar)
        }
        self.values |= {item.name: item.value for item in env if item.value}
        stages = tuple(str(item) for item in self.body.seq("stages").texts())
        names = [name for name in self.body if name not in _WORDS and name[:1] != "." and self.body.map(name)]
        own = Part(self.path, self.body)
        jobs = tuple(self.job(name, inherit(name, own, self.parts), stages) for name in names)
        for job in jobs:
            missing = [(needed, place) for needed, place in job.needs if self.whole and needed not in names]
            self.broken.extend((job.id, "needs the job", needed, place) for needed, place in missing)
        default = self.body.map("default")
        self.image(default.get("image") or self.body.get("image"))
        self.services(default.get("services") or self.body.get("services"))
        limits = {"stages": stages}
        self.draft.workflows.append(
            m.Workflow(
                self.path,
                self.path,
                "gitlab",
                {"push": _branches(self.body.map("workflow"))[0]},
                limits,
                jobs,
                env,
                frozenset(name for job in names for name in self.body.map(job, "variables")),
                broken=tuple(self.broken),
            )
        )

    def include(self, entry: Value, line: int) -> None:
        """Note an included file of the repository; whatever is included may define anything."""
        local = entry if isinstance(entry, Scalar) else entry.text("local") if isinstance(entry, Map) else None
        self.whole = False
        if local and "://" not in local and "*" not in local and "$" not in local:
            at = entry.line_of("local") if isinstance(entry, Map) else line
            self.draft.refer(str(local).lstrip("/"), "included pipeline", self.place(at))

    def variables(self, body: Map) -> Iterator[m.EnvVar]:
        """The variables of the pipeline or of a job, in either form."""
        written = body.map("variables")
        for name, value in written.items():
            text = value if isinstance(value, Scalar) else value.text("value") if isinstance(value, Map) else None
            place = self.place(written.line_of(name))
            if text:
                note_secret(self.draft, name, str(text), place, "")
            yield m.EnvVar(name, str(text) if text is not None else None, place, "workflow", "test")

    def job(self, name: str, found: Inherited, stages: tuple[str, ...]) -> m.Job:
        body = found.body
        if self.whole:
            self.broken.extend((name, "extends", parent, self.place(line)) for parent, line in found.missing)
        own = found.variables | {item.name: item.value for item in self.variables(body) if item.value}
        self.own = {key: with_env(value, self.values) for key, value in own.items()}
        self.directory = ""
        combinations = list(_combinations(body))
        steps = [
            step
            for key in ("before_script", "script", "after_script")
            for entry, line in entries(body.get(key), body.line_of(key))
            for step in self.steps(name, entry, self.place(line, found.paths.get(key, "")), combinations)
        ]
        if body.get("artifacts"):
            kept = self.place(body.line_of("artifacts"), found.paths.get("artifacts", ""))
            steps.append(m.Step("artifacts", kept, uses="actions/upload-artifact"))
        if found.paths.get("image") == self.path:
            self.image(body.get("image"))
        if found.paths.get("services") == self.path:
            self.services(body.get("services"))
        stage = str(body.text("stage") or "test")
        if self.whole and stage not in {".pre", ".post", *(stages or _STAGES)} and "$" not in stage:
            self.broken.append(
                (name, "is of the stage", stage, self.place(body.line_of("stage"), found.paths["stage"]))
            )
        target = body.get("environment")
        branches, condition = _branches(body)
        kinds = frozenset(kind for step in steps for kind in step_kinds(step))
        if stage.startswith("deploy") and target:
            kinds |= {"deploy"}
        return m.Job(
            name,
            name,
            self.place(self.body.line_of(name)),
            tuple(self.needs(body)),
            " && ".join(f"github.ref_name == '{one}'" for one in branches[:1] if len(branches) == 1),
            self.place(condition, found.paths.get("rules", "")),
            environment=str(target if isinstance(target, Scalar) else body.map("environment").text("name") or ""),
            steps=tuple(steps),
            kinds=kinds,
        )

    def needs(self, body: Map) -> Iterator[tuple[str, m.Place]]:
        """The jobs of this pipeline that a job cannot do without."""
        for entry, line in entries(body.get("needs"), body.line_of("needs")):
            if isinstance(entry, Scalar):
                yield str(entry), self.place(line)
            elif isinstance(entry, Map) and entry.text("job") and not {"project", "pipeline", "optional"} & set(entry):
                yield str(entry.text("job")), self.place(entry.line_of("job"))

    def steps(self, job: str, entry: Value, place: m.Place, combinations: list[dict[str, str]]) -> Iterator[m.Step]:
        """What one entry of a script runs; a list within the list is what an alias gives. The commands of another file,
        which many jobs may inherit, are noted once.
        """
        if isinstance(entry, Seq):
            for inner, at in entry.lined():
                yield from self.steps(job, inner, self.place(at, place.path), combinations)
        if not isinstance(entry, Scalar):
            return
        first = place.line + (1 if "\n" in entry.strip() and not entry.plain else 0)
        noted = place.path != self.path and place in self.draft.inherited
        self.draft.inherited.add(place)
        self.pushes.path = place.path
        yield m.Step("", place, run=str(entry), run_line=first)
        for text, at in logical_lines(entry, first):
            self.pushes.assign(text, job)
            for values in combinations:
                self.pushes.shell(text, at, job, {**self.values, **self.own, **values})
            if not noted:
                self.draft.commands.append(m.Command(text, self.place(at, place.path), "workflow", job))
                script_references(self.draft, text, self.place(at, place.path), self.directory)
            moved = re.search(r"(?:^|&&|;)\s*cd\s+([\w./-]+|\S+)", text)
            if moved:  # a job is one shell: what follows runs there
                inside = join(self.directory, moved[1])
                self.directory = "$" if inside is None else inside

    def image(self, value: Value) -> None:
        """Note the version of the runtime that a job runs in."""
        written = value if isinstance(value, Scalar) else value.text("name") if isinstance(value, Map) else None
        if written:
            image = parse_image(written, self.place(written.line), self.values)
            runtime = product_of_image(image.repository)
            if runtime in RUNTIMES and image.tag[:1].isdigit():
                self.draft.versions.append(m.Version(runtime, image.tag, image.place, "ci"))

    def services(self, value: Value) -> None:
        """Note the versions of the datastores that run beside a job."""
        for entry, _ in entries(value, 0):
            written = entry if isinstance(entry, Scalar) else entry.text("name") if isinstance(entry, Map) else None
            if written:
                self.draft.versions_from(parse_image(written, self.place(written.line)), "", "test")


_ON_BRANCH = re.compile(r"\s*\$CI_COMMIT_(?:BRANCH|REF_NAME)\s*==\s*[\"']([\w./-]+)[\"']\s*")
_NO_BRANCH = re.compile(r"\s*(?:\$CI_COMMIT_TAG|\$CI_PIPELINE_SOURCE\s*==\s*[\"']merge_request_event[\"'])\s*(?:=~.*)?")


def _branches(body: Map) -> tuple[tuple[str, ...], int]:
    """The only branches on which the `rules` of a pipeline or a job hold, with their line; none when any may do."""
    found: list[str] = []
    for rule in body.maps("rules"):
        condition = rule.text("if")
        if condition is None or str(rule.text("when")) == "never":
            return (), 0
        branch = _ON_BRANCH.fullmatch(condition)
        if branch:
            found.append(branch[1])
        elif not _NO_BRANCH.fullmatch(condition):
            return (), 0
    return tuple(found), body.line_of("rules")


def _combinations(body: Map) -> Iterator[dict[str, str]]:
    """The variables of each job that `parallel: matrix` makes of one; one without any when there is none."""
    made = False
    for one in body.map("parallel").maps("matrix"):
        names = [name for name in one if name]
        choices = [[str(value) for value, _ in entries(one.get(name), 0)] for name in names]
        for chosen in islice(product(*choices), _MOST_JOBS):
            made = True
            yield dict(zip(names, chosen, strict=True))
    if not made:
        yield {}
