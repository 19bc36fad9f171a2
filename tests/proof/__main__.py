"""`python -m tests.proof`: write docs/proof.md from what the last runs recorded; exit 1 for a claim without proof."""

from __future__ import annotations

import sys

from tests.proof import claims, page


def main() -> int:
    """Write the page, and name on standard error each claim that the runs leave open."""
    known, runs = claims.load(), page.read_runs()
    if not runs.tests:
        print("no run is recorded: `make test` and `make live` come first", file=sys.stderr)
        return 2
    page.PAGE.write_text(page.page(known, runs), encoding="utf-8")
    missing = page.gaps(known, runs)
    for line in missing:
        print(f"not proven: {line}", file=sys.stderr)
    print(f"{page.PAGE.relative_to(claims.ROOT)}: {len(known.every)} claims, {len(missing)} of them without proof")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
