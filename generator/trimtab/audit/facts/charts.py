"""Helm charts: rendered with their own values, then once more with each environment's, of which only what differs is
kept, as a patch of that environment.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from trimtab.audit.facts import helm, kubernetes
from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.gotemplate import TemplateError
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.render import Chart, Held, Renderer, held, merged
from trimtab.audit.facts.text import join
from trimtab.audit.facts.variants import difference, extend
from trimtab.yamlpos import Documents, Map, Scalar, load_all

T = TypeVar("T")
MAX_VARIANTS = 12
_VALUES_FILE = re.compile(r"(?:^|[._-])values?(?:[._-]|\.ya?ml$)|^values", re.IGNORECASE)
_HELM = re.compile(r"\bhelm3?\s+(?:secrets\s+)?(?:upgrade|install|template|diff\s+upgrade)\b")
_VARIABLE = re.compile(r"\bname:\s{0,9}[\"']?([A-Z][A-Z0-9_]{2,})\b|(?m:^\s{0,80}([A-Z][A-Z0-9_]{2,}):)")
_BARE_FLAG = re.compile(
    r"-(?:i|h)$|--(?:install|atomic|wait|wait-for-jobs|force|debug|dry-run|create-namespace|cleanup-on-fail|"
    r"dependency-update|devel|reset-values|reuse-values|skip-crds|generate-name)$"
)


@dataclass(frozen=True, slots=True)
class Variant:
    """The values of one environment, and the release that they are for ("" where nothing says)."""

    environment: str
    values: Map
    release: str = ""


class ChartReader:
    """Every chart of a repository. `texts` are the YAML files below the charts, by path."""

    def __init__(self, draft: Draft, directories: set[str], texts: Mapping[str, str]) -> None:
        """Take where facts go, the charts' directories and their files."""
        self.draft = draft
        self.texts = texts
        self.values = {directory: self._own_values(directory) for directory in sorted(directories)}
        self.uses = list(_uses(draft))

    def _own_values(self, directory: str) -> Map:
        for name in ("values.yaml", "values.yml"):
            path = _in(directory, name)
            if path in self.texts:
                return self._load(path)
        return Map(1)

    def _load(self, path: str | None) -> Map:
        text = self.texts.get(path) if path else None
        text = text if text is not None else self.draft.repo.read(path) if path else None
        for body, _ in load_all(text or "").maps():
            value = held(body, path or "")
            return value if isinstance(value, Map) else Map(1)
        return Map(1)

    def read(self, directory: str, paths: list[str]) -> None:
        """Add one chart, whose templates are `paths`, and what its environments change."""
        chart = self._chart(directory)
        for path in paths:
            self.draft.mentioned.update(name for pair in _VARIABLE.findall(self.texts[path]) for name in pair if name)
        own = self._with_parent(directory, self.values[directory])
        variants = list(self._variants(directory))
        releases = {one.release for one in variants if one.release}
        release = releases.pop() if len(releases) == 1 else chart.name
        job = _Job(chart, directory or "chart", release, paths)
        if not any(one.release == release for one in variants):
            self.draft.assumed[job.group] = release
        base = self._rendered(job, own, "", first=True)
        extend(self.draft, base)
        known = [base]
        for variant in variants[:MAX_VARIANTS]:
            if variant.values:
                known.append(self._rendered(job, merged(own, variant.values), variant.environment))
                extend(self.draft, difference(base, known[-1]))
        # What no set of values switches on is defined all the same: a name that is used may be meant for it.
        names = {(item.kind, item.name) for one in known for item in one.objects}
        whole = self._rendered(job, own, "", everything=True)
        left_out = [item for item in whole.objects if (item.kind, item.name) not in names]
        self.draft.objects.extend(_named_only(item) for item in left_out)
        self.draft.autoscalers.extend(
            dataclasses.replace(item, off=True)
            for item in whole.autoscalers
            if any((one.kind, one.name) == (item.kind, item.name) for one in left_out)
        )

    def _chart(self, directory: str) -> Chart:
        about = self.draft.repo.read(_in(directory, "Chart.yaml")) or self.draft.repo.read(_in(directory, "Chart.yml"))
        body = next((body for body, _ in load_all(about or "").maps()), Map(1))
        templates = _in(directory, "templates/")
        texts = {path: text for path, text in self.texts.items() if path.startswith(templates)}
        for path in self.draft.repo.files:
            if path.startswith(templates) and path.endswith(".tpl"):
                texts[path] = self.draft.repo.read(path) or ""
        for path in self.draft.repo.files:  # the parts of a library chart that lies within
            if path.startswith(_in(directory, "charts/")) and path.endswith(".tpl"):
                texts.setdefault(path, self.draft.repo.read(path) or "")
        name = str(body.text("name") or directory.rsplit("/", 1)[-1] or "chart")
        chart = Chart(name, str(body.text("version") or ""), str(body.text("appVersion") or ""), texts)
        chart.parse()
        return chart

    def _with_parent(self, directory: str, values: Map) -> Map:
        """The values of a chart below another one's `charts/`, with what that one's own values say about it."""
        parent, sign, name = directory.rpartition("/charts/")
        if not sign or parent not in self.values or "/" in name:
            return values
        above = self.values[parent]
        found = merged(values, above.map(name))
        if isinstance(above.get("global"), Map):
            over = Map(1)
            over["global"] = above["global"]
            found = merged(found, over)
        return found

    def _variants(self, directory: str) -> Iterator[Variant]:
        """What each environment's values files and the objects that deploy the chart lay upon its values."""
        done: set[str] = set()
        for use in self.uses:
            if not _same_chart(use.chart, directory):
                continue
            values = Map(1)
            for path in use.files(directory):
                values = merged(values, self._load(path))
                done.add(path)
            values = merged(values, use.values)
            yield Variant(use.environment, values, use.release)
        own = {_in(directory, "values.yaml"), _in(directory, "values.yml")}
        nested = tuple(_in(other, "") for other in self.values if other != directory and other.startswith(directory))
        for path in sorted(self.texts):
            base = path.rsplit("/", 1)[-1]
            inside = path.startswith(_in(directory, "")) and not (nested and path.startswith(nested))
            if not inside or path in own | done or path.startswith(_in(directory, "templates/")):
                continue
            if "schema" not in base and (_VALUES_FILE.search(base) or "/values/" in path[len(directory) :]):
                environment = environment_of(path[len(directory) :])
                if environment not in ("example", "test"):
                    yield Variant(environment, self._load(path))

    def _rendered(
        self, job: _Job, values: Map, environment: str, *, first: bool = False, everything: bool = False
    ) -> Draft:
        """The facts of a chart with one set of values; what fills its lines goes to the draft's origins at once. The
        `first` time, templates that cannot be followed are read as text.
        """
        scratch = Draft(self.draft.repo)
        renderer = Renderer(job.chart, values, job.release, everything=everything)
        for path in job.paths:
            try:
                made = renderer.render(path)
                documents = load_all(made.text)
            except (TemplateError, KeyError):
                made, documents = None, Documents()
            if made is None or documents.errors:
                if not first:
                    continue
                made = None
                documents = self._as_text(path, values, job.chart.name)
            self._note(path, made.origins if made is not None else self._filled(path, values))
            reader = kubernetes.KubernetesReader(scratch, path, job.group, chart=True)
            reader.environment = environment
            for body, document in documents.maps():
                if made is not None:
                    made.relocate(body)
                if kubernetes.looks_like_kubernetes(body):
                    reader.read(body, document)
        return scratch

    def _note(self, path: str, origins: Iterable[tuple[int, str, m.Place]]) -> None:
        for line, value, place in origins:
            known = self.draft.origins.setdefault((path, line), [])
            if value and (value, place) not in known:
                known.append((value, place))

    def _as_text(self, path: str, values: Map, name: str) -> Documents:
        """A template filled in line by line; what is no YAML then is noted as unread."""
        documents = load_all(helm.fill(self.texts[path], values, name))
        for error in documents.errors:
            self.draft.repo.note(path, f"YAML: {error}")
        return documents

    def _filled(self, path: str, values: Map) -> Iterator[tuple[int, str, m.Place]]:
        where = next((key.path for key in values if isinstance(key, Held)), "")
        for line, value, at in helm.origins(self.texts[path], values):
            yield line, value, m.Place(where, at)


@dataclass(frozen=True, slots=True)
class _Job:
    """A chart to render: its group, its release's name and the paths of its templates."""

    chart: Chart
    group: str
    release: str
    paths: list[str]


@dataclass(frozen=True, slots=True)
class _Use:
    """A place that deploys a chart: a command, an Argo CD Application or a Flux HelmRelease."""

    chart: str
    release: str
    environment: str
    written: tuple[str, ...]  # values files as written
    values: Map
    here: str  # the directory that the files are relative to, "" for the chart's own

    def files(self, directory: str) -> list[str]:
        """The values files, relative to the root."""
        return [
            path
            for one in self.written
            if not re.search(r"[$\{]|://", one) and (path := join(self.here or directory, one.lstrip("/"))) is not None
        ]


def _named_only(item: m.KubeObject) -> m.KubeObject:
    """An object that is switched off: what gives values to others keeps them, the others are no more than a name."""
    keep = item.kind in ("ConfigMap", "Secret", "ExternalSecret", "SealedSecret", "Certificate")
    return item if keep else dataclasses.replace(item, body=Map(item.body.line))


def _uses(draft: Draft) -> Iterator[_Use]:
    for item in draft.objects:
        spec = item.body.map("spec")
        if item.kind == "Application" and "source" in spec:
            yield from _application(item, spec.map("source"))
        elif item.kind == "Application":
            for source in spec.maps("sources"):
                yield from _application(item, source)
        elif item.kind == "HelmRelease" and spec.map("chart", "spec").text("chart"):
            found = held(spec.map("values"), item.place.path)
            where = environment_of(item.place.path) or environment_of(item.namespace)
            release = str(spec.text("releaseName") or item.name)
            chart = str(spec.map("chart", "spec").text("chart"))
            if "/" in chart:
                yield _Use(_clean(chart), release, where, (), found if isinstance(found, Map) else Map(1), ".")
    for command in draft.commands:
        if _HELM.search(command.text):
            yield from _command(command)


def _application(item: m.KubeObject, source: Map) -> Iterator[_Use]:
    path = source.text("path")
    if not path or "{{" in path or "tpl-" in path:
        return
    body = source.map("helm")
    found = held(body.map("valuesObject"), item.place.path)
    values = found if isinstance(found, Map) else Map(1)
    written = body.text("values")
    if written:
        for inline, _ in load_all("\n" * written.line + str(written)).maps():
            laid = held(inline, item.place.path)
            values = merged(values, laid) if isinstance(laid, Map) else values
    for one in body.maps("parameters"):
        if one.text("name") and one.text("value"):
            values = merged(values, _nested(str(one.text("name")), one.text("value"), item.place.path))
    namespace = str(item.body.map("spec", "destination").text("namespace") or "")
    files = tuple(str(one) for one in body.seq("valueFiles").texts())
    told = (environment_of(one) for one in (item.place.path, item.name, namespace, *files))
    where = next((one for one in told if one), "")
    yield _Use(_clean(str(path)), str(body.text("releaseName") or item.name), where, files, values, "")


def _command(command: m.Command) -> Iterator[_Use]:
    text = re.split(r"&&|\|\||[;|]", _HELM.split(command.text, maxsplit=1)[1], maxsplit=1)[0]
    try:
        words = shlex.split(text)
    except ValueError:
        return
    positional: list[str] = []
    files: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.startswith("-"):
            positional.append(word)
            continue
        flag, sign, value = word.partition("=")
        if not sign and not _BARE_FLAG.match(flag):
            value = words[index] if index < len(words) else ""
            index += 1
        if flag in ("-f", "--values"):
            files += value.split(",")
    if len(positional) < 2 or "$" in positional[1] or ":" in positional[1]:
        return
    release = "" if re.search(r"[${]", positional[0]) else positional[0]
    where = next((found for one in files if (found := environment_of(one))), "")
    yield _Use(_clean(positional[1]), release, where, tuple(files), Map(1), ".")


def _clean(path: str) -> str:
    return posixpath.normpath(path.lstrip("/")).removeprefix("../").strip("/")


def _same_chart(written: str, directory: str) -> bool:
    return written in (directory, ".") if written == "." else directory == written or directory.endswith(f"/{written}")


def _nested(name: str, value: Scalar | None, path: str) -> Map:
    """A value under a dotted name."""
    line = value.line if value is not None else 1
    found: Any = held(value, path)
    for part in reversed(re.split(r"(?<!\\)\.", name)):
        body = Map(line)
        body[part] = found
        body.key_lines[part] = line
        found = body
    return found if isinstance(found, Map) else Map(1)


def _in(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
