"""The rules: one module each, found by being here. A module has `RULE`, and its file name is the rule's
id.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from trimtab.audit.finding import Rule
from trimtab.errors import TrimtabError


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by id."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_"))
    return tuple(importlib.import_module(f"{__name__}.{name}").RULE for name in names)


def rule(rule_id: str) -> Rule:
    """The rule of this id. Raises `TrimtabError` for an unknown one, naming those that are near."""
    import difflib

    known = {one.id: one for one in all_rules()}
    wanted = rule_id.strip().lower().replace("_", "-")
    if wanted in known:
        return known[wanted]
    by_kind = [one for one in all_rules() if one.kind and one.kind == rule_id]
    if by_kind:
        return by_kind[0]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)
    raise TrimtabError(
        f"no rule is called {rule_id!r}",
        f"Did you mean {', '.join(near)}?" if near else "See `trimtab rules`.",
    )
