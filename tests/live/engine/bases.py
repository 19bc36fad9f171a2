"""Stand-ins for the upstream images, of Debian's, npm's and PyPI's packages, for where no registry is reachable.

They bear the upstream names, so that the emitted files need no change, and live in an engine of ours only. They are
built with glibc, like most of the originals: what runs on musl upstream (nginx) is not tried on musl. Versions of
databases, Python and Rust are Debian's.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.live.engine.daemon import Engine, UnavailableError

_HERE = Path(__file__).parent / "bases"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Programs find the machine's certificates through these; builds inherit them from the base image.
_POINTERS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
_LABEL = "trimtab.live.recipe"
# Images that no emitted file names: made by us wherever the tests run.
TOOLS = {"runner": "trimtab.test/runner:1", "registry": "trimtab.test/registry:1"}


def pins() -> dict[str, str]:
    """The images by kind. Nobody can make an image of a given digest, so stand-ins bear the tag alone."""
    images: dict[str, str] = yaml.safe_load((ROOT / "template/lib/pins.yml").read_text())["images"]
    return images


def tag_of(image: str) -> str:
    return image.split("@", maxsplit=1)[0]


def provide(engine: Engine, kinds: list[str], datastores: dict[str, str]) -> None:
    """See to it that the base images are there: `kinds` of pins.yml, and datastores by their full image name."""
    if not engine.is_ours:
        return  # the engine pulls the originals itself
    names = pins()
    wanted = {**{kind: tag_of(names[kind]) for kind in kinds}, **datastores}
    _provide(engine, names["debian"], lambda: _debian(engine, names["debian"]))
    _provide_all(engine, {kind: image for kind, image in wanted.items() if kind != "debian"})


def _provide_all(engine: Engine, wanted: dict[str, str]) -> None:
    """Packages are fetched while others are unpacked."""
    with ThreadPoolExecutor(3) as pool:
        tasks = [
            pool.submit(_provide, engine, image, partial(_build, engine, kind, image), _recipe(kind))
            for kind, image in wanted.items()
        ]
        for task in tasks:
            task.result()


def provide_tools(engine: Engine) -> None:
    """See to it that the images of `TOOLS` are there."""
    _provide_all(engine, TOOLS)


def _recipe(kind: str) -> str:
    """What a stand-in is made from, so that one of an older recipe is made again."""
    recipe = (_HERE / f"{kind}.Dockerfile").read_text()
    parts = [part.read_text() for part in sorted(_HERE.glob("*.sh")) if part.name in recipe]
    return hashlib.sha256("".join([recipe, *parts]).encode()).hexdigest()


def _provide(engine: Engine, image: str, make: Callable[[], None], recipe: str = "") -> None:
    label = f'{{{{ index .Config.Labels "{_LABEL}" }}}}'
    found = engine.docker("image", "inspect", "--format", label, image, check=False)
    if found.returncode or (recipe and found.stdout.strip() != recipe):
        print(f"making a stand-in for {image}", file=sys.stderr)
        make()


def _debian(engine: Engine, image: str) -> None:
    with tempfile.TemporaryDirectory(prefix="trimtab-debian-") as folder:
        root = Path(folder) / "root"
        _run("debootstrap", "--variant=minbase", "--include=ca-certificates", "trixie", root)
        shutil.rmtree(root / "var/cache/apt/archives")
        shutil.copy(_CERTIFICATES, root / _CERTIFICATES.relative_to("/"))
        _import(engine, image, root, [f"ENV {name}={_CERTIFICATES}" for name in _POINTERS] + ['CMD ["bash"]'])


def _import(engine: Engine, image: str, root: Path, changes: list[str]) -> None:
    archive = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
    options = [option for change in changes for option in ("--change", change)]
    engine.docker("import", *options, "-", image, stdin=archive.stdout)
    if archive.wait():
        raise UnavailableError(f"cannot pack {root}")


def _build(engine: Engine, kind: str, image: str) -> None:
    with tempfile.TemporaryDirectory(prefix="trimtab-base-") as folder:
        context = Path(folder)
        shutil.copytree(_HERE, context, dirs_exist_ok=True)
        version = image.rsplit(":", 1)[1].split("-", maxsplit=1)[0]
        if kind == "node":
            _node(context, version)
        elif kind == "uv":
            _uv(context, version)
        options = ["--label", f"{_LABEL}={_recipe(kind)}"]
        for name in ("debian", "node", "uv"):
            options += ["--build-arg", f"{name.upper()}={pins()[name]}"]
        engine.docker("build", *options, "--file", context / f"{kind}.Dockerfile", "--tag", image, context)


def _node(context: Path, version: str) -> None:
    machine = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
    for name, package in (("node", f"node-linux-{machine}@{version}"), ("npm", "npm@11")):
        packed = _run("npm", "pack", "--silent", "--pack-destination", context, package).splitlines()[-1]
        with tarfile.open(context / packed) as archive:
            archive.extractall(context / f"{name}-packed", filter="data")
        (context / f"{name}-packed" / "package").rename(context / name)
    for folder in ("include", "share"):  # headers and manuals
        shutil.rmtree(context / "node" / folder, ignore_errors=True)
    for program in [context / "node/bin/node", *(context / "npm/bin").glob("*.js")]:
        program.chmod(0o755)  # here, since a RUN would store the file twice


def _uv(context: Path, version: str) -> None:
    _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", context, f"uv=={version}")
    (wheel,) = context.glob("uv-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (program,) = [n for n in archive.namelist() if n.endswith("/scripts/uv")]
        (context / "uv").write_bytes(archive.read(program))
    (context / "uv").chmod(0o755)


def _run(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], text=True, capture_output=True, check=False, env={**os.environ})
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise UnavailableError(f"{command[0]} failed: {tail}")
    return done.stdout
