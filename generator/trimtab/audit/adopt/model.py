"""What adoption speaks of: values seen with their places, the one chosen, and the tree of settings that is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from trimtab.audit.facts.model import Place

# The documented precedence (docs/adopt.md): the lower rank wins. What the source does beats what files claim, what runs
# in a cluster beats the image, the image beats Compose, and production beats every other environment.
SOURCE, CLUSTER, IMAGE, COMPOSE, PIPELINE, ENV_FILE, GUESS = 0, 10, 20, 30, 40, 50, 90
_LATER = {"production": 0, "": 1, "staging": 3, "example": 6, "local": 8}


def rank(kind: int, environment: str = "") -> int:
    """The rank of a value that a kind of file states for an environment."""
    return kind + _LATER.get(environment, 4)


def kind_of(order: int) -> int:
    """The kind of file that a rank is of."""
    return order // 10 * 10


@dataclass(frozen=True, slots=True)
class Seen:
    """One value as one place states it. `why` is a word on what the place is, where the path does not tell."""

    value: Any
    place: Place | None
    rank: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The value that won, and every other value with its places."""

    value: Any
    place: Place | None
    why: str = ""
    others: tuple[tuple[Any, tuple[Place, ...]], ...] = ()


def choose(seen: Iterable[Seen]) -> Choice | None:
    """The value of the lowest rank, of several that nearest to the root, then the first; None when there is none."""
    ordered = sorted(seen, key=lambda one: (one.rank, one.place.path.count("/") if one.place else 0))
    if not ordered:
        return None
    best = ordered[0]
    others: list[tuple[Any, list[Place]]] = []
    for one in ordered[1:]:
        if one.value == best.value or one.place is None:
            continue
        places = next((places for value, places in others if value == one.value), None)
        if places is None:
            others.append((one.value, [one.place]))
        elif one.place not in places:
            places.append(one.place)
    return Choice(best.value, best.place, best.why, tuple((value, tuple(places)) for value, places in others))


ABSENT = object()


@dataclass(slots=True)
class Node:
    """A setting with what is said about it: a mapping of further nodes where `children` is one, else a plain value,
    or ABSENT where something is said of a setting that is not there.
    """

    value: Any = None
    children: dict[str, Node] | None = None
    remark: str = ""
    comments: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # one for each item of a list

    @classmethod
    def mapping(cls) -> Node:
        """An empty mapping."""
        return cls(children={})

    def put(self, key: str, value: Any, remark: str = "", comments: Iterable[str] = ()) -> Node:
        """Set a plain value under `key`, at the place of an earlier one."""
        assert self.children is not None  # noqa: S101 - only mappings are filled
        node = Node(value, None, remark, [*self._said(key), *comments])
        self.children[key] = node
        return node

    def note(self, key: str, text: str) -> None:
        """Say something where a setting stands, or would stand."""
        assert self.children is not None  # noqa: S101 - as above
        self.children.setdefault(key, Node(ABSENT)).comments.append(text)

    def _said(self, key: str) -> list[str]:
        """What was said of a setting before it was there."""
        held = (self.children or {}).get(key)
        return held.comments if held is not None and held.value is ABSENT else []

    @property
    def empty(self) -> bool:
        """Whether a mapping holds no setting."""
        return self.children is not None and all(one.value is ABSENT for one in self.children.values())

    def choice(self, key: str, choice: Choice | None) -> None:
        """Set what was chosen, with its evidence and the conflict, if there is one."""
        if choice is not None:
            remark = " ".join(filter(None, [shown(choice.place) if choice.place else "", choice.why]))
            self.put(key, choice.value, remark, [conflict(key, choice)] if choice.others else [])

    def at(self, *keys: str) -> Node:
        """The mapping under a path of keys, made where it is missing."""
        here = self
        for key in keys:
            assert here.children is not None  # noqa: S101 - as above
            if here._said(key) or key not in here.children:
                here.children[key] = Node(children={}, comments=list(here._said(key)))
            here = here.children[key]
        return here

    def remove(self, path: tuple[str, ...]) -> bool:
        """Drop what stands under a path, and every mapping that this leaves empty; False when there is nothing."""
        if not path or self.children is None or path[0] not in self.children:
            return False
        below = self.children[path[0]]
        if len(path) == 1:
            del self.children[path[0]]
            return True
        done = below.remove(path[1:])
        if done and below.empty and path[0] not in ("local",):
            self.comments += [
                *below.comments,
                *(text for one in (below.children or {}).values() for text in one.comments),
            ]
            del self.children[path[0]]
        return done


def shown(place: Place) -> str:
    """A place as text."""
    return f"{place.path}:{place.line}"


def line_naming(text: str, name: str) -> int:
    """The first line that holds a name as a word of its own, 0 for none."""
    at = text.find(name)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
        if not (before.isalnum() or before in "-_/@.") and not (after.isalnum() or after in ("-", "_", "/")):
            return text.count("\n", 0, at) + 1
        at = text.find(name, at + 1)
    return 0


def conflict(key: str, choice: Choice) -> str:
    """The other values of a conflict: `port: 3001 at frontend/.env:3; 8080 at docker-compose.yml:12`."""
    parts = []
    for value, places in choice.others[:4]:
        where = ", ".join(shown(place) for place in places[:3])
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        parts.append(f"{brief(value)} at {where}{more}")
    more = f"; {len(choice.others) - 4} more" if len(choice.others) > 4 else ""
    return f"{key}: elsewhere {'; '.join(parts)}{more}"


def brief(value: Any) -> str:
    """A value in a comment, cut where it is long."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def brief_list(items: list[str], most: int = 6) -> str:
    """The first few of a list, for a comment."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
