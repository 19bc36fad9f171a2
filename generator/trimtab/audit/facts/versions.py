"""Comparing the versions of one product that several files state."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place, Version
from trimtab.audit.facts.products import release_of, same_version, version_numbers
from trimtab.audit.facts.text import nearest
from trimtab.errors import some


def differing(facts: Facts, products: frozenset[str]) -> dict[tuple[str, str], list[tuple[Place, str]]]:
    """By (product, directory) the places that state versions which do not agree.

    What is stated in a service's directory is compared there and with what the root states; two services
    may differ by design. Where one disagrees with the root, all that states a version takes part in one finding.
    """
    found: dict[tuple[str, str], list[tuple[Place, str]]] = {}
    by_product: dict[str, list[Version]] = defaultdict(list)
    for version in facts.versions:
        if version.product in products and version_numbers(version.text):
            by_product[version.product].append(version)
    for product, stated in by_product.items():
        by_home: dict[str, list[Version]] = defaultdict(list)
        for version in stated:
            by_home[_home(facts, version)].append(version)
        common = by_home.pop("", [])
        claims = {home: _claims(versions) for home, versions in by_home.items()}
        everywhere = _claims(common)
        apart = [home for home in sorted(by_home) if not _agree(everywhere | claims[home], product)]
        if common and (apart or not _agree(everywhere, product)):
            where = apart[0] if len(apart) == 1 and _agree(everywhere, product) else ""
            found[(product, where)] = _places(stated)  # one cause: what agrees takes part in it as well
        else:
            found |= {(product, home): _places(by_home[home]) for home in apart}
    return found


def drifts(facts: Facts, products: frozenset[str]) -> Iterator[tuple[str, list[tuple[Place, str]]]]:
    """For each product and directory whose versions do not agree, what to say of it and the places."""
    for (product, directory), places in sorted(differing(facts, products).items()):
        where = f" in {directory}" if directory else ""
        versions = some(distinct(places, product), 5)
        yield f"The version of {product}{where} differs between files: {versions}", places


def distinct(places: list[tuple[Place, str]], product: str) -> list[str]:
    """The versions that places state, each once: `20`, where they say 20, 20-alpine and >=20.0.0."""
    releases = {release_of(version_numbers(value.partition(" ")[2]), product) for _, value in places}
    kept = [one for one in releases if not any(one != other and other[: len(one)] == one for other in releases)]
    return [".".join(map(str, numbers)) for numbers in sorted(kept)]


def _places(stated: list[Version]) -> list[tuple[Place, str]]:
    return [(version.place, f"{version.product} {version.text}") for version in stated]


_DEPLOY_DIRECTORIES = frozenset(
    [
        "deploy",
        "deployment",
        "deployments",
        "docker",
        "infra",
        "infrastructure",
        "k8s",
        "kubernetes",
        "ops",
        "compose",
        "helm",
        "charts",
        "manifests",
        "ci",
        ".github",
        ".devcontainer",
    ]
)


def _home(facts: Facts, version: Version) -> str:
    """The service directory that a version belongs to, "" for the whole repository."""
    roots: set[str] = facts.once("roots", lambda: {service.root for service in facts.services if service.root})
    owned: dict[str, str] = facts.once("dockerfile roots", lambda: _dockerfile_roots(facts))
    if version.place.path in owned:
        return owned[version.place.path]
    inside = version.directory
    first = inside.split("/")[0]
    deploys = first in _DEPLOY_DIRECTORIES or re.search(r"k8s|kube|manifest|deploy", first) is not None
    if version.kind == "image" and inside and not deploys and inside not in roots:
        return inside
    return nearest(inside, roots)


def _dockerfile_roots(facts: Facts) -> dict[str, str]:
    return {one.path: service.root for service in facts.services if service.root for one in service.dockerfiles}


def _claims(stated: list[Version]) -> frozenset[tuple[str, bool]]:
    """Each text that states a version, once, and whether it is a range: a thousand files say the same."""
    return frozenset((version.text, version.kind == "range" and _is_range(version.text)) for version in stated)


def _agree(claims: frozenset[tuple[str, bool]], product: str) -> bool:
    numbers = {version_numbers(text) for text, is_range in claims if not is_range}
    if any(not same_version(one, other, product) for one, other in itertools.combinations(numbers, 2)):
        return False
    return all(_allows(text, number) for text, is_range in claims if is_range for number in numbers)


def _is_range(text: str) -> bool:
    return bool(re.search(r"[<>^~|*x,]|\|\|", text))


def _allows(text: str, number: tuple[int, ...]) -> bool:
    """Whether a range allows a version, as far as both are written; alternatives by `||`, conditions by
    comma or blank.
    """
    return any(_all_hold(alternative, number) for alternative in re.split(r"\|\|?", text))


def _all_hold(text: str, number: tuple[int, ...]) -> bool:
    for operator, written in re.findall(r"(?:(>=|<=|==|!=|~=|~>|>|<|\^|~)\s*)?v?(\d+(?:\.(?:\d+|\*|x))*)", text):
        wanted = version_numbers(written.replace("*", "").replace("x", "").rstrip("."))
        length = min(len(wanted), len(number))
        left, right = number[:length], wanted[:length]
        if operator == ">=" and left < right:
            return False
        if operator == ">" and (left < right or (left == right and len(number) >= len(wanted) > 1)):
            return False
        if operator == "<" and (left > right or (left == right and len(number) >= len(wanted))):
            return False
        if operator == "<=" and left > right:
            return False
        if operator == "^" and (left < right or number[0] != wanted[0]):
            return False
        if operator in ("~", "~=", "~>") and (
            left < right or left[: max(1, len(wanted) - 1)] != wanted[: max(1, min(length, len(wanted) - 1))]
        ):
            return False
        if operator in ("", "==") and left != right and not text.strip().endswith("+"):
            return False
    return True
