"""The reference pages that are generated from the code: `python -m tests.reference --write`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def _settings_schema() -> str:
    from trimtab.frameworks import Frameworks
    from trimtab.settings.json_schema import settings_schema

    return json.dumps(settings_schema(Frameworks(ROOT).names), indent=2, ensure_ascii=False) + "\n"


def _kind(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What may be written for a property, in a few words."""
    if "$ref" in field:
        return f"[{field['$ref'].rsplit('/', 1)[1]}](#{field['$ref'].rsplit('/', 1)[1].lower()})"
    if "enum" in field:
        return ", ".join(f"`{v}`" for v in field["enum"])
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    for union in ("anyOf", "oneOf"):
        if union in field:
            parts = [_kind(f, definitions) for f in field[union] if f.get("type") != "null"]
            return " or ".join(dict.fromkeys(parts))
    kind = field.get("type")
    if kind == "array":
        return f"list of {_kind(field['items'], definitions)}"
    if kind == "object":
        values = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
        return f"mapping of names to {_kind(values, definitions)}" if isinstance(values, dict) else "mapping"
    if isinstance(kind, list):
        return ", ".join(kind)
    return {"string": "text", "integer": "whole number"}.get(str(kind), str(kind))


def _settings_page() -> str:
    from trimtab.settings.json_schema import settings_schema

    schema = settings_schema()
    definitions = schema["$defs"]
    lines = [
        "# Settings",
        "",
        "Generated from `generator/trimtab/settings/schema.py` by `make docs`. What is not written gets a default",
        "from the framework or from `template/lib/resolve.jinja`; the emitted `docs/deployment.md` shows what came of it.",  # noqa: E501
    ]
    sections = {"Settings": schema, **{k: v for k, v in definitions.items() if "properties" in v}}
    for name, section in sections.items():
        lines += ["", f"## {name}", "", section.get("description", "").splitlines()[0], ""]
        lines += ["| Key | Value | Meaning |", "|---|---|---|"]
        required = section.get("required", [])
        for key, field in section["properties"].items():
            mark = " (required)" if key in required else ""
            kind = _kind(field, definitions).replace("|", "\\|")
            lines.append(f"| `{key}`{mark} | {kind} | {field.get('description', '')} |")
    return "\n".join(lines) + "\n"


RUN = """
## What was run

The live tests build and run images of Actix, Express, FastAPI, Next.js and Vite. Of those that came later, where RubyGems,
Packagist, NuGet, Hex and crates.io were out of reach, this was run by hand, without Docker:

| Framework | Run by hand | Only read |
|---|---|---|
| Rails | on Debian's Rails 6.1: the server's command as another user on a read-only root, its probe, SIGTERM; migrations, one of them concurrent | the build, Ruby 4.0, Rails 8 |
| Laravel | the start program with a stand-in of artisan, `extensions.php` on PHP 8.2 | the build, FrankenPHP, migrations |
| ASP.NET Core | `project.sh` with a stand-in of dotnet | the build, `healthcheck.cs`, the migration bundle |
| Phoenix | on Debian's Elixir 1.14: a release without dependencies on a read-only root, SIGTERM, the program that migrates with a stand-in of Ecto | the build, Phoenix, Ecto |
| Rocket | nothing: its Dockerfile is Actix' with other variables | |
| Fastify, Angular 20, Astro 5 (both), React Router 7 (both), Create React App | the commands of the build on a small application, with npm, on Node 20 | the image |
| TanStack Start | the build of a small application did not succeed with the versions at hand (Nitro 3.0.0 refused its server entry) | the image |
"""  # noqa: E501


def _frameworks_page() -> str:
    from trimtab.frameworks import Frameworks

    known = Frameworks(ROOT)
    lines = [
        "# Frameworks",
        "",
        "Generated from `template/frameworks/*/framework.yml` by `make docs`. CONTRIBUTING.md tells how to add one.",
        "",
        "| Name | Framework | Kind | Language | Default port | Health | Metrics | Public variables | Migrations |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in known.names:
        f = known[name]
        health = " and ".join(f"`{p}`" for p in dict.fromkeys(f["health"].values()))
        public = (
            f"`{f['public']['prefix']}*`, at {'run' if f['public']['runtime'] else 'build'} time"
            if f.get("public")
            else "none"
        )
        tools = ", ".join(f.get("migrations") or []) or "none"
        metrics = f"`{f['metrics']}`" if f.get("metrics") else "none"
        cells = [f"`{name}`", f["title"], f["kind"], f["language"], f["port"], health, metrics, public, tools]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n" + RUN


PAGES = {
    "docs/settings.schema.json": _settings_schema,
    "docs/settings.md": _settings_page,
    "docs/frameworks.md": _frameworks_page,
}


def main() -> int:
    """Write every page, or tell which are not current."""
    old = [path for path, text in PAGES.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text()]
    for path in old:
        if "--write" in sys.argv:
            (ROOT / path).write_text(PAGES[path]())
        print(f"{path}: {'written' if '--write' in sys.argv else 'is not current: run make docs'}")
    return int(bool(old) and "--write" not in sys.argv)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "generator"))
    raise SystemExit(main())
