"""The words of services' names, and what they tell apart."""

from __future__ import annotations

import re

GENERIC = frozenset(
    {
        "app",
        "service",
        "svc",
        "deployment",
        "container",
        "image",
        "docker",
        "main",
        "k8s",
        "prod",
        "production",
        "dev",
        "local",
        "staging",
        "server",
        "the",
        "my",
    }
)
# What a Dockerfile's suffix says of the same image, rather than that it is another one.
VARIANT = re.compile(
    r"(?:dockerfile|containerfile|alpine|debian|ubuntu|slim|light|lite|minimal|small|distroless|scratch|base|build(?:er)?|"
    r"runtime|multi|multistage|stage|optimi[sz]ed|fast|full|simple|basic|standalone|new|old|v\d+|next|stable|"
    r"amd64|arm64|arm|armv7|x86|gpu|cpu|cuda|rootless|secure|hardened|debug|tests?|testing|ci|e2e|preview|release|"
    r"development|prebuilt|bun|pnpm|nginx|railway|render|fly|heroku|vercel|aws|gcp|azure|cloudrun|coolify)"
)
FRONT = frozenset({"frontend", "front", "web", "ui", "client", "webapp", "site", "dashboard", "spa"})
BACK = frozenset({"backend", "back", "api", "server", "gateway", "core"})


def tokens(name: str) -> frozenset[str]:
    """The words of a name, lower-case."""
    return frozenset(re.split(r"[^a-z0-9]+", name.lower())) - {""}


def common_words(names: list[str]) -> frozenset[str]:
    """The words that most names of a repository have, such as the project's own name: they tell nothing
    apart.
    """
    split = [tokens(name) for name in set(names)]
    if len(split) < 2:
        return frozenset()
    return frozenset(word for word in frozenset().union(*split) if sum(word in one for one in split) * 2 > len(split))


def another_workload(one: str, other: str) -> bool:
    """Whether two workload names are of two services, rather than two spellings of one."""
    if not one or not other or "tpl-" in one + other:
        return False
    left, right = tokens(one) - GENERIC, tokens(other) - GENERIC
    return bool(left and right) and not (left <= right or right <= left)


def unnumbered(name: str) -> str:
    """A name without the number at its end."""
    return re.sub(r"[-_]?\d{1,3}$", "", name)
