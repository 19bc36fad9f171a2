"""Ratios of whole processes, each pair measured in turn within one run: `make bench`.

Nothing here is a test: machines differ, and a ratio within one run is all that carries over.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PLATFORM = ROOT / "tests/examples/platform/trimtab.yml"
RUNS = 7


def timed(command: list[str], cwd: Path) -> float:
    """Wall seconds of one process; it must succeed."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - begin


def pair(title: str, a: list[str], b: list[str], cwd: Path) -> None:
    """Run A and B in turn and print the median of A, of B, and of the ratios A/B."""
    for command in (a, b):
        timed(command, cwd)
    times = [(timed(a, cwd), timed(b, cwd)) for _ in range(RUNS)]
    first, second = (statistics.median(t[i] for t in times) for i in (0, 1))
    ratio = statistics.median(x / y for x, y in times)
    print(f"{title}: {first * 1000:.0f} ms / {second * 1000:.0f} ms, ratio {ratio:.2f}")


def peak(command: list[str], cwd: Path) -> float:
    """Peak memory of a process in MB."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, capture_output=True);"
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=cwd, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def services(number: int) -> bytes:
    """Settings with that many services."""
    many = {f"api-{n}": {"framework": "fastapi", "uses": ["postgres"]} for n in range(number)}
    data = {
        "version": 1,
        "name": "scale",
        "registry": "ghcr.io/acme",
        "services": many,
        "datastores": {"postgres": {}},
        "environments": {"production": {"host": "scale.example.com"}},
    }
    return yaml.safe_dump(data, sort_keys=False).encode()


def main() -> None:
    """Print every ratio."""
    os.environ["PYTHONPATH"] = str(ROOT / "generator")
    python = sys.executable
    trimtab = [python, "-m", "trimtab"]
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(here / "cache")
        subprocess.run([*trimtab, "render", "--settings", str(PLATFORM), "--out", "platform"], cwd=here, check=True)
        check = [*trimtab, "check", "platform"]
        imports = [python, "-c", "import yaml, jinja2, pydantic, typer"]
        pair("check, nothing new / importing yaml, jinja2, pydantic, typer", check, imports, here)
        no_renders = ["sh", "-c", f"rm -rf {here}/cache/trimtab/renders && {' '.join(check)}"]
        pair("check that validates and renders / importing the same", no_renders, imports, here)

        template = here / "template"
        template.mkdir()
        shutil.copy(ROOT / "copier.yml", template)
        shutil.copytree(ROOT / "template", template / "template")
        git = ["git", "-c", "user.name=b", "-c", "user.email=b@example.com"]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "v1"], ["tag", "v1"]):
            subprocess.run([*git, *command], cwd=template, check=True)
        (here / "copy").mkdir()
        shutil.copy(PLATFORM, here / "copy")
        copier = [python, "-m", "copier", "copy", "--defaults", "--pretend", "--quiet", str(template), "copy"]
        pair("copier copy --pretend / check", copier, check, here)
        print(f"peak memory of check: {peak(check, here):.0f} MB, rendering {peak(no_renders, here):.0f} MB")

        print("rendering services, cold:")
        for number in (10, 100, 1000):
            (here / "many.yml").write_bytes(services(number))
            begin = time.perf_counter()
            subprocess.run(
                [*trimtab, "render", "--settings", "many.yml"], cwd=here, check=True, stdout=subprocess.DEVNULL
            )
            seconds = time.perf_counter() - begin
            print(f"  {number:5}: {seconds:.2f} s, {seconds / number * 1000:.1f} ms per service")


if __name__ == "__main__":
    main()
