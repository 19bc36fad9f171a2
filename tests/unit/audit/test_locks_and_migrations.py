"""Lock files that installs need, migrations that nothing runs, development servers, metrics that nobody gives."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings

JOB = "on: [push]\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n"
WEB = {"web/package.json": "{}"}


@pytest.mark.parametrize(
    ("steps", "files", "count"),
    [
        ("      - run: cd web && npm ci\n", {}, 1),
        ("      - run: |\n          cd web\n          npm ci\n", {}, 1),
        ("      - run: npm ci --prefix web\n", {}, 1),
        ("      - run: pnpm install --frozen-lockfile\n        working-directory: web\n", {}, 1),
        ("      - run: cd web && npm ci\n", {"web/npm-shrinkwrap.json": "{}"}, 0),
        ("      - run: cd web && npm ci\n", {"package-lock.json": "{}"}, 0),
        ("      - run: cd web && npm ci || npm install\n", {}, 0),
        ("      - run: cd web && npm install\n", {}, 0),
        ("      - run: |\n          cd web\n          if [ -f package-lock.json ]; then npm ci; fi\n", {}, 0),
        ("      - run: cd $FOLDER && npm ci\n", {}, 0),
        ("      - run: cd elsewhere && npm ci\n", {}, 0),
        ("      - uses: actions/checkout@v5\n        with: { repository: acme/other }\n      - run: cd web && npm ci\n",
         {}, 0),
        ("      - uses: actions/setup-node@v6\n        with: { cache: npm, cache-dependency-path: web/yarn.lock }\n",
         {}, 1),
        ("      - uses: actions/setup-node@v6\n        with: { cache: npm, cache-dependency-path: '**/yarn.lock' }\n",
         {}, 0),
        ("      - run: cargo build --locked\n", {"Cargo.toml": "[package]\nname = 'x'\n"}, 1),
        ("      - run: cargo install --locked cargo-deny\n", {"Cargo.toml": "[package]\nname = 'x'\n"}, 0),
    ],
)  # fmt: skip
def test_lock_files_that_workflows_need(steps, files, count):
    found = findings({**WEB, ".github/workflows/ci.yml": JOB + steps, **files}, "lock-file-missing")
    assert [one.confidence for one in found] == ["high"] * count


@pytest.mark.parametrize(
    ("run", "files", "count"),
    [
        ("npm ci", {}, 1),
        ("npm ci", {"web/package-lock.json": "{}"}, 0),
        ("npm ci", {"package-lock.json": "{}"}, 0),
        ("if [ -f package-lock.json ]; then npm ci; else npm install; fi", {}, 0),
    ],
)
def test_lock_files_that_images_need(run, files, count):
    image = f"FROM node:22\nCOPY . .\nRUN {run}\nCMD [node, .]\n"
    assert len(findings({**WEB, "web/Dockerfile": image, **files}, "lock-file-missing")) == count
    assert findings({**WEB, "docker/web.Dockerfile": image, **files}, "lock-file-missing") == ()


SHOP = {
    "shop/migrations/versions/2026_01_02-3f1c_first.py": "revision = '3f1c'\n",
    "shop/requirements.txt": "fastapi\nalembic\n",
    "shop/main.py": "from fastapi import FastAPI\nimport os\napp = FastAPI()\nos.environ['A']\n",
    "shop/Dockerfile": "FROM python:3.13\nCOPY . .\nCMD [uvicorn, main:app]\n",
    "compose.yaml": "services: { shop: { build: shop } }\n",
}


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 1),
        ({"Makefile": "migrate:\n\talembic upgrade head\n"}, 1),
        ({"Makefile": "migrate:\n\talembic upgrade head\n", "up.sh": "make migrate\n"}, 0),
        ({"up.sh": "alembic upgrade head\n"}, 0),
        ({"shop/docker-entrypoint": "#!/bin/sh\nalembic upgrade head\n"}, 0),
        ({"Procfile": "release: alembic upgrade head\n"}, 0),
        ({"shop/start.py": "from alembic import command\nimport os\ncommand.upgrade(c, 'head')\n"}, 0),
        ({"compose.yaml": "services: { db: { image: 'postgres:17' } }\n"}, 0),
        ({".github/workflows/ci.yml": f"{JOB}      - run: alembic upgrade head\n"}, 0),
    ],
)
def test_migrations_that_nothing_runs(files, count):
    assert len(findings({**SHOP, **files}, "migrations-never-run")) == count


MADE = {
    "requirements.txt": "flask\nalembic\n",
    "scripts/init_db.py": "from app import db\ndb.create_all()\n",
    ".github/workflows/cd.yml": f"{JOB}      - run: kubectl exec deploy/shop -- python scripts/init_db.py\n",
}


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 1),
        ({".github/workflows/cd.yml": f"{JOB}      - run: kubectl get pods\n"}, 0),
        ({"requirements.txt": "flask\n"}, 0),
        ({"tests/conftest.py": "db.create_all()\n", "scripts/init_db.py": ""}, 0),
        ({"app/main.py": "db.create_all()\n", "scripts/init_db.py": ""}, 1),
        ({"migrations/versions/3f1c_first.py": "revision = '3f1c'\n"}, 0),
    ],
)
def test_tables_that_are_made_past_a_tool_without_migrations(files, count):
    assert len(findings({**MADE, **files}, "tables-made-beside-migration-tool")) == count


def test_a_script_that_makes_tables_in_a_workflow_reports_no_status():
    (found,) = findings(MADE, "migration-status-unreported")
    assert (found.kind, found.confidence, found.locations[0].line) == ("5.2", "medium", 6)
    assert (
        findings({**MADE, ".github/workflows/cd.yml": f"{JOB}      - run: ls\n"}, "migration-status-unreported") == ()
    )


@pytest.mark.parametrize(
    ("named", "count"), [("tuning/add.sql", 1), ("shop/migrations/0001_first.sql", 0), ("tuning/rows.sql", 0)]
)
def test_sql_with_indexes_that_source_applies_by_name(named, count):
    files = {
        "shop/tune.py": f"import os\nsession.execute(open('{named}').read())\n",
        "shop/package.json": "{}",
        "tuning/add.sql": "CREATE INDEX a ON b (c);\n",
        "tuning/rows.sql": "INSERT INTO b VALUES (1);\n",
        "shop/migrations/0001_first.sql": "CREATE TABLE b (c int); CREATE INDEX d ON b (c);\n",
    }
    found = findings(files, "sql-outside-migrations")
    assert [[one.path for one in finding.locations][:2] for finding in found] == [
        ["shop/tune.py", "tuning/add.sql"]
    ] * count


@pytest.mark.parametrize(
    ("command", "count"),
    [
        ("[npm, run, dev]", 0),
        ('["npm", "run", "dev"]', 1),
        ('["npm", "start"]', 0),
        ('["npx", "vite", "preview"]', 0),
        ('["flask", "--app", "shop", "run"]', 1),
        ('["python", "manage.py", "runserver", "0.0.0.0:8000"]', 1),
        ('["uvicorn", "shop:app", "--reload"]', 1),
        ('["uvicorn", "shop:app"]', 0),
    ],
)
def test_development_servers_in_images_that_are_deployed(command, count):
    files = {
        "shop/package.json": '{"scripts": {"dev": "next dev", "start": "next start"}, "dependencies": {"next": "16"}}',
        "shop/Dockerfile": f"FROM node:22\nCOPY . .\nCMD {command}\n",
        "k8s/shop.yaml": deployment("shop", "acme/shop:1.0.0", 3000),
    }
    rule = "development-server-in-image"
    assert len(findings(files, rule)) == count
    assert findings({**files, "shop/Dockerfile.prod": "FROM node:22\nCMD [node, .]\n"}, rule) == ()
    assert findings({**files, "k8s/shop.yaml": deployment("mail", "acme/mail:1.0.0", 3000)}, rule) == ()


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 1),
        ({"shop/stats.go": 'counter := "queue_depth"\n'}, 0),
        ({"monitoring/adapter.yaml": "rules: [{ name: { as: queue_depth } }]\n"}, 0),
        ({"tests/values.yaml": "as: queue_depth\n"}, 1),
    ],
)
def test_metrics_that_an_autoscaler_waits_for(files, count):
    scaler = (
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: shop }\nspec:\n"
        "  scaleTargetRef: { kind: Deployment, name: shop }\n  metrics:\n    - type: Pods\n"
        "      pods: { metric: { name: queue_depth } }\n"
    )
    found = findings({"k8s/hpa.yaml": scaler, **files}, "autoscaler-metric-not-given")
    assert [(one.severity, one.locations[0].line) for one in found] == [("low", 8)] * count


@pytest.mark.parametrize(
    ("uses", "count"),
    [
        ("codecov/codecov-action@v5", 1),
        ("codecov/codecov-action@v5\n      - uses: actions/upload-artifact@v5", 0),
        ("codecov/test-results-action@v1", 0),
        ("dorny/test-reporter@v2", 0),
    ],
)
def test_coverage_alone_is_no_report(uses, count):
    found = findings(
        {".github/workflows/ci.yml": f"{JOB}      - run: pytest\n      - uses: {uses}\n"}, "test-reports-not-kept"
    )
    assert [one.confidence for one in found] == ["medium"] * count


def test_the_hosts_of_data_sources():
    files = {
        "compose.yaml": "services:\n  grafana: { image: 'grafana/grafana:12' }\n"
        "  prometheus: { image: 'prom/prometheus:v3' }\n",
        "ops/sources.yml": "apiVersion: 1\ndatasources:\n  - { name: a, url: 'http://prometheus:9090' }\n"
        "  - { name: b, url: 'http://traces:3200' }\n  - { name: c, url: '${URL}' }\n",
    }
    (found,) = findings(files, "undefined-host")
    assert [(one.path, one.line) for one in found.locations] == [("ops/sources.yml", 4)]


@pytest.mark.parametrize(("upstream", "count"), [("shop_pool", 0), ("mail_pool", 1)])
def test_an_upstream_that_another_file_of_nginx_names(upstream, count):
    files = {
        "compose.yaml": "services: { shop: { image: 'acme/shop:1' } }\n",
        "nginx/nginx.conf": f"upstream {upstream} {{ server shop:8080; }}\n",
        "nginx/site.conf": "server { location / { proxy_pass http://shop_pool; } }\n",
    }
    assert len(findings(files, "undefined-host")) == count
