"""A service of each language that nothing checks live: the programs that its checks call, and the right calls."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.outputs.runner import Runner


@dataclass(frozen=True)
class Check:
    """A service of a language, the programs that its checks call, and the calls that are right.

    `programs` hold what they do besides being recorded; `links` are files of the service that are such a program.
    """

    platform: str
    service: str
    files: dict[str, str]
    programs: dict[str, str]
    lint: list[str]
    test: list[str]
    report: str
    links: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def runner(self, folder: Path, *, without: str = "") -> Runner:
        made = Runner(folder, self.platform, self.versions)
        service = made.root / self.service
        service.mkdir(parents=True, exist_ok=True)
        for program, body in self.programs.items():
            made.fake(program, body)
        for name, text in self.files.items():
            if name != without:
                (service / name).write_text(text)
        for name, program in self.links.items():
            if name != without:
                (service / name).parent.mkdir(parents=True, exist_ok=True)
                (service / name).symlink_to(made.bin / program)
        return made


def called(runner: Runner) -> list[str]:
    """Every call as it would be typed, in order."""
    log = runner.home / "calls.jsonl"
    calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [" ".join([c["name"], *c["args"]]).replace(str(runner.root / "reports"), "reports") for c in calls]


# A program that writes its report where it was asked to, as `option FILE`, and then ends as the test wants.
def reports(option: str, file: str = "") -> str:
    return f"""
        while [ $# -gt 0 ]; do
          if [ "$1" = {option} ]; then echo '<report/>' > "$2{file}"; fi
          shift
        done
        exit "${{FAIL:-0}}" """


CHECKS = {
    "dotnet": Check(
        platform="polyglot2",
        service="freight",
        files={},
        programs={
            "dotnet": f"""case $1 in
              format) exit "${{LINT:-0}}" ;;
              list) echo "${{FOUND:-no vulnerable packages}}"; exit "${{LOOKUP:-0}}" ;;
              test) {reports("--results-directory", "/a.trx")} ;;
            esac""",
        },
        lint=[
            "dotnet restore",
            "dotnet format --no-restore --verify-no-changes --severity warn",
            "dotnet list package --vulnerable --include-transitive",
        ],
        test=["dotnet test --configuration Release --logger trx --results-directory reports"],
        report="a.trx",
    ),
    "elixir": Check(
        platform="polyglot2",
        service="tides",
        files={"mix.lock": '%{\n  "credo": {},\n  "junit_formatter": {},\n  "sobelow": {},\n}\n'},
        programs={
            "mix": """case $1 in
              credo) exit "${LINT:-0}" ;;
              test)
                mkdir -p _build/test/lib/tides
                echo '<report/>' > _build/test/lib/tides/test-junit-report.xml
                exit "${FAIL:-0}" ;;
            esac""",
        },
        lint=[
            "mix local.hex --force --if-missing",
            "mix local.rebar --force --if-missing",
            "mix deps.get --check-locked",
            "mix format --check-formatted",
            "mix compile --warnings-as-errors",
            "mix credo",
            "mix sobelow --skip --ignore Config.HTTPS --exit medium",
            "mix hex.audit",
        ],
        test=[
            "mix local.hex --force --if-missing",
            "mix local.rebar --force --if-missing",
            "mix deps.get --check-locked",
            "mix test --formatter JUnitFormatter --formatter ExUnit.CLIFormatter",
        ],
        report="junit/tides.xml",
    ),
    "go": Check(
        platform="polyglot",
        service="stock",
        files={},
        programs={
            "gofmt": 'echo "${UNFORMATTED:-}"',
            "go": f"""case "$1 $2" in
              *golangci-lint*) exit "${{LINT:-0}}" ;;
              *gotestsum*) {reports("--junitfile")} ;;
            esac""",
        },
        versions={"GOLANGCI_LINT_VERSION": "v2", "GOVULNCHECK_VERSION": "v3", "GOTESTSUM_VERSION": "v4"},
        lint=[
            "gofmt -l .",
            "go mod verify",
            "go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2 run ./...",
            "go run golang.org/x/vuln/cmd/govulncheck@v3 ./...",
        ],
        test=[
            "go run gotest.tools/gotestsum@v4 --junitfile reports/junit.xml -- -race -covermode atomic"
            " -coverprofile reports/coverage.out ./..."
        ],
        report="junit.xml",
    ),
    "java": Check(
        platform="polyglot",
        service="ledger",
        files={},
        links={"mvnw": "mvnw"},
        programs={
            "mvnw": """case $* in
              *-DskipTests*) exit "${LINT:-0}" ;;
              *)
                mkdir -p target/surefire-reports
                echo '<report/>' > target/surefire-reports/TEST-Ledger.xml
                exit "${FAIL:-0}" ;;
            esac""",
        },
        lint=["mvnw --batch-mode --no-transfer-progress -DskipTests verify"],
        test=["mvnw --batch-mode --no-transfer-progress verify"],
        report="junit/TEST-Ledger.xml",
    ),
    "php": Check(
        platform="polyglot2",
        service="billing",
        files={"composer.lock": "{}"},
        links={"vendor/bin/pint": "pint"},
        programs={
            "composer": "",
            "pint": 'exit "${LINT:-0}"',
            "php": f'[[ ${{#APP_KEY}} == 51 && $DB_URL == "$DATABASE_URL" ]] || exit 9\n{reports("--log-junit")}',
        },
        versions={"DATABASE_URL": "postgresql://localhost/billing"},
        lint=[
            "composer install --no-interaction --no-progress --prefer-dist",
            "composer validate --no-interaction --no-check-publish",
            "pint --test",
            "composer audit --no-interaction --abandoned=ignore",
        ],
        test=[
            "composer install --no-interaction --no-progress --prefer-dist",
            "php artisan test --log-junit reports/junit.xml",
        ],
        report="junit.xml",
    ),
    "ruby": Check(
        platform="polyglot2",
        service="berths",
        files={"Gemfile.lock": "GEM\n  specs:\n    rspec_junit_formatter (0.6.0)\n    rubocop (1.80.0)\n"},
        links={"spec": "."},
        programs={
            "bundle": f"""case $2 in
              rubocop) exit "${{LINT:-0}}" ;;
              rspec) {reports("--out")} ;;
            esac""",
            "bundler-audit": "",
            "gem": "",
        },
        versions={"BUNDLER_AUDIT_VERSION": "0.9"},
        lint=[
            "bundle check",
            "bundle exec rubocop",
            "gem install bundler-audit --version 0.9 --no-document",
            "bundler-audit check --update",
        ],
        test=[
            "bundle check",
            "bundle exec rspec --format progress --format RspecJunitFormatter --out reports/junit.xml",
        ],
        report="junit.xml",
    ),
}
