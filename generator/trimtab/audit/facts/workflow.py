"""GitHub workflows: triggers, jobs, steps, pushed images, versions, references. Source: the vendor's syntax page."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trimtab.audit.facts import model as m
from trimtab.audit.facts.commands import is_remote_shell, kinds_of, logical_lines
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.pushes import PushReader
from trimtab.audit.facts.text import join, parse_image
from trimtab.yamlpos import Map, Scalar, Seq, Value

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
            r"k8s-deploy|kubectl|helm-deploy|deploy-cloudrun|amazon-ecs-deploy|webapps-deploy|flyctl|argocd|eks-|vercel|netlify|firebase.*deploy|deploy-pages"
        ),
        "deploy",
    ),
    (re.compile(r"trivy|codeql|snyk|gitleaks|audit|scorecard|dependency-review|grype|anchore"), "scan"),
    (re.compile(r"upload-artifact|codecov|test-reporter|junit|publish-unit-test|coveralls|sonar"), "report"),
    (re.compile(r"golangci-lint|super-linter|hadolint|reviewdog"), "lint"),
)


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
            m.Workflow(self.path, str(body.text("name") or self.path), "github", triggers, filters, jobs, env)
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
        )
        if body.text("working-directory") and "$" not in directory:
            self.draft.refer(join("", directory), "working directory", self.place(body.line_of("working-directory")))
        if uses.startswith("./"):
            self.draft.refer(join("", uses), "local action", self.place(body.line_of("uses")))
        self.versions(step, job_body)
        self.pushes.step(step, job, values, job_body)
        return step

    def _block_start(self, body: Map, key: str, text: str) -> int:
        """The line of the first command of a block scalar: the one below its key."""
        value = body.text(key)
        return body.line_of(key) + (1 if value is not None and not value.plain and "\n" in text else 0)

    def commands(self, text: str, first: int, job: str, directory: str, *, here: bool = True) -> None:
        """Add the command lines of a script and the files that they name."""
        self.draft.extend_commands(
            m.Command(line, self.place(at), "workflow", job) for line, at in logical_lines(text, first)
        )
        asked = frozenset(_ASKED.findall(text))
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


MIGRATION_FOLDER = re.compile(
    r"(?:--migration-dir|--migrations?-path|\s-path|\s--source)[ =](?:file://)?[\"']?([\w./-]+)(?=$|[\s;&|)\"'])"
)
# (what a command has to be, how it names a file, what that file is)
_NAMED: tuple[tuple[re.Pattern[str], re.Pattern[str], str], ...] = tuple(
    (re.compile(command), pattern if isinstance(pattern, re.Pattern) else re.compile(pattern), what)
    for command, pattern, what in (
        (
            "",
            r"(?:^|[\s;&|(])(?:(?:bash|sh|source|python3?|node)\s+)?(\./[\w./-]+\.(?:sh|py|bash|js|rb))(?=$|[\s;&|)])",
            "script",
        ),
        # a script of the repository as the command itself: `scripts/deploy.sh production`
        (
            "",
            r"(?:^|&&|\|\||[;|(])\s*(?:(?:sudo|exec|time)\s+)?(\w[\w.-]*/[\w./-]+\.(?:sh|bash|py|js|rb))(?=$|[\s;&|)])",
            "script",
        ),
        ("", r"\b(?:bash|sh)\s+([\w][\w./-]*\.(?:sh|bash))(?=$|[\s;&|)])", "script"),
        (r"\bdocker[ -]compose\b", r"\s(?:-f|--file)[ =]([\w./-]+\.ya?ml)\b", "compose file"),
        ("", MIGRATION_FOLDER, "migration directory"),
        (r"\bdocker\s+(?:buildx\s+)?build\b", r"\s(?:-f|--file)[ =]([\w./-]+)(?=$|\s)", "Dockerfile"),
        (
            r"\bhelm\s+(?:\S+\s+){0,9}?(?:upgrade|install|template|lint)\b",
            r"\s(\./[\w./-]+|[\w.-]+/[\w.-]+/[\w./-]+)(?=$|\s)(?<!\.yaml)(?<!\.yml)(?<!\.tgz)",
            "chart",
        ),
        (r"\bpip3?\s+install\b", r"\s(?:-r|--requirement)[ =]?([\w./-]+\.txt)(?=$|[\s;&|])", "requirements file"),
        (r"\bhelm\s", r"\s(?:-f|--values)[ =]([\w./-]+\.ya?ml)(?=$|\s)", "values file"),
        (
            r"\A(?s:(?>.*kubectl)(?!.*(?:\bcat\b|<<)))",  # nothing that is piped in after the last kubectl
            r"\bapply\b.{0,500}?\s(?:-f|-k|--filename|--kustomize)[ =]([\w./-]+)(?=$|[\s;&|])",
            "manifest",
        ),
    )
)


# Compose without a file's name takes the one of the folder; `compose.yaml` stands for the four names that it looks for.
_COMPOSES = re.compile(
    r"(?:^|[\s;&|(])docker[ -]compose\s+(?:up|down|build|pull|run|exec|logs|ps|restart|config|push)\b"
)
_MOVES = re.compile(r"(?:^|[\s;&|])(cd|pushd|popd)(?:\s+([\w./-]+))?(?=$|[\s;&|])")


def moved(directory: str, line: str) -> str:
    """Where the commands after `line` run, when it runs in `directory`; "$" for a folder that is not known."""
    found = list(_MOVES.finditer(line)) if not line.startswith("(") else []
    if not found:
        return directory
    if len(found) > 1 or found[0][1] == "popd" or not found[0][2] or found[0][2].startswith(("/", "-")):
        return "$"
    return join(directory, found[0][2]) or ("" if "$" not in directory else "$")


_ASKED = re.compile(r"(?:\[|\btest)\s+-[efdrsx]\s+[\"']?([\w./-]+)")
_FORGIVEN = re.compile(r"\|\|\s{0,9}(?:true\b|:|echo\b)")


def script_references(  # noqa: PLR0913 - where a command runs has several sides
    draft: Draft,
    line: str,
    place: m.Place,
    directory: str,
    *,
    here: bool = True,
    asked: frozenset[str] = frozenset(),
) -> None:
    """Note the scripts, compose files and Dockerfiles that a command names by a path of their own. `here` is whether
    it runs in a checkout, rather than on a machine whose folders are not known; `asked` are paths of which the script
    asks first whether they are there.
    """
    if (
        "$" in directory
        or "{{" in directory
        or re.search(r"(?:^|[\s;&])cd\s", line)
        or line.startswith(("echo ", "cat ", "ssh "))
        or _FORGIVEN.search(line)
    ):
        return
    for command, pattern, what in _NAMED:
        if here or what != "requirements file":
            for match in pattern.finditer(line) if command.search(line) else ():
                if match[1] not in asked:
                    draft.refer(join(directory, match[1]), what, place)
    if here and _COMPOSES.search(line) and "COMPOSE_FILE" not in line:
        draft.refer(join(directory, "docker-compose.yml"), "default compose file", place)


def step_kinds(step: m.Step) -> set[str]:
    """What a step does, by its action and its commands."""
    kinds: set[str] = set()
    name = step.uses.partition("@")[0].lower()
    for pattern, kind in _USES_KINDS:
        if name and pattern.search(name):
            kinds.add(kind)
    if name.startswith("docker/build-push-action") and step.options.get("push", "false") not in ("false", ""):
        kinds.add("push")
    texts = [step.run, step.options.get("script", ""), step.options.get("run", "")]
    for text in texts:
        for line, _ in logical_lines(text):
            kinds |= kinds_of(line)
            if is_remote_shell(line) and re.search(r"deploy|compose|docker|pull|restart|systemctl", line):
                kinds.add("deploy")
    return kinds


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
