"""GitHub workflows: triggers, jobs, steps, pushed images, versions, references. Source: the vendor's syntax page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from trimtab.audit.facts import model as m
from trimtab.audit.facts import run_images, working, written
from trimtab.audit.facts.commands import is_remote_shell, kinds_of, logical_lines
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.pushes import PushReader
from trimtab.audit.facts.references import asked_for, moved, script_references
from trimtab.audit.facts.text import join, parse_image
from trimtab.yamlpos import Map, Scalar, Seq, Value, truth

# setup actions and the input that holds the version
_SETUP = {
    "actions/setup-node": ("node", "node-version"),
    "actions/setup-python": ("python", "python-version"),
    "actions/setup-go": ("go", "go-version"),
    "actions/setup-java": ("java", "java-version"),
    "actions/setup-dotnet": ("dotnet", "dotnet-version"),
    "ruby/setup-ruby": ("ruby", "ruby-version"),
    "shivammathur/setup-php": ("php", "php-version"),
    "erlef/setup-beam": ("elixir", "elixir-version"),
    "actions-rs/toolchain": ("rust", "toolchain"),
    "dtolnay/rust-toolchain": ("rust", "toolchain"),
    "astral-sh/setup-uv": ("python", "python-version"),
}
_USES_KINDS = (
    (re.compile(r"^docker/build-push-action|^docker/bake-action"), "image"),
    (re.compile(r"ssh-action|easingthemes/ssh-deploy|rsync"), "deploy"),
    (
        re.compile(
            r"k8s-deploy|(?<!setup-)kubectl|helm-deploy|deploy-cloudrun|amazon-ecs-deploy|webapps-deploy|flyctl|argocd|eks-|vercel|netlify|firebase.*deploy|deploy-pages"
        ),
        "deploy",
    ),
    (re.compile(r"trivy|codeql|snyk|gitleaks|audit|scorecard|dependency-review|grype|anchore"), "scan"),
    (re.compile(r"upload-artifact|codecov|test-reporter|junit|publish-unit-test|coveralls|sonar"), "report"),
    (re.compile(r"golangci-lint|super-linter|hadolint|reviewdog"), "lint"),
)

_HOSTED = re.compile(r"^(?!.*self-hosted).{0,60}(?:ubuntu|windows|macos)-|^\$\{\{\s*matrix\.(?:os|runner)\b")
_COMPOSE_UP = re.compile(r"\bdocker[ -]compose\s.{0,300}\bup\b")
_COMPOSE_DOWN = re.compile(r"\bdocker[ -]compose\s.{0,300}?\b(?:down|stop|rm|kill)\b")
_SAYS_DEPLOY = re.compile(r"(?<![a-z])deploy", re.IGNORECASE)
_SAYS_TRIAL = re.compile(r"test|check|verif|smoke|e2e|dry|local|lint|valid|preview", re.IGNORECASE)
_REMOTE = re.compile(
    r"\bssh\b|DOCKER_HOST|DOCKER_CONTEXT|docker\s+context|docker\s.{0,300}?\s--context\b|docker\s+-H\s|\bscp\b|rsync"
)
_REMOTE_NAMES = frozenset({"DOCKER_HOST", "DOCKER_CONTEXT"})
_LOCAL_CLUSTER = re.compile(r"kind-action|minikube|k3d-action|\bkind\s+create\s+cluster|\bk3d\s+cluster\s+create")


class WorkflowReader:
    """One GitHub workflow."""

    def __init__(self, draft: Draft, path: str) -> None:
        """Take where facts go and the file's path."""
        self.draft = draft
        self.path = path
        self.known: dict[str, m.EnvVar] = {}
        self.pushes = PushReader(draft, path)

    def place(self, line: int) -> m.Place:
        """A line of this file."""
        return m.Place(self.path, line)

    def read(self, body: Map) -> None:
        """Add the workflow to the draft."""
        triggers, filters = _triggers(body.get("on"))
        env = tuple(self.env(body))
        self.known = {item.name: item for item in env}
        values = {item.name: item.value for item in env if item.value is not None}
        jobs_body = body.map("jobs")
        jobs = tuple(self.job(name, jobs_body.map(name), jobs_body.line_of(name), values) for name in jobs_body)
        self.draft.workflows.append(
            m.Workflow(
                self.path,
                str(body.text("name") or self.path),
                "github",
                triggers,
                filters,
                jobs,
                env,
                frozenset(name for job in jobs_body for name in _given(jobs_body.map(job))),
                own_env=tuple(
                    item for job in jobs_body for part in _running(jobs_body.map(job)) for item in self.env(part)
                ),
            )
        )

    def env(self, body: Map) -> list[m.EnvVar]:
        """The variables of a workflow or job."""
        values = body.map("env")
        return [
            m.EnvVar(
                name,
                str(value) if isinstance(value, Scalar) else None,
                self.place(values.line_of(name)),
                "workflow",
                "test",
            )
            for name, value in values.items()
        ]

    def job(self, name: str, body: Map, line: int, values: Mapping[str, str]) -> m.Job:
        """One job with its steps and what they do."""
        values = {**values, **{item.name: item.value for item in self.env(body) if item.value is not None}}
        steps = tuple(
            self.step(step, at, name, body, values) for step, at in body.seq("steps").lined() if isinstance(step, Map)
        )
        needs = body.get("needs")
        named = [needs] if isinstance(needs, Scalar) else (needs.texts() if isinstance(needs, Seq) else [])
        environment = body.get("environment")
        target = environment if isinstance(environment, Scalar) else body.map("environment").text("name")
        for service in body.map("services"):
            image_text = body.map("services", service).text("image")
            if image_text:
                at = body.map("services", service).line_of("image")
                self.draft.versions_from(parse_image(image_text, self.place(at)), "", "test")
        kinds = {kind for step in steps for kind in step_kinds(step)}
        uses = str(body.text("uses") or "")
        if uses.startswith("./"):
            self.draft.refer(join("", uses), "reusable workflow", self.place(body.line_of("uses")))
        titles = f"{name}\n{body.text('name') or ''}"
        said = bool(_SAYS_DEPLOY.search(titles)) and not _SAYS_TRIAL.search(titles) and "test" not in kinds
        if "push" not in kinds and _stays(
            steps, str(body.text("runs-on") or ""), frozenset({*values, *_given(body)}), named_deploy=said
        ):
            kinds.discard("deploy")
        if re.search(r"\bdeploy\b|^deploy", name.replace("_", "-")) and target and steps:
            kinds.add("deploy")
        return m.Job(
            id=name,
            name=str(body.text("name") or name),
            place=self.place(line),
            needs=tuple((str(item), self.place(item.line)) for item in named),
            condition=str(body.text("if") or ""),
            condition_place=self.place(body.line_of("if")) if body.text("if") else None,
            environment=str(target or ""),
            uses=uses,
            steps=steps,
            kinds=frozenset(kinds),
        )

    def step(self, body: Map, line: int, job: str, job_body: Map, values: Mapping[str, str]) -> m.Step:
        """One step; its commands, versions and pushes go to the draft."""
        options_body = body.map("with")
        options = {key: str(value) for key, value in options_body.items() if isinstance(value, Scalar)}
        option_lines = {key: options_body.line_of(key) for key in options}
        run = str(body.text("run") or "")
        uses = str(body.text("uses") or "")
        run_line = body.line_of("run")
        first = run_line
        directory = str(
            body.text("working-directory") or job_body.map("defaults", "run").text("working-directory") or ""
        )
        if run:
            first = self._block_start(body, "run", run)
            self.commands(run, first, job, directory)
        for key in ("script", "inlineScript", "command", "run"):
            if uses and key in options:
                at = option_lines[key] + (1 if "\n" in options[key].strip() else 0)
                self.commands(options[key], at, job, "", here=False)
        step = m.Step(
            str(body.text("name") or ""),
            self.place(line),
            uses,
            run,
            first,
            options,
            option_lines,
            str(body.text("if") or ""),
            directory,
            truth(body.get("continue-on-error")),
            str(body.text("id") or ""),
        )
        if body.text("working-directory") and "$" not in directory:
            self.draft.refer(join("", directory), "working directory", self.place(body.line_of("working-directory")))
        if uses.startswith("./"):
            self.draft.refer(join("", uses), "local action", self.place(body.line_of("uses")))
        self.versions(step, job_body)
        own = {item.name: item.value for item in self.env(body) if item.value is not None}
        self.pushes.step(step, job, {**values, **own}, job_body, str(body.text("id") or ""))
        return step

    def _block_start(self, body: Map, key: str, text: str) -> int:
        """The line of the first command of a block scalar: the one below its key."""
        value = body.text(key)
        return body.line_of(key) + (1 if value is not None and not value.plain and "\n" in text else 0)

    def commands(self, text: str, first: int, job: str, directory: str, *, here: bool = True) -> None:
        """Add the command lines of a script, the files that they name and the secrets that they hold."""
        written.in_commands(self.draft, self.path, text.split("\n"), first, "test")
        run_images.note(self.draft, self.path, text.split("\n"), first, "test")
        self.draft.extend_commands(
            m.Command(line, self.place(at), "workflow", job) for line, at in logical_lines(text, first)
        )
        asked = asked_for(text)
        if "$" not in directory:
            working.note(self.draft, logical_lines(text, first), self.path, join("", directory), "workflow")
        for line, at in logical_lines(text, first):
            script_references(self.draft, line, self.place(at), directory, here=here, asked=asked)
            directory = moved(directory, line) if here else directory

    def versions(self, step: m.Step, job_body: Map) -> None:
        """Add the version that a setup action is given."""
        setup = _SETUP.get(step.uses.partition("@")[0])
        if setup is None:
            return None
        product, key = setup
        text = step.options.get(key, "")
        if not text and product == "rust" and "rust-toolchain" in step.uses:
            text = step.uses.partition("@")[2]
        matrix = re.fullmatch(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}", text)
        if matrix:
            strategy = job_body.map("strategy", "matrix")
            versions = strategy.seq(matrix[1]).texts()
            if len(versions) == 1:
                self.draft.versions.append(m.Version(product, str(versions[0]), self.place(versions[0].line), "ci"))
            return None
        reference = re.fullmatch(r"\$\{\{\s*env\.(\w+)\s*\}\}", text)
        if reference:
            return self._env_version(product, reference[1])
        if text and "$" not in text and text[:1].isdigit():
            self.draft.versions.append(
                m.Version(product, text, self.place(step.option_lines.get(key, step.place.line)), "ci")
            )
        return None

    def _env_version(self, product: str, name: str) -> None:
        known = self.known.get(name)
        if known is not None and known.value:
            self.draft.versions.append(m.Version(product, known.value, known.place, "ci"))


def step_kinds(step: m.Step) -> set[str]:
    """What a step does, by its action and its commands."""
    kinds = _action_kinds(step)
    name = step.uses.partition("@")[0].lower()
    if name.startswith("docker/build-push-action") and step.options.get("push", "false") not in ("false", ""):
        kinds.add("push")
    texts = [step.run, step.options.get("script", ""), step.options.get("run", "")]
    for text in texts:
        for line, _ in logical_lines(text):
            kinds |= kinds_of(line)
            if is_remote_shell(line) and re.search(r"deploy|compose|docker|pull|restart|systemctl", line):
                kinds.add("deploy")
    return kinds


def _action_kinds(step: m.Step) -> set[str]:
    """What a step's action does; what installs a tool does not use it yet."""
    name = step.uses.partition("@")[0].lower()
    return {kind for pattern, kind in _USES_KINDS if name and "/setup-" not in name and pattern.search(name)}


def _stays(steps: Sequence[m.Step], runner: str, names: frozenset[str], *, named_deploy: bool) -> bool:
    """Whether a job only starts containers or a cluster on a hosted runner, which is gone when the job ends: nothing
    points its clients at another machine, neither its commands nor a variable of these `names`. A job that is named a
    deploy, and leaves its containers running, is meant as one.
    """
    if names & _REMOTE_NAMES or any(_REMOTE.search(f"{step.uses}\n{step.run}") for step in steps):
        return False
    if any(_LOCAL_CLUSTER.search(f"{step.uses}\n{step.run}") for step in steps):
        return True
    lines = [line for step in steps for line, _ in logical_lines(step.run)]
    deploys = [line for line in lines if "deploy" in kinds_of(line)]
    by_action = any("deploy" in _action_kinds(step) for step in steps)
    if named_deploy and deploys and not any(_COMPOSE_DOWN.search(line) for line in lines[lines.index(deploys[-1]) :]):
        return False
    return bool(_HOSTED.search(runner) and deploys) and not by_action and all(map(_COMPOSE_UP.search, deploys))


def _running(job: Map) -> list[Map]:
    """A job and those of its steps that run commands: an action reads variables of its own."""
    return [job, *(step for step in job.maps("steps") if step.text("run"))]


def _given(job: Map) -> set[str]:
    """The names of the variables that a job and its steps have."""
    return {name for body in (job, *job.maps("steps")) for name in body.map("env")}


def _triggers(value: Value) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    """Events with the branches or tags they are limited to, and with the paths they are limited to."""
    if isinstance(value, Scalar):
        return {str(value): ()}, {}
    if isinstance(value, Seq):
        return {str(item): () for item in value.texts()}, {}
    if not isinstance(value, Map):
        return {}, {}
    events: dict[str, tuple[str, ...]] = {}
    paths: dict[str, tuple[str, ...]] = {}
    for event in value:
        body = value.map(event)
        branches = [str(item) for item in _listed(body, "branches")]
        tags = [f"tag:{item}" for item in _listed(body, "tags")]
        excluded = [f"!{item}" for item in _listed(body, "branches-ignore")]
        events[event] = tuple(branches + tags + excluded)
        limited = [str(item) for item in _listed(body, "paths")] + [
            f"!{item}" for item in _listed(body, "paths-ignore")
        ]
        if limited:
            paths[event] = tuple(limited)
    return events, paths


def _listed(body: Map, key: str) -> list[Scalar]:
    value = body.get(key)
    return [value] if isinstance(value, Scalar) else body.seq(key).texts()
