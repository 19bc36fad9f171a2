"""Gather every fact of a repository: choose a reader for each file, then complete what only several files
together tell.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from trimtab.audit.facts import (
    argocd,
    automatic,
    charts,
    compose,
    conffiles,
    dockerfile,
    envfile,
    envnames,
    gitlab,
    grafana,
    helm,
    hosts,
    interpolation,
    kubernetes,
    kustomize,
    members,
    migrations,
    namedsql,
    packages,
    prometheus,
    scaled,
    scripts,
    source,
    spring,
    variants,
    workflow,
    written,
)
from trimtab.audit.facts import model as m
from trimtab.audit.facts.commands import CREATES, INDEX, SCHEMA, logical_lines
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.interest import is_interesting
from trimtab.audit.facts.naming import environment_of, is_auxiliary
from trimtab.audit.facts.secrets import note_secret
from trimtab.audit.facts.services import match_services
from trimtab.audit.facts.text import directory_of, join, urls
from trimtab.repo import Repo
from trimtab.yamlpos import Map, load_all

Progress = Callable[[int, int], None]
_YAML = (".yml", ".yaml")
_MAKEFILES = frozenset({"makefile", "gnumakefile", "justfile", "taskfile"})
_KUBERNETES_WORDS = re.compile(r"^[ \t]*(?:-[ \t]*)?(?:apiVersion|kind):", re.MULTILINE)
_COMPOSE_WORDS = re.compile(r"^(services|include):", re.MULTILINE)
_CAPITALS = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]{2,80}")


def collect(repo: Repo, progress: Progress | None = None) -> m.Facts:
    """All facts of `repo`. What could not be read is in `repo.unread` afterwards; nothing is raised for a
    bad file.
    """
    gatherer = _Gatherer(repo)
    total = len(repo.files)
    for number, path in enumerate(repo.files):
        if progress and number % 200 == 0:
            progress(number, total)
        gatherer.take(path)
    if progress:
        progress(total, total)
    gatherer.finish_yaml()
    return gatherer.facts()


class _Gatherer:
    """One pass over the files. Compose files and charts wait until the env and values files beside them
    are known.
    """

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.draft = Draft(repo)
        self.waiting: list[tuple[str, str]] = []
        self.charts = {
            directory_of(path)
            for path in repo.files
            if path.endswith(("/Chart.yaml", "/Chart.yml")) or path == "Chart.yaml"
        }

    def take(self, path: str) -> None:
        """Read one file if its name says that it can hold facts."""
        base = path.rsplit("/", 1)[-1]
        low = base.lower()
        if base == "package.json":
            self.draft.scripts[path] = packages.scripts_of(self.repo.read(path) or "{}")
        if is_auxiliary(path) or low.endswith(".md"):
            return
        if automatic.may_start(base) and automatic.migrates(self.repo.read_bytes(path) or b"", source=False):
            self.draft.migrators.append(m.Place(path, 1))
        try:
            self._dispatch(path, base, low)
        except RecursionError:
            self.repo.note(path, "nested too deeply")

    def _dispatch(self, path: str, base: str, low: str) -> None:  # noqa: C901, PLR0912
        if low.endswith(_YAML):
            self._text(path, self._yaml)
        elif dockerfile.ambiguous(base):
            self._text(path, self._perhaps_dockerfile)
        elif base != "mix.exs" and (language := source.language_of(path)):
            self._source(path, language)
        elif packages.named_manifest(base) or packages.is_requirements(path):
            self._text(path, lambda where, text: packages.read_manifest(self.draft, where, text))
            self._text(path, lambda where, text: members.read(self.draft, where, text))
        elif members.named(base):
            self._text(path, lambda where, text: members.read(self.draft, where, text))
        elif base in packages.VERSION_FILES:
            self._text(path, lambda where, text: packages.read_version_file(self.draft, where, text))
        elif dockerfile.named_dockerfile(base):
            self._text(path, lambda where, text: dockerfile.read(self.draft, where, text))
        elif envfile.named_env(base):
            self._text(path, self._env)
        elif low.endswith((".sh", ".bash", ".zsh", ".ps1")):
            self._text(path, lambda where, text: scripts.read_script(self.draft, where, text))
        elif low.rsplit(".", 1)[0] in _MAKEFILES or low.endswith(".mk"):
            self._text(path, lambda where, text: scripts.read_makefile(self.draft, where, text))
        elif low.endswith(".conf") or (
            "nginx" in low and low.endswith((".conf.template", ".conf.tmpl", ".tmpl", ".template"))
        ):
            self._text(path, self._conf)
        elif low.endswith(".sql"):
            self._text(path, self._sql)
        elif low.endswith((".html", ".htm", ".astro", ".mdx")):
            self.draft.bundled.update(envnames.bundled(self.repo.read_bytes(path) or b""))
        elif low.startswith("appsettings") and low.endswith(".json"):
            self._text(path, lambda where, text: written.in_settings(self.draft, where, text))
        elif low.startswith("application") and low.endswith(".properties"):
            self._text(path, lambda where, text: spring.read_properties(self.draft, where, text))

    def _text(self, path: str, reader: Callable[[str, str], None]) -> None:
        text = self.repo.read(path)
        if text:
            reader(path, text)

    def _source(self, path: str, language: str) -> None:
        data = self.repo.read_bytes(path)
        self.draft.bundled.update(envnames.bundled(data or b""))
        if data and (b"metrics" in data or b"rometheus" in data):
            self.draft.metrics.append(m.Place(path, 1))
        if data and automatic.migrates(data, source=True):
            self.draft.migrators.append(m.Place(path, 1))
        if data and (is_interesting(data, language) or namedsql.holds_any(data)):
            from trimtab.repo import decode

            text = decode(data)
            if text is not None:
                source.read(self.draft, path, text, language)

    def _perhaps_dockerfile(self, path: str, text: str) -> None:
        if dockerfile.reads_as_one(text):
            dockerfile.read(self.draft, path, text)

    def _env(self, path: str, text: str) -> None:
        envfile.read(self.draft, path, text)
        for item in self.draft.env_files[-1].variables:
            if item.value:
                note_secret(self.draft, item.name, item.value, item.place, item.environment)

    def _conf(self, path: str, text: str) -> None:
        if "redis" in path.rsplit("/", 1)[-1].lower() or re.search(
            r"(?m)^[ \t]*(requirepass|appendonly|maxmemory)\s", text
        ):
            conffiles.read_redis(self.draft, path, text)
        elif re.search(r"\b(server|upstream|location|proxy_pass|listen)\b", text):
            conffiles.read_nginx(self.draft, path, text)

    def _sql(self, path: str, text: str) -> None:
        self.draft.databases.update(CREATES.findall(text))
        if INDEX.search(text):
            self.draft.sql[path] = "index"
        elif SCHEMA.search(text):
            self.draft.sql[path] = "schema"
        else:
            self.draft.sql[path] = "data"

    def _yaml(self, path: str, text: str) -> None:
        base = path.rsplit("/", 1)[-1].lower()
        chart = self._chart_of(path)
        self.draft.spelled.update(_CAPITALS.findall(text))
        if prometheus.holds_targets(text):
            prometheus.read(self.draft, path, text)
        if gitlab.named_pipeline(path):
            self._documents(path, text, lambda body: gitlab.read(self.draft, path, body))
        elif path.startswith((".github/workflows/", ".gitea/workflows/", ".forgejo/workflows/")):
            self._documents(path, text, lambda body: workflow.WorkflowReader(self.draft, path).read(body))
        elif chart is not None or compose.named_compose(base) or _COMPOSE_WORDS.search(text):
            self.waiting.append((path, text))
        elif base in ("kustomization.yaml", "kustomization.yml"):
            self._documents(path, text, lambda body: self._kustomization(path, body))
        elif base.startswith("application") and not _KUBERNETES_WORDS.search(text):
            self._documents(path, text, lambda body: spring.read_tree(self.draft, path, body))
        elif "datasources:" in text and not _KUBERNETES_WORDS.search(text.replace("apiVersion: 1\n", "")):
            self._documents(path, text, lambda body: grafana.read(self.draft, path, body))
        elif base.startswith("taskfile"):
            self.draft.extend_commands(
                m.Command(line, m.Place(path, number), "makefile")
                for line, number in logical_lines(re.sub(r"(?m)^([ \t]*)- ", r"\1  ", text))
            )
        elif _KUBERNETES_WORDS.search(text):
            self._kubernetes(path, text, group_of(path), chart=False)

    def _chart_of(self, path: str) -> str | None:
        """The chart whose folder holds a file; workflows and compose files are of no chart, even of one at the root."""
        directory = directory_of(path)
        if path.startswith(".") or (compose.named_compose(path.rsplit("/", 1)[-1]) and "templates/" not in path):
            return None
        while True:
            if directory in self.charts:
                return directory
            if not directory:
                return None
            directory = directory_of(directory)

    def _documents(self, path: str, text: str, take: Callable[[Map], None]) -> None:
        documents = load_all(text)
        for error in documents.errors:
            self.repo.note(path, f"YAML: {error}")
        for body, _ in documents.maps():
            take(body)

    def _kubernetes(self, path: str, text: str, group: str, *, chart: bool) -> None:
        if helm.is_template(text) and not chart and "kind: ApplicationSet" not in text:
            text = helm.fill(text, None)
        documents = load_all(text)
        for error in documents.errors:
            self.repo.note(path, f"YAML: {error}")
        reader = kubernetes.KubernetesReader(self.draft, path, group, chart=chart)
        for body, document in documents.maps():
            if kubernetes.looks_like_kubernetes(body):
                reader.read(body, document)

    def _kustomization(self, path: str, body: Map) -> None:
        self.draft.kustomizations.append((path, body))
        directory = directory_of(path)

        for key in ("resources", "bases", "components", "patchesStrategicMerge", "generators", "transformers"):
            for item, line in body.seq(key).lined():
                if isinstance(item, str) and "\n" not in item and not re.search(r"://|^git|\?ref=|github\.com", item):
                    self.draft.refer(join(directory, item), "kustomize resource", m.Place(path, line))
        for key in ("patches", "patchesJson6902", "replacements", "transformers"):
            for entry in body.maps(key):
                if entry.text("path"):
                    place = m.Place(path, entry.line_of("path"))
                    self.draft.refer(join(directory, str(entry.text("path"))), "kustomize resource", place)

    def _written(self, item: m.EnvVar) -> bool:
        """Whether a variable's value stands in its own line, as a default does."""
        lines = (self.repo.read(item.place.path) or "").split("\n")
        return str(item.value) in "".join(lines[item.place.line - 1 : item.place.line])

    def finish_yaml(self) -> None:
        """Read the compose files and charts, now that the values beside them are known."""
        dotenv = {item.path: {var.name: var.value or "" for var in item.variables} for item in self.draft.env_files}
        for path, text in self.waiting:
            if self._chart_of(path) is not None:
                continue
            directory = directory_of(path)
            beside = dotenv.get(f"{directory}/.env" if directory else ".env", {})

            def take(body: Map, path: str = path, beside: dict[str, str] = beside) -> None:
                if compose.looks_like_compose(body) or (
                    compose.named_compose(path.rsplit("/", 1)[-1]) and "services" in body
                ):
                    read = compose.ComposeReader(self.draft, path, beside).read(body)
                    asked = interpolation.asked(path, self.repo.read(path) or "")
                    self.draft.compose.append(dataclasses.replace(read, asked=asked))
                elif kubernetes.looks_like_kubernetes(body):
                    self._kubernetes(path, self.repo.read(path) or "", group_of(path), chart=False)

            self._documents(path, helm.fill(text, None) if helm.is_template(text) else text, take)
        self._charts()

    def _charts(self) -> None:
        texts = {path: text for path, text in self.waiting if self._chart_of(path) is not None}
        reader = charts.ChartReader(self.draft, self.charts, texts)
        templates: dict[str, list[str]] = defaultdict(list)
        for path in texts:
            chart = self._chart_of(path) or ""
            inside = path.removeprefix(chart + "/" if chart else "")
            if inside.startswith("templates/") and "/tests/" not in inside:
                templates[chart].append(path)
        for chart, paths in templates.items():
            reader.read(chart, paths)

    def facts(self) -> m.Facts:
        """The frozen facts, with services matched."""
        draft = self.draft
        values = {item.path: item for item in draft.env_files}
        for path, body in draft.kustomizations:
            place = m.Place(path, body.line)
            draft.objects.append(m.KubeObject("Kustomization", "", "", place, "", {}, body, group_of(path)))
            for kind, name, made in helm.generated(body, directory_of(path), values):
                draft.objects.append(
                    m.KubeObject(kind, name, "", place, environment_of(path), {}, made, group_of(path))
                )
        draft.references.extend(argocd.references(draft))
        draft.unserved.extend(scaled.unserved(draft))
        kustomize.Kustomizations(draft, {path: group_of(path) for path, _ in draft.kustomizations}).read()
        draft.workloads = variants.resolved(draft.workloads, draft.objects)
        env_files = {item.path: item for item in draft.env_files}
        draft.compose = [
            dataclasses.replace(item, services=tuple(envfile.with_env_files(one, env_files) for one in item.services))
            for item in draft.compose
        ]
        kept = {(var.name, var.value) for item in draft.env_files for var in item.variables}
        containers = [one for item in draft.compose for one in item.services]
        containers += [one for item in draft.workloads for one in item.containers]
        for container in containers:
            for item in container.env:
                filled = any((name, item.value) in kept for name in item.refs) and not self._written(item)
                if item.value and item.place.path == container.place.path and not filled:
                    note_secret(draft, item.name, item.value, item.place, item.environment, fallback=bool(item.refs))
                for scheme, host, port, _ in urls(item.value or item.outline):
                    draft.upstreams.append(m.Upstream(host, port, item.place, scheme, item.name, container.name))
            draft.upstreams.extend(hosts.variables(container))
        draft.packages = [_with_server(item, draft.binds) for item in draft.packages]
        files = frozenset(self.repo.files)
        found: dict[str, Any] = {
            item.name: tuple(getattr(draft, item.name))
            for item in dataclasses.fields(m.Facts)
            if hasattr(draft, item.name)
            and item.name
            not in ("sql", "databases", "origins", "assumed", "mentioned", "spelled", "bundled", "scripts", "memo")
        }
        facts = m.Facts(
            files=files,
            directories=self.repo.directories,
            containers=tuple(containers),
            migrations=tuple(migrations.find(tuple(path for path in self.repo.files if not is_auxiliary(path)))),
            sql=draft.sql,
            databases=frozenset(draft.databases)
            | {name for command in draft.commands for name in CREATES.findall(command.text)},
            origins=draft.origins,
            assumed=draft.assumed,
            mentioned=frozenset(draft.mentioned),
            spelled=frozenset(draft.spelled),
            bundled=frozenset(draft.bundled),
            scripts={path: None if names is None else frozenset(names) for path, names in draft.scripts.items()},
            installed=hosts.installed(draft, self.charts),
            **found,
        )
        return dataclasses.replace(facts, services=match_services(facts), memo={})


def group_of(path: str) -> str:
    """The directory whose manifests are applied together: `base`, `overlays/<x>` and the like belong to
    what holds them.
    """
    parts = directory_of(path).split("/")
    for index, part in enumerate(parts):
        if part in ("base", "overlays", "overlay", "components", "environments", "envs", "patches"):
            return "/".join(parts[:index])
    return "/".join(parts)


def _with_server(package: m.Package, binds: list[m.Bind]) -> m.Package:
    """A Go module that listens without any framework: the standard library is the framework."""
    if package.ecosystem != "go" or package.frameworks:
        return package
    prefix = package.directory + "/" if package.directory else ""
    listens = any(bind.place.path.endswith(".go") and bind.place.path.startswith(prefix) for bind in binds)
    return dataclasses.replace(package, frameworks=("go",)) if listens else package
