"""Package manifests and tool version files: names, dependencies, frameworks, and the runtime versions
that they ask for.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable

from trimtab.audit.facts import model as m
from trimtab.audit.facts import working
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.frameworks import frameworks_of
from trimtab.audit.facts.text import directory_of

MAX_LINE = 5_000  # the TOML reader takes time in the square of a dotted key's length
MANIFESTS = frozenset(
    [
        "package.json",
        "cargo.toml",
        "pyproject.toml",
        "pipfile",
        "go.mod",
        "pom.xml",
        "build.gradle",
        "build.gradle.kts",
        "gemfile",
        "composer.json",
        "mix.exs",
        "setup.py",
    ]
)
VERSION_FILES = {
    ".nvmrc": "node",
    ".node-version": "node",
    ".python-version": "python",
    ".ruby-version": "ruby",
    ".java-version": "java",
    ".go-version": "go",
    "rust-toolchain": "rust",
    "rust-toolchain.toml": "rust",
    "runtime.txt": "python",
    ".tool-versions": "",
    "global.json": "dotnet",
    "mise.toml": "",
    ".mise.toml": "",
    ".php-version": "php",
    ".sdkmanrc": "java",
}
_ASDF = {
    "nodejs": "node",
    "node": "node",
    "python": "python",
    "golang": "go",
    "go": "go",
    "rust": "rust",
    "ruby": "ruby",
    "java": "java",
    "php": "php",
    "elixir": "elixir",
    "dotnet": "dotnet",
    "dotnet-core": "dotnet",
    "bun": "bun",
    "deno": "deno",
    "postgres": "postgres",
}


def named_manifest(basename: str) -> bool:
    """Whether a file name is that of a package manifest."""
    low = basename.lower()
    return (
        low in MANIFESTS
        or low.endswith((".csproj", ".fsproj"))
        or (low.startswith("requirements") and low.endswith((".txt", ".in")))
    )


def scripts_of(text: str) -> set[str] | None:
    """The names of the scripts of a package.json; None when it cannot be read."""
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None
    scripts = data.get("scripts") if isinstance(data, dict) else None
    return {str(name) for name in scripts} if isinstance(scripts, dict) else set()


def is_requirements(path: str) -> bool:
    """Whether a file is one of a `requirements/` directory."""
    return path.endswith(".txt") and directory_of(path).rsplit("/", 1)[-1] == "requirements"


def _line(text: str, needle: str, start: int = 0) -> int:
    position = text.find(needle, start)
    return text.count("\n", 0, position) + 1 if position >= 0 else 1


def _match_line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


class _Manifest:
    def __init__(self, draft: Draft, path: str, text: str) -> None:
        self.draft, self.path, self.text = draft, path, text
        self.directory = directory_of(directory_of(path)) if is_requirements(path) else directory_of(path)

    def add(
        self,
        ecosystem: str,
        name: str,
        dependencies: Iterable[str],
        scripts: dict[str, tuple[str, m.Place]] | None = None,
    ) -> None:
        names = frozenset(item.lower() for item in dependencies)
        self.draft.packages.append(
            m.Package(
                self.path,
                self.directory,
                ecosystem,
                name,
                names,
                frameworks_of(ecosystem, names),
                scripts or {},
            )
        )

    def version(self, product: str, text: str, line: int) -> None:
        if re.search(r"\d", text):
            self.draft.versions.append(m.Version(product, text, m.Place(self.path, line), "range", self.directory))

    def package_json(self) -> None:
        data = json.loads(self.text)
        if not isinstance(data, dict):
            return
        dependencies: list[str] = []
        for key in ("dependencies", "devDependencies"):
            found = data.get(key)
            dependencies.extend(found if isinstance(found, dict) else ())
        written = data.get("scripts")
        scripts = {
            str(name): (str(command), m.Place(self.path, _line(self.text, f'"{name}"')))
            for name, command in (written.items() if isinstance(written, dict) else ())
        }
        self.add("node", str(data.get("name") or ""), dependencies, scripts)
        self.draft.extend_commands(
            m.Command(command, place, "package", name) for name, (command, place) in scripts.items()
        )
        for command, place in scripts.values():
            working.note(self.draft, [(command, place.line)], self.path, self.directory, "package")
        engines = data.get("engines")
        if isinstance(engines, dict) and isinstance(engines.get("node"), str):
            self.version("node", engines["node"], _line(self.text, '"node"', self.text.find('"engines"')))

    def cargo(self) -> None:
        data = tomllib.loads(self.text)
        package = data.get("package")
        dependencies = list(_table(data, "dependencies")) + list(_table(_table(data, "workspace"), "dependencies"))
        if isinstance(package, dict):
            self.add("cargo", str(package.get("name") or ""), dependencies)
            if isinstance(package.get("rust-version"), str):
                self.version("rust", ">=" + package["rust-version"], _line(self.text, "rust-version"))

    def pyproject(self) -> None:
        data = tomllib.loads(self.text)
        project, poetry = _table(data, "project"), _table(_table(data, "tool"), "poetry")
        listed = project.get("dependencies")
        dependencies = [_requirement(str(item)) for item in listed] if isinstance(listed, list) else []
        poetry_dependencies = _table(poetry, "dependencies")
        dependencies.extend(name for name in poetry_dependencies if name != "python")
        self.add("python", str(project.get("name") or poetry.get("name") or ""), dependencies)
        wanted = project.get("requires-python") or poetry_dependencies.get("python")
        if isinstance(wanted, str):
            self.version(
                "python",
                wanted,
                _line(self.text, "requires-python" if project.get("requires-python") else "\npython")
                + (0 if project.get("requires-python") else 1),
            )

    def requirements(self) -> None:
        self.add(
            "python",
            "",
            [
                _requirement(line)
                for line in self.text.split("\n")
                if line.strip() and not line.lstrip().startswith(("#", "-"))
            ],
        )

    def go_mod(self) -> None:
        module = re.search(r"(?m)^module\s+(\S+)", self.text)
        dependencies = re.findall(r"(?m)^[ \t]*(?:require[ \t]+)?([\w-][\w.-]{0,200}/\S{1,300})[ \t]+v\d", self.text)
        self.add("go", module[1].rsplit("/", 1)[-1] if module else "", dependencies)
        version = re.search(r"(?m)^go\s+([\d.]+)", self.text)
        if version:
            self.version("go", ">=" + version[1], _match_line(self.text, version))

    def pom(self) -> None:
        artifacts = re.findall(r"<artifactId>\s*([^<\s]+)\s*</artifactId>", self.text)
        plain = re.sub(
            r"<(parent|dependencies|build|dependencyManagement)>.*?(?:</\1>|\Z)",
            "",
            self.text,
            flags=re.DOTALL,
        )
        own = re.search(r"<artifactId>\s*([^<\s]+)", plain)
        self.add("jvm", own[1] if own else "", artifacts)
        version = re.search(r"<(?:java\.version|maven\.compiler\.release|release)>\s*([\d.]+)\s*<", self.text)
        if version:
            self.version("java", ">=" + version[1].removeprefix("1."), _match_line(self.text, version))

    def gradle(self) -> None:
        found = re.findall(r"[\"']([\w.-]+:[\w.-]+)(?::[^\"']*)?[\"']|id[\s(]+[\"']([\w.-]+)[\"']", self.text)
        names = [part for one, two in found for part in (one.partition(":")[2], two, one) if part]
        self.add("jvm", "", names)
        version = re.search(
            r"JavaLanguageVersion\.of\((\d+)\)|sourceCompatibility\s*=\s*[\"']?(?:JavaVersion\.VERSION_)?(\d+)",
            self.text,
        )
        if version:
            self.version("java", ">=" + (version[1] or version[2]), _match_line(self.text, version))

    def csproj(self) -> None:
        sdk = re.search(r"<Project\s+Sdk=\"([^\"]+)\"", self.text)
        dependencies = re.findall(r"<PackageReference\s+Include=\"([^\"]+)\"", self.text)
        self.add(
            "dotnet",
            self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0],
            [*dependencies, *([sdk[1]] if sdk else [])],
        )
        version = re.search(r"<TargetFramework>\s*net(\d+\.\d+)", self.text)
        if version:
            self.version("dotnet", version[1], _match_line(self.text, version))

    def gemfile(self) -> None:
        self.add("ruby", "", re.findall(r"(?m)^[ \t]*gem[ \t]+[\"']([\w-]+)[\"']", self.text))
        version = re.search(r"(?m)^[ \t]*ruby[ \t]+[\"']([^\"'\n]+)[\"']", self.text)
        if version:
            self.version("ruby", version[1], _match_line(self.text, version))

    def composer(self) -> None:
        data = json.loads(self.text)
        required = _table(data, "require") if isinstance(data, dict) else {}
        self.add("php", str(data.get("name") or "") if isinstance(data, dict) else "", required)
        if isinstance(required.get("php"), str):
            self.version("php", str(required["php"]), _line(self.text, '"php"'))

    def mix(self) -> None:
        app = re.search(r"app:\s*:(\w+)", self.text)
        self.add("elixir", app[1] if app else "", re.findall(r"\{:(\w+),", self.text))
        version = re.search(r"elixir:\s*\"([^\"]+)\"", self.text)
        if version:
            self.version("elixir", version[1], _match_line(self.text, version))


def _table(data: object, key: str) -> dict[str, object]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _requirement(text: str) -> str:
    return re.split(r"[\s\[<>=!~;@]", text.strip(), maxsplit=1)[0].lower().replace("_", "-")


_SIGNAL_FILES = {
    "manage.py": "django",
    "artisan": "laravel",
    "next.config.js": "next",
    "next.config.ts": "next",
    "next.config.mjs": "next",
    "angular.json": "angular",
}
# Files that only Next.js gives a meaning, also where a folder's manifest is missing.
_NEXT_PAGE = re.compile(r"(?:^|/)(?:app/(?:layout|page)|pages/_(?:app|document))\.[jt]sx?$")


def framework_by_file(path: str) -> str:
    """The framework that a file of this name is part of, or ""."""
    return _SIGNAL_FILES.get(path.rsplit("/", 1)[-1], "") or ("next" if _NEXT_PAGE.search(path) else "")


def read_manifest(draft: Draft, path: str, text: str) -> None:
    """Add one package manifest. One that does not parse is noted as unread."""
    manifest = _Manifest(draft, path, text)
    name = path.rsplit("/", 1)[-1].lower()
    method = {
        "package.json": manifest.package_json,
        "cargo.toml": manifest.cargo,
        "pyproject.toml": manifest.pyproject,
        "go.mod": manifest.go_mod,
        "pom.xml": manifest.pom,
        "build.gradle": manifest.gradle,
        "build.gradle.kts": manifest.gradle,
        "gemfile": manifest.gemfile,
        "composer.json": manifest.composer,
        "mix.exs": manifest.mix,
    }.get(name)
    if method is None and name.endswith((".csproj", ".fsproj")):
        method = manifest.csproj
    elif method is None and (name.startswith("requirements") or is_requirements(path)):
        method = manifest.requirements
    if method is None:
        return
    try:
        if max(map(len, text.split("\n"))) > MAX_LINE and not path.endswith(".json"):
            raise ValueError("a line that is too long")  # noqa: TRY301 - one handler says that the file is unread
        method()
    except (ValueError, RecursionError) as error:  # JSON's and TOML's errors are ValueErrors
        draft.repo.note(path, f"does not parse: {str(error)[:120]}")


def read_version_file(draft: Draft, path: str, text: str) -> None:  # noqa: C901
    """Add the versions that a tool version file pins."""
    name = path.rsplit("/", 1)[-1]
    directory = directory_of(path)

    def add(product: str, version: str, line: int) -> None:
        if re.search(r"\d", version):
            draft.versions.append(m.Version(product, version, m.Place(path, line), "tool", directory))

    lines = list(enumerate(text.split("\n"), start=1))
    if name == ".tool-versions":
        for number, line in lines:
            words = line.split("#")[0].split()
            if len(words) > 1 and words[0] in _ASDF:
                add(_ASDF[words[0]], words[1], number)
    elif name.endswith("mise.toml"):
        for number, line in lines:
            match = re.match(r"\s*[\"']?(\w[\w-]*)[\"']?\s*=\s*[\"']([^\"']+)[\"']", line)
            if match and match[1] in _ASDF:
                add(_ASDF[match[1]], match[2], number)
    elif name == "global.json":
        match = re.search(r"\"version\"\s*:\s*\"([\d.]+)\"", text)
        if match:
            add("dotnet", match[1], _match_line(text, match))
    elif name.startswith("rust-toolchain"):
        match = re.search(r"channel\s*=\s*\"([^\"]+)\"", text) or re.search(r"^([\d.]+)\s*$", text)
        if match:
            add("rust", match[1], _match_line(text, match))
    else:
        first = next(
            ((number, line.strip()) for number, line in lines if line.strip() and not line.startswith("#")),
            None,
        )
        if first:
            add(VERSION_FILES[name], first[1].split("=")[-1].lstrip("v"), first[0])
