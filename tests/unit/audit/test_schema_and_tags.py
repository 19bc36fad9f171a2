"""Schemas that source changes by itself, and tags that commands compute."""

import pytest

from tests.unit.audit.test_stacks import findings

TABLE = "CREATE TABLE shop (id int);\n"


def pushing(run, extra=""):
    body = "\n".join(f"          {line}" for line in run.split("\n"))
    return {
        ".github/workflows/ship.yml": "on: push\njobs:\n  ship:\n    runs-on: ubuntu-24.04\n    steps:\n"
        f"      - id: names\n        run: |\n{body}\n{extra}"
    }


ACTION = (
    "      - uses: docker/build-push-action@v6\n        with:\n          push: true\n          tags: acme/shop:%s\n"
)


@pytest.mark.parametrize(
    ("run", "extra", "count"),
    [
        ("TAG=${GITHUB_SHA:0:7}\ndocker build -t acme/shop:$TAG .\ndocker push acme/shop:$TAG", "", 1),
        ("TAG=$(git rev-parse --short HEAD)\ndocker push acme/shop:$TAG", "", 1),
        ("TAG=$(date +%s)-$GITHUB_SHA\ndocker push acme/shop:$TAG", "", 0),
        ("TAG=${GITHUB_REF##*/}\ndocker push acme/shop:$TAG", "", 0),
        ("TAG=$GITHUB_SHA\nTAG=${VERSION:-1}\ndocker push acme/shop:$TAG", "", 0),
        ('echo "TAG=$GITHUB_SHA" >> "$GITHUB_ENV"', ACTION % "${{ env.TAG }}", 1),
        ("echo tag=`git rev-parse HEAD` >> $GITHUB_OUTPUT", ACTION % "${{ steps.names.outputs.tag }}", 1),
        ("echo tag=$(cat VERSION) >> $GITHUB_OUTPUT", ACTION % "${{ steps.names.outputs.tag }}", 0),
        ("echo tag=$GITHUB_SHA,acme/shop:1.4 >> $GITHUB_OUTPUT", ACTION % "${{ steps.names.outputs.tag }}", 0),
        ("true", "      - env: { TAG: '${{ github.sha }}' }\n        run: docker push acme/shop:$TAG\n", 1),
    ],
)
def test_a_tag_that_a_command_computes(run, extra, count):
    assert len(findings(pushing(run, extra), "image-tag-commit-only")) == count


def shop(path, code, **files):
    return {"docker-compose.yml": "services:\n  shop:\n    build: ./shop\n", f"shop/{path}": code, **files}


ALEMBIC = {"shop/alembic/versions/0a1_start.py": "def upgrade(): ...\n"}
EF = {"shop/Migrations/20260101000000_Start.cs": "class Start {}\n"}
SQL = {"shop/migrations/0001_start.sql": TABLE}


@pytest.mark.parametrize(
    ("path", "code", "kept", "count"),
    [
        ("db.py", "Base.metadata.create_all(bind=engine)\n", ALEMBIC, 1),
        ("db.py", "conn.run_sync(Base.metadata.create_all)\n", ALEMBIC, 1),
        ("db.py", "# Base.metadata.create_all(bind=engine)\n", ALEMBIC, 0),
        ("tests/db.py", "Base.metadata.create_all(bind=engine)\n", ALEMBIC, 0),
        ("db.py", "db.create_all()\n", ALEMBIC, 1),
        ("scripts/init_db.py", "Base.metadata.create_all(bind=engine)\n", ALEMBIC, 1),
        ("db.py", "Base.metadata.create_all(bind=engine)\n", {}, 0),
        ("db.py", "Base.metadata.create_all(bind=engine)\n", {"mail/alembic/versions/0a1_start.py": "x"}, 0),
        ("Start.cs", "db.Database.EnsureCreated();\n", EF, 1),
        ("Start.cs", "db.Database.Migrate();\n", EF, 0),
        ("data.ts", "import 'typeorm';\nnew DataSource({ synchronize: true });\n", SQL, 1),
        ("data.ts", "import 'typeorm';\nnew DataSource({ synchronize: isLocal });\n", SQL, 0),
        ("data.ts", "export const store = { entities: [Shop], synchronize: true };\n", SQL, 1),
        ("db.go", 'import "gorm.io/gorm"\nfunc f() { db.AutoMigrate(&Shop{}) }\n', SQL, 1),
        ("db.go", 'import "acme/store"\nfunc f() { store.DB.AutoMigrate(&Shop{}) }\n', SQL, 1),
        ("src/main/resources/application.properties", "spring.jpa.hibernate.ddl-auto=update\n", SQL, 1),
        ("src/main/resources/application.properties", "spring.jpa.hibernate.ddl-auto=validate\n", SQL, 0),
        ("src/main/resources/application-dev.properties", "spring.jpa.hibernate.ddl-auto=update\n", SQL, 0),
    ],
)
def test_source_that_makes_tables_past_the_migrations(path, code, kept, count):
    found = findings(shop(path, code, **kept), "mixed-migration-paths")
    assert [one.severity for one in found] == ["medium"] * count
    assert all({place.path for place in one.locations} == {f"shop/{path}", *kept} for one in found)


@pytest.mark.parametrize(("kept", "count"), [("mail", 0), ("shop", 1), ("", 1)])
def test_a_tool_with_migrations_of_another_service_is_none_of_this_one(kept, count):
    files = shop("db.py", "Base.metadata.create_all(bind=engine)\n")
    files["docker-compose.yml"] += "  mail:\n    build: ./mail\n"
    files |= {"mail/main.py": "run()\n", "go.sh": "alembic upgrade head\n"}
    if kept:
        files[f"{kept}/alembic/versions/0a1_start.py"] = "def upgrade(): ...\n"
    found = findings(files, "mixed-migration-paths")
    assert [one.severity for one in found] == ["medium"] * count


def test_source_that_makes_tables_beside_migrations_and_sql_is_one_finding_of_its_own():
    files = mounted(
        "seed.sql", **{"seed.sql": TABLE, "shop/db.py": "Base.metadata.create_all(bind=engine)\n"}, **ALEMBIC
    )
    (found,) = findings(files, "mixed-migration-paths")
    assert found.title == "Tables are made by SQLAlchemy's create_all past the migrations in shop/alembic/versions"


def mounted(directory, **files):
    compose = (
        "services:\n  shop:\n    build: ./shop\n  db:\n    image: postgres:17.2\n"
        f"    volumes: ['./{directory}:/docker-entrypoint-initdb.d']\n"
    )
    return {"docker-compose.yml": compose, "shop/Dockerfile": "FROM rust:1.90\nCOPY . .\n", **files}


RUNS = "use sqlx;\nfn main() { sqlx::migrate!().run(&pool); }\n"


@pytest.mark.parametrize(
    ("files", "severity", "title"),
    [
        (SQL | {"shop/src/main.rs": RUNS}, "critical",
         "The migrations in shop/migrations are applied past their runner"),
        (SQL, "high",
         "shop/migrations is applied by the database's image to an empty volume, and by no command later"),
        (SQL | {"seed.sql": TABLE}, "high", "Tables are created outside the migrations in shop/migrations"),
        ({"seed.sql": TABLE, "shop/src/main.rs": RUNS}, "critical",
         "Tables are created outside the migrations (sqlx)"),
    ],
)  # fmt: skip
def test_migrations_and_other_sql_that_a_database_image_applies(files, severity, title):
    (found,) = findings(
        mounted("seed.sql" if "seed.sql" in files else "shop/migrations", **files), "sql-outside-migrations"
    )
    assert (found.severity, found.title) == (severity, title)


def test_source_that_runs_migrations_is_one_of_two_means():
    files = mounted("seed.sql", **{"seed.sql": TABLE, "shop/src/main.rs": RUNS})
    (found,) = findings(files, "mixed-migration-paths")
    assert found.title == "The schema is changed by sqlx and by raw SQL"
    assert ("shop/src/main.rs", 2, "sqlx") in {(one.path, one.line, one.value) for one in found.locations}


@pytest.mark.parametrize(
    ("workflow", "count"),
    [("run: cargo test", 1), ("run: sqlx migrate info", 0), ("", 0)],
)
def test_migrations_that_the_source_runs_are_reported_by_a_step(workflow, count):
    files = {"shop/Dockerfile": "FROM rust:1.90\nCOPY . .\n", "shop/src/main.rs": RUNS}
    if workflow:
        files[".github/workflows/go.yml"] = (
            f"on: push\njobs:\n  go:\n    runs-on: ubuntu-24.04\n    steps:\n      - {workflow}\n"
        )
    found = findings(files, "migration-status-unreported")
    assert [(one.locations[0].path, one.confidence) for one in found] == [("shop/src/main.rs", "medium")] * count
