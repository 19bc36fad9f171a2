"""One platform that runs for all tests of this folder."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.live.engine.daemon import Engine
from tests.live.platform.running import Running, laid_out

pytestmark = pytest.mark.live


@pytest.fixture(scope="session")
def laid(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """The emitted files, the applications and .env in a folder; nothing is built yet."""
    return laid_out(engine, "platform", tmp_path_factory.mktemp("live") / "platform")


@pytest.fixture(scope="session")
def platform(laid: Running, figures: dict[str, object]) -> Iterator[Running]:
    """The whole platform, built and healthy."""
    laid.compose("down", "--volumes", "--remove-orphans", "--timeout", "1")
    began = time.monotonic()
    laid.compose("build")
    built = time.monotonic()
    laid.compose("up", "--detach", "--wait")
    figures["engine"] = (
        f"Docker {laid.engine.version()}, {'stand-in' if laid.engine.is_ours else 'upstream'} base images"
    )
    figures["docker compose build"] = f"{built - began:.1f} s"
    figures["docker compose up --wait"] = f"{time.monotonic() - built:.1f} s"
    yield laid
    laid.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")
