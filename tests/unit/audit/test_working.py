"""Where commands run, and what they call there."""

import pytest

from tests.unit.audit.test_stacks import findings

PACKAGE = '{"name": "web", "scripts": {"build": "vite build"}}'
WORKFLOW = "on: [push]\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: |\n{0}"


def called(*lines, **files):
    text = WORKFLOW.format("".join(f"          {line}\n" for line in lines))
    files = {path.replace("_", "/"): body for path, body in files.items()}
    found = findings(
        {
            ".github/workflows/ci.yml": text,
            "web/package.json": PACKAGE,
            "web/src/a.txt": "",
            "compose.yaml": "",
            **files,
        },
        "undefined-package-script",
        "referenced-file-missing",
    )
    return [(place.line, place.value) for one in found for place in one.locations if place.path.startswith(".github")]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (("cd web", "npm run check"), [(8, "check")]),
        (("cd web", "npm run build"), []),
        (("(cd web && npm run check)", "npm run build"), [(7, "check")]),
        (("(cd web && npm run check)", "npm run check"), [(7, "check"), (8, "check")]),  # no package is there either
        (("cd web/src && cd .. && npm run check",), [(7, "check")]),
        (("cd $HOME", "npm run check"), []),
        (("NODE_ENV=test npm --prefix web run check",), [(7, "check")]),
        (("yarn workspace web run check",), [(7, "check")]),
        (("bun run --filter web check",), [(7, "check")]),
        (("bun run --filter web build",), []),
        (("pnpm --filter other run check",), []),
        (("npm run check --if-present --prefix web",), []),
        (("cd site/app", "npm run check"), [(7, "site/app")]),
        (("mkdir -p site/app", "cd site/app"), []),
        (("cd web", "cd -", "cd site"), []),
        (("git clone https://github.com/acme/site", "cd site"), []),
        (("cd dist && ls",), []),
        (('echo "cd nowhere"',), []),
        (("cd web", "A=b node --env-file=.env app.js"), [(8, "web/app.js")]),
        (("cd web", "node dist/app.js", "python -m app", "node -r ./register app.js"), []),
        (("[ -f web/app.py ] && python web/app.py", "python web/app.py || true"), []),
        (("curl -o web/app.py https://acme.com/app.py", "python web/app.py"), []),
    ],
)
def test_commands_are_followed_from_folder_to_folder(lines, found):
    assert called(*lines) == found


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("npm run lint --if-present", 0),
        ("npm run build:fast || npm run build", 0),
        ("npm run test:${{ matrix.suite }}", 0),
        ("npm run test:unit -- --coverage --env=$ENV", 1),
        ("npm --prefix web run --silent build", 0),
        ("yarn run check", 0),  # or a program that another package brings
    ],
)
def test_where_no_package_is_a_script_is_looked_up_in_all(line, count):
    files = {".github/workflows/ci.yml": WORKFLOW.format(f"          {line}\n"), "web/package.json": PACKAGE}
    found = findings(files, "undefined-package-script")
    shown = [[(7, "test:unit"), (1, "scripts: build")]] * count
    assert [[(place.line, place.value) for place in one.locations] for one in found] == shown


@pytest.mark.parametrize(("name", "count"), [("check", 1), ("eslint", 0), ("tsc", 0), ("src/seed.ts", 0), ("build", 0)])
def test_yarn_runs_the_programs_of_dependencies_as_well(name, count):
    package = PACKAGE.replace("}}", '}, "devDependencies": {"eslint": "9", "typescript": "5"}}')
    files = {".github/workflows/ci.yml": WORKFLOW.format(f"          yarn run {name}\n"), "package.json": package}
    assert len(findings(files, "undefined-package-script")) == count


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ('npm run | grep -q "check"', 0),
        ("npm run --silent 2>/dev/null | grep -qw check", 0),
        ("grep -q '\"check\"' package.json", 0),
        ("jq -e .scripts.check package.json", 0),
        ("cat package.json | grep -q check", 0),
        ('npm run | grep -q "check:fast"', 1),  # another script
        ("npm run build | grep -q check", 1),  # what a script prints
        ("test -f package.json", 1),
    ],
)
def test_a_script_that_is_looked_up_first_may_be_missing(question, count):
    step = f"          if {question}; then\n            npm run check\n          fi\n"
    files = {".github/workflows/ci.yml": WORKFLOW.format(step), "package.json": PACKAGE}
    assert len(findings(files, "undefined-package-script")) == count


def test_containers_run_what_some_package_has():
    command = "sh -c 'npm ci && npm run check'"
    files = {
        "web/package.json": PACKAGE,
        "site/package.json": PACKAGE.replace("web", "site"),
        "docker-compose.yml": f"services:\n  web:\n    image: node:24.1.0\n    command: {command}\n",
    }
    (found,) = findings(files, "undefined-package-script")
    assert (found.title, found.severity) == (
        "No package.json has a script check, which docker-compose.yml runs",
        "high",
    )
    files["docker-compose.yml"] = files["docker-compose.yml"].replace("check", "build")
    assert findings(files, "undefined-package-script") == ()


def test_each_line_of_a_makefile_starts_anew():
    files = {"web/package.json": PACKAGE, "Makefile": "a:\n\tcd web && npm run build\n\tcd web && npm run check\n"}
    (found,) = findings(files, "undefined-package-script", "referenced-file-missing")
    assert [(place.path, place.line) for place in found.locations] == [("Makefile", 3), ("web/package.json", 1)]


@pytest.mark.parametrize(
    ("copied", "count"), [("web/package*.json", 1), (".", 1), ("web", 1), ("other/package.json", 0), ("${DIR}", 0)]
)
def test_a_dockerfile_runs_the_scripts_of_what_it_copies(copied, count):
    files = {
        "web/package.json": PACKAGE,
        "api/package.json": '{"name": "api", "scripts": {"start": "node ."}}',
        "docker-compose.yml": "services:\n  web:\n    build: { context: ., dockerfile: Dockerfile.web }\n",
        "Dockerfile.web": f"FROM node:24.1.0\nCOPY {copied} ./\nRUN npm run build:web\n",
    }
    assert len(findings(files, "undefined-package-script")) == count
    files["Dockerfile.web"] = files["Dockerfile.web"].replace("build:web", "build")
    assert findings(files, "undefined-package-script") == ()


JOB = "on: [push]\njobs:\n  work:\n    runs-on: {0}\n    steps:\n      - {1}\n"
UP = "run: docker compose -f compose.yml up -d"


@pytest.mark.parametrize(
    ("runner", "step", "deploys"),
    [
        ("ubuntu-24.04", UP, False),
        ("blacksmith-8vcpu-ubuntu-2404", UP, False),
        ("${{ matrix.os }}", UP, False),
        ("self-hosted", UP, True),
        ("[self-hosted, ubuntu-24.04]", UP, True),
        ("ubuntu-24.04", f"{UP}\n        env: {{ A: b }}\n      - run: ssh shop docker compose pull", True),
        ("ubuntu-24.04", f"{UP}\n      - uses: firebase/action-hosting-deploy@v0", True),
        ("ubuntu-24.04", "uses: helm/kind-action@v1\n      - run: kubectl apply -k k8s", False),
        ("ubuntu-24.04", "run: kubectl apply -k k8s", True),
    ],
)
def test_containers_of_a_hosted_runner_are_no_deploy(runner, step, deploys):
    files = {
        ".github/workflows/docker-compose.yml": JOB.format(runner, step),
        "compose.yml": "services: { db: { image: 'postgres:17.2' } }\n",
        "migrations/0001_a.up.sql": "CREATE INDEX a ON b (c);\n",
        "Chart.yaml": "name: shop\n",
    }
    assert bool(findings(files, "index-check-missing-after-deploy")) == deploys


def test_workflows_that_start_containers_for_their_tests_do_not_overlap():
    files = {
        f".github/workflows/{name}.yml": JOB.format("ubuntu-24.04", f"run: docker compose build\n      - {UP}")
        for name in ("api", "web")
    }
    assert findings(files, "overlapping-workflows") == ()


def test_a_script_that_a_container_runs_is_its_own():
    assert called("docker compose run --rm web bash scripts/up.sh", "docker exec -i web sh ./up.sh") == []
    assert called("bash web/up.sh && docker compose run web bash up.sh") == [(7, "web/up.sh")]


MANIFEST = "apiVersion: batch/v1\nkind: {0}\nmetadata: {{ name: report }}\n"


@pytest.mark.parametrize(("kind", "count"), [("CronJob", 0), ("Deployment", 1)])
def test_there_is_no_rollout_of_a_cron_job(kind, count):
    files = {
        "k8s/report.yaml": MANIFEST.format(kind),
        ".github/workflows/ci.yml": JOB.format("ubuntu-24.04", "run: kubectl apply -f k8s/report.yaml -n shop"),
    }
    assert len(findings(files, "deploy-without-rollout-gate")) == count


def test_what_one_file_runs_in_vain_is_one_finding():
    scripts = '{"scripts": {"a": "node a.js", "b": "tsx b.ts", "c": "node c.js"}}'
    (finding,) = findings({"web/package.json": scripts, "web/c.js": ""}, "referenced-file-missing")
    assert finding.title == "2 scripts that web/package.json runs are not in the repository: web/a.js, web/b.ts"
    assert [place.value for place in finding.locations] == ["web/a.js", "web/b.ts"]
