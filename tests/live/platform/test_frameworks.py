"""The frameworks that the platform does not have: what is emitted for each is built, runs, and is what it promises."""

from __future__ import annotations

import html
import json
import os
import re
import threading
import time
from collections.abc import Iterator

import pytest

from tests.live.engine import bases
from tests.live.engine.daemon import Engine
from tests.live.platform.running import Answer, Running, assert_confined, becomes, laid_out, running_services

pytestmark = [pytest.mark.live, pytest.mark.long]
NOTE = """it's "q" $HOME \\ é"""
ROOTS = {
    **{"shop": "python", "billing": "python", "orders": "node", "stock": "distroless", "search": "debian"},
    **{"site": "node", "admin": "node"},
}


@pytest.fixture(scope="module")
def zoo(engine: Engine, tmp_path_factory: pytest.TempPathFactory, figures: dict[str, object]) -> Iterator[Running]:
    """Django, Flask, NestJS, Go, Axum's Dockerfile, Nuxt and SvelteKit on one database, behind one gateway."""
    laid = laid_out(engine, "frameworks", tmp_path_factory.mktemp("zoo") / "platform")
    laid.compose("down", "--volumes", "--remove-orphans", "--timeout", "1")
    began = time.monotonic()
    laid.compose("build")
    figures["docker compose build of seven more frameworks"] = f"{time.monotonic() - began:.1f} s"
    laid.compose("up", "--detach", "--wait")
    yield laid
    laid.compose("down", "--volumes", "--remove-orphans", "--timeout", "1")


def note(text: str) -> str:
    (found,) = re.findall(r'data-note="([^"]*)"', text)
    return html.unescape(found)


def test_every_framework_serves_through_the_gateway(zoo: Running) -> None:
    assert json.loads(zoo.get("/shop/items/a-1").text) == {"items": ["a-1"], "uid": 10001}
    assert json.loads(zoo.get("/billing/bills/b-1").text) == {"bills": 1, "uid": 10001}
    assert json.loads(zoo.get("/orders/add/c-1").text) == {"orders": ["c-1"], "uid": 1000}
    assert zoo.get("/stock/uid").text == "65532"
    assert zoo.get("/stock/search").text == "search answers /search/from-stock"  # by the variable SEARCH_URL
    assert zoo.get("/search/x").text == "search answers /search/x"
    assert note(zoo.get("/").text) == NOTE
    assert note(zoo.get("/admin").text) == NOTE


def test_static_files_are_collected_into_the_image(zoo: Running) -> None:
    assert zoo.get("/shop/static/catalogue.css") == Answer(200, "body { color: teal; }\n")


def test_a_form_knows_the_address_of_its_visitors(zoo: Running) -> None:
    """ORIGIN follows the port that .env chooses."""
    mine = f"http://localhost:{zoo.ports['GATEWAY_HOST_PORT']}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert zoo.get("/admin/", method="POST", data=b"", headers={**form, "Origin": mine}).status == 200
    assert zoo.get("/admin/", method="POST", data=b"", headers={**form, "Origin": "http://evil.test"}).status == 403


@pytest.mark.parametrize("service", ["shop", "billing", "orders", "stock"])
def test_every_migration_is_applied_and_verified(zoo: Running, service: str) -> None:
    assert zoo.inspect(f"{service}-migrate")["State"]["ExitCode"] == 0
    report = json.loads(zoo.compose("run", "--rm", "--no-deps", "-T", f"{service}-migrate", "verify").stdout)
    assert len(report["applied"]) == 1
    assert report["pending"] == []


def test_every_container_is_confined(zoo: Running) -> None:
    assert {*ROOTS} < {*running_services(zoo)}
    for service in ROOTS:
        assert_confined(zoo, service)


def test_requests_under_way_are_finished_when_their_services_stop(zoo: Running) -> None:
    services = ["shop", "billing", "orders", "stock"]
    answers: dict[str, int] = {}
    requests = [
        threading.Thread(target=lambda s=service: answers.update({s: zoo.get(f"/{s}/slow").status}))
        for service in services
    ]
    for request in requests:
        request.start()
    time.sleep(1)
    zoo.compose("stop", *services)
    for request in requests:
        request.join()
    codes = {service: zoo.inspect(service)["State"]["ExitCode"] for service in services}
    zoo.compose("up", "--detach", "--wait", *services)
    assert answers == dict.fromkeys(services, 200)
    assert not [service for service, code in codes.items() if code not in (0, 143)], codes


@pytest.mark.parametrize(
    ("service", "variable", "path", "start"),
    [("site", "NUXT_PUBLIC_NOTE", "/", ".output/server/index.mjs"), ("admin", "PUBLIC_NOTE", "/admin", "build")],
)
def test_one_image_serves_every_environment(zoo: Running, service: str, variable: str, path: str, start: str) -> None:
    ask = (
        "const ask = () => fetch(`http://127.0.0.1:${process.env.PORT}" + path + "`).then(async (answer) => {"
        "console.log(await answer.text()); process.exit(0) }, () => setTimeout(ask, 200)); ask()"
    )
    for value in ("staging's", '</script>"$(id)"'):
        shown = zoo.engine.docker(
            *("run", "--rm", "--read-only", "--cap-drop", "ALL", "--env", f"{variable}={value}", "--env", f"ASK={ask}"),
            *("--entrypoint", "sh", f"registry.test/trimtab/zoo-{service}:local"),
            *("-c", f'node {start} >/dev/null & node -e "$ASK"'),
        ).stdout
        assert note(shown) == value


def test_images_add_little_to_their_bases(zoo: Running, figures: dict[str, object]) -> None:
    def size(name: str) -> int:
        return int(zoo.engine.docker("image", "inspect", "--format", "{{.Size}}", name).stdout)

    for service, root in ROOTS.items():
        added = (size(f"registry.test/trimtab/zoo-{service}:local") - size(bases.tag_of(bases.pins()[root]))) / 1e6
        figures[f"{service} adds to its base image"] = f"{added:.0f} MB"
        assert added < 200, service


def test_development_reloads_each_of_them(zoo: Running) -> None:
    """Go and Rust are left out: air and cargo-watch come from places that the stand-ins do not have."""
    dev = Running(zoo.engine, zoo.folder, ("docker-compose.yml", "docker-compose.dev.yml"), zoo.ports)
    os.chown(zoo.folder / "orders", 1000, 1000)  # where the compiler of NestJS writes `dist`
    dev.compose("up", "--detach", "--wait", "--build", "--no-deps", "shop", "billing", "orders", "site", "admin")
    edits = {
        "shop": ("shop/shop/urls.py", '"slow": True', '"slow": "edited"', "/shop/slow", '"edited"'),
        "billing": ("billing/app.py", '"slow": True', '"slow": False', "/billing/slow", "false"),
        "orders": ("orders/src/main.ts", "slow: true", 'slow: "edited"', "/orders/slow", '"edited"'),
        "site": ("site/app/app.vue", ">site<", ">edited site<", "/", "edited site"),
        "admin": ("admin/src/routes/+page.svelte", ">admin<", ">edited admin<", "/admin", "edited admin"),
    }
    for path, old, new, _, _ in edits.values():
        dev.replace(path, old, new)
    for service, (_, _, _, path, shown) in edits.items():
        assert becomes(lambda path=path, shown=shown: shown in dev.get(path).text, 90), dev.compose(
            "logs", "--tail", "20", service
        ).stdout
