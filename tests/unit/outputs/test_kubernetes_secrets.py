"""Secrets: no value in any file, every key from somewhere, and scripts that encrypt what a person fills in."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.outputs import kubernetes as k8s
from tests.unit.outputs.kubernetes import EACH, Document, documents

_VALUES = {
    "POSTGRES_PASSWORD": "pg" + "0" * 30,
    "REDIS_PASSWORD": "rd" + "1" * 30,
    "JWT_SECRET": 'it\'s $HOME "quoted" = 2 é',
    "DATABASE_URL": "postgresql://u:p@db.example.com:5432/x",
}
# kubeseal and sops are not on PyPI; these stand-ins mark what they were given, as those mark what they encrypt.
_FAKE = "#!/bin/sh\nprintf '%s\\n' \"$0 $*\" >>\"$CALLS\"\nprintf '# encrypted\\n'\ncat\n"


def _environment(name: str, environment: str) -> Document:
    return next(e for e in k8s.environments(name) if e["name"] == environment)


@pytest.mark.parametrize("name", k8s.NAMES)
def test_no_file_holds_a_secret(name: str) -> None:
    for path, text in k8s.platform(name).files.items():
        if not path.startswith("k8s/") or not path.endswith(".yaml"):
            continue
        for document in yaml.safe_load_all(text):
            assert (document or {}).get("kind") != "Secret", path


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_every_key_that_a_pod_reads_comes_from_somewhere(name: str, environment: str) -> None:
    e = _environment(name, environment)
    wanted = {f"{s['name']}-secrets": set(s["secrets"]) for s in e["services"] if s["secrets"]}
    wanted |= {f"{d['kind']}-secrets": {d["password_variable"]} for d in e["datastores"] if not d["external"]}
    for _, template in k8s.pods(name, environment):
        for container in k8s.containers(template):
            for variable in container.get("env", []):
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    assert reference["key"] in wanted[reference["name"]]
    backend = k8s.platform(name).project["delivery"]["secrets"]
    external = documents(name, environment, "ExternalSecret")
    if backend != "external-secrets":
        assert not external
        return
    made = {}
    for document in external:
        target = document["spec"]["target"]
        fetched = {d["secretKey"] for d in document["spec"]["data"]}
        texts = target.get("template", {}).get("data")
        for text in (texts or {}).values():
            assert set(re.findall(r"\{\{ \.(\w+)", text)) <= fetched
        made[target["name"]] = set(texts) if texts else fetched
        assert document["spec"]["secretStoreRef"]["name"] == e["namespace"]
    assert made == wanted


@pytest.mark.parametrize(("name", "environment"), EACH)
def test_a_url_in_the_cluster_is_made_of_the_one_password(name: str, environment: str) -> None:
    stores = {d["url_variable"]: d for d in _environment(name, environment)["datastores"]}
    for document in documents(name, environment, "ExternalSecret"):
        for key, text in document["spec"]["target"].get("template", {}).get("data", {}).items():
            store = stores.get(key)
            if store and not store["external"]:
                scheme = {"DATABASE_URL": "postgresql", "REDIS_URL": "redis"}[key]
                user = store["user"] if key == "DATABASE_URL" else ""
                path = store["database"] if key == "DATABASE_URL" else "0"
                password = "{{ ." + store["password_variable"] + " | urlquery }}"
                assert text == f"{scheme}://{user}:{password}@{store['kind']}:{store['port']}/{path}"


ENCRYPTED = [n for n in k8s.NAMES if k8s.VARIANTS[n].get("delivery", {}).get("secrets") in ("sealed-secrets", "sops")]


@pytest.mark.parametrize("name", ENCRYPTED)
@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_the_script_writes_every_secret_encrypted(name: str, tmp_path: Path) -> None:
    for e in k8s.environments(name):
        done, calls = _encrypt(name, e["name"], tmp_path / e["name"], _VALUES | dict.fromkeys(_more(e), "x"))
        assert done.returncode == 0, done.stderr
        folder = tmp_path / e["name"] / "k8s" / "overlays" / e["name"] / "secrets"
        secrets = {p.stem: yaml.safe_load(p.read_text()) for p in folder.glob("*-secrets.yaml")}
        wanted = {f"{s['name']}-secrets": set(s["secrets"]) for s in e["services"] if s["secrets"]}
        wanted |= {f"{d['kind']}-secrets": {d["password_variable"]} for d in e["datastores"] if not d["external"]}
        assert {n: set(s["data"]) for n, s in secrets.items()} == wanted
        for path in folder.glob("*-secrets.yaml"):
            assert path.read_text().startswith("# encrypted")
        for secret in secrets.values():
            assert secret["metadata"]["namespace"] == e["namespace"]
            for key, encoded in secret["data"].items():
                value = base64.b64decode(encoded).decode()
                store = next((d for d in e["datastores"] if d["url_variable"] == key and not d["external"]), None)
                assert (_VALUES[store["password_variable"]] in value) if store else value == _VALUES.get(key, "x")
        assert not [v for v in _VALUES.values() if v in calls]  # never in an argument list
        if (folder / "kustomization.yaml").exists():
            listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
            assert sorted(listed) == sorted(f"{n}.yaml" for n in secrets)
            assert "kind: Secret" in k8s.kustomize(folder.parent)  # and the overlay still builds


def _more(e: Document) -> set[str]:
    return {key for s in e["services"] for key in s["secrets"]} - set(_VALUES)


def _encrypt(
    name: str, environment: str, folder: Path, values: dict[str, str]
) -> tuple[subprocess.CompletedProcess[str], str]:
    k8s.write(k8s.platform(name), folder)
    script = folder / "infrastructure" / "secrets" / "encrypt.sh"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(k8s.platform(name).files["infrastructure/secrets/encrypt.sh"])
    (folder / "env").mkdir(exist_ok=True)
    lines = [f"{k}='{v}'" if " " in v else f"{k}={v}" for k, v in values.items()]
    (folder / "env" / f"{environment}.env").write_text("# comment\n\n" + "\n".join(lines))
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for program in ("kubeseal", "sops"):
        (programs / program).write_text(_FAKE)
        (programs / program).chmod(0o755)
    calls = folder / "calls"
    calls.touch()
    done = subprocess.run(
        ["bash", str(script), environment],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls)},
    )
    return done, calls.read_text()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"POSTGRES_PASSWORD": "a b@c"}, "POSTGRES_PASSWORD"),
        ({"REDIS_PASSWORD": ""}, "REDIS_PASSWORD"),
        ({"JWT_SECRET": ""}, "JWT_SECRET is missing"),
    ],
)
@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_the_script_names_what_is_missing(tmp_path: Path, changed: dict[str, str], says: str) -> None:
    done, _ = _encrypt("blue-green-flux", "staging", tmp_path, _VALUES | changed)
    assert done.returncode != 0
    assert says in done.stderr
    wrong = subprocess.run(
        ["bash", str(tmp_path / "infrastructure/secrets/encrypt.sh"), "nowhere", "/dev/null"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nowhere is no environment" in wrong.stderr


@pytest.mark.parametrize("name", ENCRYPTED)
def test_a_fresh_tree_builds_without_any_secret(name: str) -> None:
    for e in k8s.environments(name):
        assert not documents(name, e["name"], "Secret", "SealedSecret")
