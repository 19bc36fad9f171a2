"""What each claim of the README rests on: `claims.yml` names tests, runs record them, `make proof` writes the page."""
