"""The checks of each language, run in a simulated runner: what they call, what they keep, and what fails the job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.outputs.checks import CHECKS, called
from tests.unit.outputs.runner import REAL, Runner

pytestmark = pytest.mark.skipif(not REAL["jq"], reason="jq is not installed")


LANGUAGES = pytest.mark.parametrize("language", CHECKS)


@LANGUAGES
def test_lint_calls_every_check(tmp_path: Path, language: str) -> None:
    check = CHECKS[language]
    runner = check.runner(tmp_path)
    runner.run(f"{language}.sh", "lint", check.service)
    assert called(runner) == check.lint
    assert (runner.root / "reports/lint.log").exists()


@LANGUAGES
def test_a_check_that_fails_fails_the_job(tmp_path: Path, language: str) -> None:
    check = CHECKS[language]
    runner = check.runner(tmp_path)
    assert runner.run(f"{language}.sh", "lint", check.service, check=False, LINT="3").returncode == 3
    assert called(runner) == check.lint[: len(called(runner))]


@LANGUAGES
def test_tests_run_and_their_report_is_kept(tmp_path: Path, language: str) -> None:
    check = CHECKS[language]
    runner = check.runner(tmp_path)
    runner.run(f"{language}.sh", "test", check.service)
    assert called(runner) == check.test
    assert runner.report(check.report) == "<report/>\n"


@LANGUAGES
def test_a_test_that_fails_fails_the_job_and_still_reports(tmp_path: Path, language: str) -> None:
    check = CHECKS[language]
    runner = check.runner(tmp_path)
    assert runner.run(f"{language}.sh", "test", check.service, check=False, FAIL="3").returncode == 3
    assert runner.report(check.report) == "<report/>\n"


@LANGUAGES
def test_another_word_is_refused(tmp_path: Path, language: str) -> None:
    check = CHECKS[language]
    done = check.runner(tmp_path).run(f"{language}.sh", "build", check.service, check=False)
    assert done.returncode == 1
    assert f"{language}.sh lint|test FOLDER" in done.stdout


@pytest.mark.parametrize("what", ["lint", "test"])
@pytest.mark.parametrize(
    ("language", "file", "told"),
    [
        ("elixir", "mix.lock", "no mix.lock: run `mix deps.get` and commit it"),
        ("java", "mvnw", "neither mvnw nor gradlew"),
        ("php", "composer.lock", "no composer.lock: run `composer update` and commit it"),
        ("ruby", "Gemfile.lock", "no Gemfile.lock: run `bundle lock` and commit it"),
    ],
)
def test_what_must_be_committed_is_told(tmp_path: Path, language: str, file: str, told: str, what: str) -> None:
    check = CHECKS[language]
    runner = check.runner(tmp_path, without=file)
    done = runner.run(f"{language}.sh", what, check.service, check=False)
    assert done.returncode == 1
    assert told in done.stdout
    assert called(runner) == []


# --- .NET -------------------------------------------------------------------------------------------------------------


def test_dotnet_fails_on_a_vulnerable_package_and_on_a_failing_look_up(tmp_path: Path) -> None:
    runner = CHECKS["dotnet"].runner(tmp_path)
    found = runner.run("dotnet.sh", "lint", "freight", check=False, FOUND="has the following vulnerable packages")
    assert found.returncode == 1
    assert "packages with known vulnerabilities" in runner.report("lint.log")
    unknown = runner.run("dotnet.sh", "lint", "freight", check=False, FOUND="no source answers", LOOKUP="1")
    assert unknown.returncode == 1
    assert "could not be looked up: no source answers" in runner.report("lint.log")


@pytest.mark.parametrize(("lock", "locked"), [("packages.lock.json", "true"), ("other.json", "")])
def test_dotnet_restores_what_is_locked(tmp_path: Path, lock: str, locked: str) -> None:
    runner = CHECKS["dotnet"].runner(tmp_path)
    (runner.root / "freight/src").mkdir()
    (runner.root / "freight/src" / lock).touch()
    runner.fake("dotnet", 'echo "$1: ${RestoreLockedMode:-}"')
    runner.run("dotnet.sh", "lint", "freight")
    assert f"restore: {locked}\n" in runner.report("lint.log")
    runner.run("dotnet.sh", "test", "freight")
    assert runner.report("test.log") == f"test: {locked}\n"


@pytest.mark.parametrize(
    ("place", "package", "flags"),
    [
        ("freight", "", ""),
        (".", "Microsoft.Testing.Extensions.TrxReport", " --report-trx"),
    ],
)
def test_dotnet_asks_the_newer_runner_of_tests_in_its_own_words(
    tmp_path: Path, place: str, package: str, flags: str
) -> None:
    runner = CHECKS["dotnet"].runner(tmp_path)
    (runner.root / place / "global.json").write_text('{"test": {"runner": "Microsoft.Testing.Platform"}}')
    (runner.root / "freight/Tests.csproj").write_text(f'<PackageReference Include="{package}" />')
    runner.run("dotnet.sh", "test", "freight")
    assert called(runner) == [f"dotnet test --configuration Release{flags} --results-directory reports"]


# --- Elixir, Go, Java, PHP and Ruby -----------------------------------------------------------------------------------


def test_elixir_takes_the_rules_that_a_file_of_sobelow_holds(tmp_path: Path) -> None:
    runner = CHECKS["elixir"].runner(tmp_path)
    (runner.root / "tides/.sobelow-conf").touch()
    runner.run("elixir.sh", "lint", "tides")
    assert "mix sobelow --config" in called(runner)


def test_elixir_without_extra_tools_runs_what_mix_has(tmp_path: Path) -> None:
    runner = CHECKS["elixir"].runner(tmp_path)
    (runner.root / "tides/mix.lock").write_text('%{\n  "phoenix": {},\n}\n')
    runner.run("elixir.sh", "lint", "tides")
    assert not {"credo", "sobelow"} & {call.split()[1] for call in called(runner)}
    runner.run("elixir.sh", "test", "tides")
    assert called(runner)[-1].strip() == "mix test"


def test_go_names_the_files_that_gofmt_would_change(tmp_path: Path) -> None:
    runner = CHECKS["go"].runner(tmp_path)
    done = runner.run("go.sh", "lint", "stock", check=False, UNFORMATTED="main.go\nvendor/x.go")
    assert done.returncode == 1
    assert "main.go" in runner.report("lint.log")
    assert "vendor/x.go" not in runner.report("lint.log")


def test_java_with_gradle(tmp_path: Path) -> None:
    runner = CHECKS["java"].runner(tmp_path, without="mvnw")
    body = "mkdir -p app/build/test-results/test; echo '<report/>' > app/build/test-results/test/TEST-A.xml"
    runner.fake("gradlew", body)
    (runner.root / "ledger/gradlew").symlink_to(runner.bin / "gradlew")
    runner.run("java.sh", "lint", "ledger")
    runner.run("java.sh", "test", "ledger")
    plain = "gradlew --no-daemon --console=plain"
    assert called(runner) == [f"{plain} check --exclude-task test", f"{plain} test"]
    assert runner.report("junit/TEST-A.xml") == "<report/>\n"


def test_php_keeps_the_key_that_is_given(tmp_path: Path) -> None:
    runner = CHECKS["php"].runner(tmp_path)
    runner.fake("php", 'echo "$APP_KEY"')
    runner.run("php.sh", "test", "billing", APP_KEY="base64:given")
    assert "base64:given\n" in runner.report("test.log")


def test_ruby_installs_what_is_missing_and_runs_rails_own_tests(tmp_path: Path) -> None:
    runner = CHECKS["ruby"].runner(tmp_path, without="spec")
    runner.fake("bundle", '[[ $1 != check ]] || exit 1; echo "$1 $RAILS_ENV $BUNDLE_FROZEN"')
    done = runner.run("ruby.sh", "test", "berths")
    assert called(runner) == ["bundle check", "bundle install", "bundle exec rails test"]
    assert "install test true" in done.stdout


@pytest.mark.parametrize("language", ["php", "ruby"])
def test_assets_that_pages_need_are_built_first(tmp_path: Path, language: str) -> None:
    check = CHECKS[language]
    runner = check.runner(tmp_path)
    (runner.root / check.service / "package.json").write_text(json.dumps({"scripts": {"build": "vite build"}}))
    (runner.root / check.service / "package-lock.json").touch()
    runner.fake("npm")
    runner.run(f"{language}.sh", "test", check.service)
    assert [c.strip() for c in called(runner)[1:-1]] == ["npm ci --no-audit", "npm run build --"]


# --- Rust, Python and Node --------------------------------------------------------------------------------------------


def test_rust_is_checked_and_its_reports_are_kept(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform")
    junit = runner.root / "backend/target/nextest/ci/junit.xml"
    junit.parent.mkdir(parents=True)
    runner.fake(
        "cargo",
        f"""case $1 in
          metadata) echo '{{"target_directory": "{junit.parents[2]}"}}' ;;
          llvm-cov) echo '<testsuites/>' > {junit}; exit "${{FAIL:-0}}" ;;
        esac""",
    )
    runner.run("rust.sh", "lint", "backend")
    assert [c[0] for c in runner.calls("cargo")] == ["fmt", "clippy", "audit"]
    done = runner.run("rust.sh", "test", "backend", check=False, FAIL="100")
    assert done.returncode == 100
    assert runner.report("junit.xml") == "<testsuites/>\n"
    [tests] = [c for c in runner.calls("cargo") if c[0] == "llvm-cov"]
    config = tests[tests.index("--tool-config-file") + 1].split(":", 1)[1]
    assert "[profile.ci.junit]" in Path(config).read_text()


@pytest.mark.parametrize("lock", ["uv.lock", "requirements.txt"])
def test_python_is_checked_from_its_lockfile(tmp_path: Path, lock: str) -> None:
    versions = dict.fromkeys(("RUFF_VERSION", "PIP_AUDIT_VERSION", "PYTEST_VERSION", "PYTEST_COV_VERSION"), "1.0")
    runner = Runner(tmp_path, "mixed", versions)
    service = runner.root / "api"
    (service / ".venv/bin").mkdir(parents=True)
    (service / lock).touch()
    for program in ("uv", "uvx"):
        runner.fake(program)
    runner.fake("python")
    (service / ".venv/bin/python").symlink_to(runner.bin / "python")
    runner.run("python.sh", "lint", "api")
    assert [c[0] for c in runner.calls("uvx")] == ["ruff@1.0", "ruff@1.0", "pip-audit@1.0"]
    # pip-audit refuses files without hashes where it may not ask pip for what they leave out.
    assert ("--disable-pip" in runner.calls("uvx")[-1]) == (lock == "uv.lock")
    runner.run("python.sh", "test", "api")
    installs = [" ".join(c) for c in runner.calls("uv")]
    wanted = {"uv.lock": "sync --locked --all-groups", "requirements.txt": "pip install --requirement requirements.txt"}
    assert wanted[lock] in installs
    [tests] = runner.calls("python")
    assert f"{runner.root}/reports/junit.xml" in tests
    assert f"xml:{runner.root}/reports/coverage.xml" in tests


@pytest.mark.parametrize("what", ["lint", "test"])
def test_python_without_a_lockfile_is_told_what_to_do(tmp_path: Path, what: str) -> None:
    runner = Runner(tmp_path, "mixed")
    (runner.root / "api").mkdir()
    done = runner.run("python.sh", what, "api", check=False)
    assert done.returncode == 1
    assert "run `uv lock` and commit it" in done.stdout


def node(tmp_path: Path, lock: str, package: dict[str, Any]) -> Runner:
    runner = Runner(tmp_path, "minimal")
    service = runner.root / "web"
    service.mkdir()
    (service / lock).touch()
    (service / "package.json").write_text(json.dumps(package))
    for program in ("npm", "pnpm", "yarn"):
        runner.fake(program, "[[ $1 != --version ]] || echo 4.1.0")
    return runner


def test_node_lints_audits_and_installs_what_is_locked(tmp_path: Path) -> None:
    runner = node(tmp_path, "package-lock.json", {"scripts": {"lint": "eslint ."}})
    tsc = runner.root / "web/node_modules/.bin/tsc"
    tsc.parent.mkdir(parents=True)
    runner.fake("tsc")
    tsc.symlink_to(runner.bin / "tsc")
    (runner.root / "web/tsconfig.json").touch()
    runner.run("node.sh", "lint", "web")
    calls = [" ".join(c) for c in runner.calls("npm")]
    assert calls == ["ci --no-audit", "run lint --", "audit --omit=dev --audit-level=high"]
    assert runner.calls("tsc") == [["--noEmit"]]


@pytest.mark.parametrize(
    ("script", "flag"),
    [
        ("vitest run", "--outputFile.junit={reports}/junit.xml"),
        ("jest", "--outputFile={reports}/jest.json"),
        ("node --test", ""),
    ],
)
def test_node_tests_write_reports(tmp_path: Path, script: str, flag: str) -> None:
    runner = node(tmp_path, "pnpm-lock.yaml", {"packageManager": "pnpm@10.1.0", "scripts": {"test": script}})
    runner.fake("pnpm", 'echo "options: ${NODE_OPTIONS:-}"')
    runner.run("node.sh", "test", "web")
    calls = runner.calls("pnpm")
    assert calls[0][:2] == ["install", "--frozen-lockfile"]
    assert calls[-1][:2] == ["run", "test"]
    if flag:
        assert flag.format(reports=runner.root / "reports") in calls[-1]
    else:
        assert f"--test-reporter-destination={runner.root}/reports/junit.xml" in runner.report("test.log")


def test_node_tests_that_fail_fail_the_job(tmp_path: Path) -> None:
    runner = node(tmp_path, "package-lock.json", {"scripts": {"test": "jest"}})
    runner.fake("npm", "[[ $1 != run ]] || exit 3")
    assert runner.run("node.sh", "test", "web", check=False).returncode == 3
