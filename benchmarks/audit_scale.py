"""How the audit's time and memory grow: python benchmarks/audit_scale.py [files ...] [--against COMMAND].

Makes a repository of services (see `big_repository`), then audits it in a process of its own, as from a terminal with
everything imported anew. `--against` runs another command on the same tree, with the tree's path as its last word.
Processor time is that of the process and its children: on a machine that others use, compare that.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.big_repository import build  # noqa: E402 - a script finds its neighbours only now

AUDIT = [sys.executable, "-m", "trimtab", "audit", "--format", "json"]


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    wall: float
    user: float
    system: float
    megabytes: float


def cost(command: list[str]) -> Cost:
    """Run a command to its end. Exit code 1 means findings; any other than 0 is a failure."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    watch = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
    watch += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code not in (0, 1))"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "generator")}
    done = subprocess.run(
        [sys.executable, "-c", watch, *command], check=True, stdout=subprocess.PIPE, text=True, env=env
    )
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Cost(wall, user, system, int(done.stdout) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--against", help="another command, run with the tree's path at its end")
    options = parser.parse_args()
    print(f"{'files':>8} {'wall s':>8} {'user s':>8} {'system s':>9} {'user ms/file':>13} {'MB':>6}")
    for files in options.files:
        with tempfile.TemporaryDirectory() as directory:
            build(Path(directory), files)
            ours = cost([*AUDIT, directory])
            line = f"{files:>8} {ours.wall:>8.2f} {ours.user:>8.2f} {ours.system:>9.2f}"
            print(f"{line} {ours.user / files * 1000:>13.3f} {ours.megabytes:>6.0f}", flush=True)
            if options.against:
                other = cost([*shlex.split(options.against), directory])
                line = f"{'':>8} {other.wall:>8.2f} {other.user:>8.2f} {other.system:>9.2f}"
                print(f"{line} {other.user / files * 1000:>13.3f} {other.megabytes:>6.0f}  {options.against}")
                print(f"{'':>8} {other.wall / ours.wall:>7.0f}x {other.user / ours.user:>7.0f}x")


if __name__ == "__main__":
    main()
