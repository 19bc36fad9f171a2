"""What a finding holds beyond its rule's own pair of repositories."""

import pytest

from trimtab.audit.engine import Options, audit_repo
from trimtab.repo import Repo

WORKFLOW = "on: [push]\njobs:\n  test:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: {0}\n"
KUBERNETES = """\
apiVersion: apps/v1
kind: Deployment
metadata: { name: api }
spec:
  selector: { matchLabels: { app: api } }
  template:
    metadata: { labels: { app: api } }
    spec:
      containers:
        - name: api
          image: acme/api:1.0.0
          ports: [{ containerPort: 3001 }]
          livenessProbe: { httpGet: { path: /health, port: 3001 } }
---
apiVersion: v1
kind: Service
metadata: { name: api }
spec:
  selector: { app: api }
  ports:
    - port: 80
      targetPort: 3001
"""


def places(files, rule):
    (finding,) = audit_repo(Repo.from_texts(files), Options(rules=(rule,))).findings
    return {(one.path, one.line, one.value) for one in finding.locations}


def test_a_port_mismatch_names_every_file_that_repeats_one_of_the_ports():
    found = places(
        {
            "api/package.json": '{"dependencies": {"express": "5"}}',
            "api/Dockerfile": "FROM node:26.5.0\n",
            "api/server.js": "app.listen(process.env.PORT || 2000);\n",
            "docker-compose.yml": "services:\n  api:\n    build: ./api\n    environment:\n      PORT: 2000\n"
            "    healthcheck:\n      test: [CMD, wget, -qO-, 'http://localhost:2000/health']\n",
            "k8s/api.yaml": KUBERNETES,
        },
        "port-mismatch",
    )
    assert found >= {
        ("api/server.js", 1, "2000"),
        ("docker-compose.yml", 5, "2000"),
        ("docker-compose.yml", 7, "2000"),
        ("k8s/api.yaml", 12, "3001"),
        ("k8s/api.yaml", 13, "3001"),
        ("k8s/api.yaml", 22, "3001"),
    }


SHOP = {
    "web/package.json": '{"dependencies": {"vite": "6", "react": "19"}}',
    "web/Dockerfile": "FROM nginx:1.29\nEXPOSE 80\n",
    "web/Dockerfile.dev": "FROM node:26.5.0\nEXPOSE 5173\nCMD [npm, run, dev]\n",
    "k8s/web.yaml": KUBERNETES.replace("3001", "80").replace("api", "web"),
}


@pytest.mark.parametrize(
    ("build", "count"),
    [
        ("{ context: ./web, dockerfile: Dockerfile.dev }", 0),
        ("{ context: ./web, target: dev }", 0),
        ("{ context: ./web }\n    command: npm run dev -- --host", 0),
        ("{ context: ./web }", 1),
    ],
)
def test_a_development_server_may_have_a_port_of_its_own(build, count):
    compose = f"services:\n  web:\n    build: {build}\n    ports: ['5173:5173']\n"
    findings = audit_repo(Repo.from_texts({**SHOP, "docker-compose.yml": compose})).findings
    assert [one.rule for one in findings if one.rule in ("port-mismatch", "probe-port-mismatch")][:1] == [
        "port-mismatch"
    ] * count


def test_a_port_mismatch_names_the_checks_of_images_and_variables_of_any_name():
    found = places(
        {
            "api/package.json": '{"dependencies": {"express": "5"}}',
            "api/Dockerfile": "FROM node:26.5.0\nENV SHOP_SERVER_PORT=2000\nEXPOSE 2000\n"
            "HEALTHCHECK CMD curl -f http://localhost:2000/health\n",
            "docker-compose.yml": "services:\n  api:\n    build: ./api\n    ports: ['80:2000']\n"
            "    environment:\n      SHOP_SERVER_PORT: 2000\n      CACHE_PORT: 6379\n",
            "k8s/api.yaml": KUBERNETES,
        },
        "port-mismatch",
    )
    assert {place for place in found if place[2] == "2000"} == {
        ("api/Dockerfile", 2, "2000"),
        ("api/Dockerfile", 3, "2000"),
        ("api/Dockerfile", 4, "2000"),
        ("docker-compose.yml", 4, "2000"),
        ("docker-compose.yml", 6, "2000"),
    }


def test_the_same_work_is_known_behind_a_change_of_directory_and_other_words():
    found = places(
        {
            ".github/workflows/one.yml": WORKFLOW.format("cd web && npm ci && npm run test:unit"),
            ".github/workflows/two.yml": WORKFLOW.format("cd web; npm test"),
        },
        "overlapping-workflows",
    )
    assert {path for path, _, _ in found} == {".github/workflows/one.yml", ".github/workflows/two.yml"}


CACHE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {0} }}
spec:
  template:
    metadata: {{ labels: {{ app: {0} }} }}
    spec:
      containers: [{{ name: redis, image: "redis:8.10", ports: [{{ containerPort: 6379 }}] }}]
---
apiVersion: v1
kind: Service
metadata: {{ name: {0} }}
spec:
  selector: {{ app: {0} }}
  ports: [{{ port: 6379 }}]
"""


def reported(files, rule):
    return audit_repo(Repo.from_texts(files), Options(rules=(rule,))).findings


def test_a_host_is_looked_up_where_it_is_used():
    """A container's name is no host in a cluster, and compose files of one folder do not know the other's."""
    manifest = KUBERNETES.replace(
        "          ports:", "          env: [{ name: REDIS_HOST, value: redis }]\n          ports:"
    )
    (finding,) = reported({"k8s/api.yaml": manifest, "k8s/cache.yaml": CACHE.format("cache")}, "undefined-host")
    assert finding.severity == "high"
    assert {(one.path, one.value) for one in finding.locations} >= {
        ("k8s/api.yaml", "redis"),
        ("k8s/cache.yaml", "cache"),
    }
    assert reported({"k8s/api.yaml": manifest, "k8s/redis.yaml": CACHE.format("redis")}, "undefined-host") == ()
    compose = (
        "services:\n  api:\n    image: acme/api:1.0.0\n    environment: { RABBITMQ_HOST: rabbitmq }\n"
        "  {0}:\n    image: rabbitmq:4.0\n"
    )
    local, deployed = compose.replace("{0}", "rabbitmq"), compose.replace("{0}", "queue")
    (finding,) = reported({"docker-compose.yml": local, "deploy/docker-compose.yml": deployed}, "undefined-host")
    assert {one.path for one in finding.locations} == {"deploy/docker-compose.yml"}
    beside = {"docker-compose.yml": local, "docker-compose.prod.yml": deployed}
    assert reported(beside, "undefined-host") == ()  # `-f` of both: the first names the host
    asks = "    environment: { DATABASE_HOST: postgres }\n"
    kept = "  postgres:\n    image: pgvector/pgvector:pg16\n  dump:\n    image: postgres:16.4\n"
    own = {"docker-compose.yml": local + "  postgres:\n    image: postgres:16.4\n"}
    own["deploy/docker-compose.yml"] = f"services:\n  api:\n    image: acme/api:1.0.0\n{asks}{kept}"
    assert reported(own, "undefined-host") == ()  # whatever its image is


def test_a_pods_name_is_no_host_where_its_service_has_another():
    manifest = KUBERNETES.replace(
        "          ports:", "          env: [{ name: STORE_URL, value: 'redis://shelf:6379/0' }]\n          ports:"
    )
    cache = CACHE.format("shelf").replace("name: redis,", "name: shelf,")
    cache = cache.replace("spec:\n  template:", "spec:\n  selector: { matchLabels: { app: shelf } }\n  template:")
    pods, _, service = cache.partition("---\n")
    named = service.replace("metadata: { name: shelf }", "metadata: { name: shelf-service }")
    files = {"k8s/api.yaml": manifest, "k8s/shelf.yaml": f"{pods}---\n{named}"}
    (finding,) = reported(files, "undefined-host")
    assert "shelf-service is" in finding.title
    assert finding.severity == "high"
    called = {**files, "k8s/shelf.yaml": f"{pods}---\n{service}"}
    assert reported(called, "undefined-host") == ()
    both = {**files, "k8s/other.yaml": service}  # of another name as well
    assert reported(both, "undefined-host") == ()
    unselected = {**files, "k8s/shelf.yaml": f"{pods}---\n{named.replace('app: shelf', 'app: other')}"}
    assert reported(unselected, "undefined-host") == ()
    in_compose = {
        "docker-compose.yml": "services:\n  api:\n    image: acme/api:1.0.0\n"
        "    environment: { STORE_URL: 'redis://shelf:6379/0' }\n  shelf: { image: 'redis:8.2' }\n"
    }
    assert reported({**in_compose, "k8s/shelf.yaml": f"{pods}---\n{named}"}, "undefined-host") == ()


def test_the_keys_that_an_external_secret_brings_are_known():
    wanted = KUBERNETES.replace(
        "          ports:",
        "          env: [{ name: A, valueFrom: { secretKeyRef: { name: api, key: token } } }]\n          ports:",
    )
    secret = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: { name: api }
spec:
  target: { name: api }
  data: [{ secretKey: KEY, remoteRef: { key: acme/api } }]
"""
    rule = "undefined-kubernetes-reference"
    for key, shown in (("TOKEN", "TOKEN"), ("OTHER", "Secret api")):
        (finding,) = reported({"k8s/api.yaml": wanted, "k8s/secret.yaml": secret.replace("KEY", key)}, rule)
        assert [one.value for one in finding.locations] == ["token", shown]
    assert reported({"k8s/api.yaml": wanted, "k8s/secret.yaml": secret.replace("KEY", "token")}, rule) == ()
    whole = secret.replace("KEY", "TOKEN") + "  dataFrom: [{ extract: { key: acme/all } }]\n"
    assert reported({"k8s/api.yaml": wanted, "k8s/secret.yaml": whole}, rule) == ()


def test_a_check_of_the_indexes_counts_when_something_calls_it():
    check = "psql -c \"SELECT 1 FROM pg_indexes WHERE indexname = 'users_email'\"\n"
    files = {
        "migrations/0001_users.up.sql": "CREATE TABLE users (email text); CREATE INDEX users_email ON users (email);",
        "scripts/indexes.sh": check,
        ".github/workflows/ci.yml": WORKFLOW.format("kubectl apply -k k8s"),
    }
    (finding,) = reported(files, "index-check-missing-after-deploy")
    assert ("migrations/0001_users.up.sql", "creates indexes") in {(one.path, one.value) for one in finding.locations}
    files[".github/workflows/ci.yml"] += "      - run: scripts/indexes.sh\n"
    assert reported(files, "index-check-missing-after-deploy") == ()


def test_a_script_migrates_from_a_folder_that_is_there():
    line = 'migrate -path {0} -database "$DATABASE_URL" up\n'

    def missing(folder, start=""):
        files = {"scripts/up.sh": start + line.format(folder), "db/migrations/0001_a.up.sql": "CREATE TABLE a ();\n"}
        return [one.locations[0].value for one in reported(files, "referenced-file-missing")]

    assert missing("db/schema") == ["db/schema"]
    assert missing("db/migrations") == missing("../db/migrations") == missing("db/schema", "cd elsewhere\n") == []


SPRING = {
    "server/pom.xml": "<project><parent><artifactId>spring-boot-starter-parent</artifactId></parent><dependencies>"
    "<dependency><artifactId>spring-boot-starter-web</artifactId></dependency>"
    "<dependency><artifactId>spring-boot-starter-actuator</artifactId></dependency></dependencies></project>",
    "server/src/main/resources/application.yml": "server: { port: '${SERVER_PORT:8085}' }\n"
    "app: { host: '${DB_HOST}', name: '${DB_NAME}', user: '${DB_USER}', cache: '${REDIS_PASSWORD:}' }\n",
    "server/Dockerfile": "FROM eclipse-temurin:21-jre\nCOPY target/app.jar /app.jar\nEXPOSE 8085\n"
    "HEALTHCHECK CMD curl -f http://localhost:8085/actuator/health\n",
    "docker-compose.yml": """\
services:
  server:
    build: ./server
    env_file: [server.env]
    ports: ["8085:8085"]
  db:
    image: postgres:18
    environment: { POSTGRES_USER: claims, POSTGRES_DB: claims }
""",
    "server.env.example": "DB_HOST=db\nDB_NAME=claims\nDB_USER=claims\n",
}


def changed(path, old, new):
    assert old in SPRING[path]
    return {**SPRING, path: SPRING[path].replace(old, new)}


def values_of(files, rule):
    return {place.value for one in reported(files, rule) for place in one.locations}


def test_the_example_beside_an_ignored_env_file_tells_what_the_service_is_given():
    assert reported(SPRING, "database-settings-mismatch") == ()
    wrong = changed("server.env.example", "DB_NAME=claims", "DB_NAME=claimsdb")
    assert values_of(wrong, "database-settings-mismatch") == {"claims", "claimsdb"}
    to_fill_in = changed("server.env.example", "DB_NAME=claims", "DB_NAME=")
    assert reported(to_fill_in, "database-settings-mismatch") == ()


def test_the_default_of_the_source_counts_where_nothing_sets_the_variable():
    source, example = "server/src/main/resources/application.yml", "server.env.example"
    assert reported(SPRING, "port-mismatch") == ()
    other = changed(source, "SERVER_PORT:8085", "SERVER_PORT:9000")
    assert values_of(other, "port-mismatch") == {"8085", "9000"}
    assert reported({**other, example: SPRING[example] + "SERVER_PORT=8085\n"}, "port-mismatch") == ()


def test_the_health_check_of_an_image_asks_a_port_that_is_listened_on():
    image = "server/Dockerfile"
    assert reported(SPRING, "probe-port-mismatch") == ()
    (finding,) = reported(changed(image, "localhost:8085", "localhost:8080"), "probe-port-mismatch")
    assert (finding.locations[0].path, finding.locations[0].value) == (image, "8080")


def test_spring_serves_its_actuator_where_its_properties_put_it():
    image, source, rule = "server/Dockerfile", "server/src/main/resources/application.yml", "health-path-not-served"
    assert reported(SPRING, rule) == ()
    assert values_of(changed(image, "/actuator/health", "/healthz"), rule) >= {"/healthz"}
    moved = changed(image, "/actuator/health", "/manage/health/liveness")
    moved[source] = SPRING[source] + "management: { endpoints: { web: { base-path: /manage } } }\n"
    assert reported(moved, rule) == ()


def test_a_password_for_a_redis_that_asks_for_none():
    redis = "  redis:\n    image: redis:8.10\n    command: redis-server{0}\n"

    def audited(option, given):
        compose = SPRING["docker-compose.yml"] + redis.format(option)
        files = {**SPRING, "docker-compose.yml": compose, "server.env.example": given}
        return reported(files, "datastore-auth-inconsistent")

    (finding,) = audited("", "DB_HOST=db\nREDIS_PASSWORD=${SECRET}\n")
    assert {one.path for one in finding.locations} == {"docker-compose.yml", "server.env.example"}
    assert audited(" --requirepass secret", "DB_HOST=db\nREDIS_PASSWORD=${SECRET}\n") == ()
    assert audited("", "DB_HOST=db\n") == ()


def test_a_final_stage_of_another_framework_is_found_behind_a_fitting_build():
    image = "FROM node:26 AS build\nCOPY . .\nRUN npx vite build\n\nFROM node:26\nCOPY --from=build {0} ./\n"
    package = '{"dependencies": {"vue": "3"}, "devDependencies": {"vite": "7"}}'

    def audited(copied):
        return reported(
            {"web/package.json": package, "web/Dockerfile": image.format(copied)}, "dockerfile-for-another-framework"
        )

    (finding,) = audited("/app/.next/standalone")
    assert finding.locations[0].path == "web/Dockerfile"
    assert audited("/app/dist") == ()


def test_the_commit_alone_is_told_from_a_metadata_step():
    workflow = """\
on: [push]
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - id: meta
        uses: docker/metadata-action@v5
        with:
          images: ghcr.io/acme/api
          tags: {0}
      - uses: docker/build-push-action@v6
        with:
          push: true
          tags: ${{{{ steps.meta.outputs.tags }}}}
"""
    path, rule = ".github/workflows/ci.yml", "image-tag-commit-only"
    assert len(reported({path: workflow.format("type=sha")}, rule)) == 1
    both = workflow.format('"type=sha\\ntype=semver,pattern={{version}}"')
    assert reported({path: both}, rule) == ()


def test_versions_that_the_root_disagrees_on_are_one_finding_with_every_place():
    setup = "      - uses: actions/setup-node@v4\n        with: {{ node-version: '{0}' }}\n"
    workflow = (
        "on: [push]\njobs:\n  test:\n    runs-on: ubuntu-24.04\n    steps:\n" + setup.format(20) + setup.format(22)
    )
    (finding,) = reported(
        {
            ".github/workflows/ci.yml": workflow,
            "api/package.json": '{"dependencies": {"express": "5"}}',
            "api/Dockerfile": "FROM node:18-alpine\n",
        },
        "runtime-version-drift",
    )
    assert [one.value for one in finding.locations] == ["node 20", "node 22", "node 18-alpine"]


@pytest.mark.parametrize(("word", "severity"), [("AWS", "high"), ("WORKER", "high"), ("NIGHT", "medium")])
def test_a_first_word_tells_whose_a_value_is_or_of_which_part(word, severity):
    (finding,) = reported(
        {
            "worker/package.json": '{"dependencies": {"express": "5"}}',
            "worker/index.js": "const size = process.env.BATCH_SIZE;\n",
            "docker-compose.yml": "services:\n  worker:\n    build: ./worker\n    environment:\n      BATCH_SIZE: 10\n",
            ".env.production": f"{word}_BATCH_SIZE=500\n",
        },
        "env-name-drift",
    )
    assert finding.severity == severity


def test_a_name_that_nothing_reads_and_its_near_name_that_the_source_reads():
    (finding,) = reported(
        {
            "api/package.json": '{"dependencies": {"express": "5"}}',
            "api/store.js": "const bucket = process.env.CLOUD_S3_BUCKET || 'x';\n",
            "docker-compose.yml": "services:\n  api:\n    build: ./api\n    environment:\n      CLOUD_S3_BUCKET: a\n",
            "docker-compose.prod.yml": "services:\n  api:\n    image: acme/api:1\n    environment:\n"
            "      S3_BUCKET: ${S3_BUCKET:-media}\n",
        },
        "env-name-drift",
    )
    assert finding.severity == "high"
    assert [(one.path, one.line, one.value) for one in finding.locations] == [
        ("docker-compose.prod.yml", 5, "S3_BUCKET"),
        ("docker-compose.yml", 5, "CLOUD_S3_BUCKET"),
        ("api/store.js", 1, "reads CLOUD_S3_BUCKET"),
    ]


def test_the_same_tests_are_known_from_the_root_and_from_their_folder():
    path = ".github/workflows/{0}.yml"
    files = {
        path.format("one"): WORKFLOW.format("cd api && python -m pytest tests/ -v --cov=app"),
        path.format("two"): WORKFLOW.format("pytest api/tests"),
    }
    assert len(reported(files, "overlapping-workflows")) == 1


def test_a_variant_alone_is_no_version_of_an_image():
    compose = "services:\n  one: {{ image: '{0}' }}\n"
    for image in ("nginx:alpine", "node:lts-slim", "timescale/timescaledb:latest-pg16"):
        assert len(reported({"docker-compose.yml": compose.format(image)}, "floating-image-tag")) == 1, image
    for image in ("nginx:1.29-alpine", "debian:bookworm", "gcr.io/distroless/static:debug", "acme/api:release-a"):
        assert reported({"docker-compose.yml": compose.format(image)}, "floating-image-tag") == (), image


def test_a_public_variable_is_late_beside_a_development_image_and_in_copies_of_a_service():
    web = "    build: ./web\n    environment:\n      REACT_APP_API_URL: https://api.acme.io\n"
    files = {
        "web/package.json": '{"dependencies": {"react-scripts": "5"}}',
        "web/Dockerfile": "FROM node:22 AS build\nRUN npm run build\nFROM nginx:1.29\nCOPY --from=build /build /srv\n",
        "web/Dockerfile.dev": "FROM node:22\nCMD npm start\n",
        "docker-compose.yml": f"services:\n  web-1:\n{web}  web-2:\n{web}",
    }
    (finding,) = reported(files, "public-variable-set-at-runtime")
    assert [one.line for one in finding.locations] == [5, 9]


def test_tags_without_a_version_are_each_named_at_their_line():
    push = """\
on: [push]
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - uses: docker/build-push-action@v6
        with:
          push: true
          tags: |
            ${{ steps.login.outputs.registry }}/shop:api-${{ github.sha }}
            ${{ steps.login.outputs.registry }}/shop:api-latest
"""
    path = ".github/workflows/ci.yml"
    (finding,) = reported({path: push}, "image-tag-commit-only")
    assert finding.title == f"{path} pushes images under the commit and latest only"
    assert [(one.line, one.value) for one in finding.locations] == [
        (10, "api-${{ github.sha }}"),
        (11, "api-latest"),
    ]
    release = push.replace("api-latest", "api-${{ github.ref_name }}")
    assert reported({path: push, ".github/workflows/release.yml": release}, "image-tag-commit-only") == ()


def test_tables_that_the_source_makes_beside_sql_or_a_tool():
    files = {
        "api/requirements.txt": "fastapi==0.115\nsqlalchemy==2.0\n",
        "api/main.py": "Base.metadata.create_all(bind=engine)\n",
        "docker-compose.yml": "services:\n  api: { build: ./api }\n  db:\n    image: postgres:16\n    volumes:\n"
        "      - ./db/schema.sql:/docker-entrypoint-initdb.d/1.sql\n",
        "db/schema.sql": "CREATE TABLE a (id int);\n",
    }
    (finding,) = reported(files, "mixed-migration-paths")
    assert {(one.path, one.line) for one in finding.locations} == {
        ("api/main.py", 1),
        ("docker-compose.yml", 6),
        ("db/schema.sql", 1),
    }
    files["api/scripts/init_db.py"] = files.pop("api/main.py")
    assert reported(files, "mixed-migration-paths") == ()


def test_a_secret_that_only_the_source_holds():
    files = {
        "api/package.json": '{"dependencies": {"express": "5"}}',
        "api/server.js": "const a = process.env.SESSION_SECRET || 'shop-session';\nprocess.env.DB_HOST;\n"
        "const b = process.env.REDACT_SECRETS || 'true';\nconst c = process.env.PAGE_SIZE || 'many';\n",
        "docker-compose.yml": "services:\n  api:\n    build: ./api\n    environment: { DB_HOST: db, DB_PORT: 1 }\n",
    }
    (finding,) = reported(files, "env-read-undeclared")
    assert [(one.line, one.value) for one in finding.locations] == [(1, "reads SESSION_SECRET")]


def test_the_database_behind_an_extension_has_a_version():
    compose = "services:\n  db: {{ image: '{0}' }}\n  backup: {{ image: 'postgres:15-alpine' }}\n"
    for image in ("pgvector/pgvector:pg16", "timescale/timescaledb:2.17.2-pg16", "postgis/postgis:16-3.5"):
        assert len(reported({"docker-compose.yml": compose.format(image)}, "datastore-version-drift")) == 1, image
    for image in ("pgvector/pgvector:0.8.0-pg15", "timescale/timescaledb:2.17.2"):
        assert reported({"docker-compose.yml": compose.format(image)}, "datastore-version-drift") == (), image


IMAGES = """\
on: { push: { branches: [main]TAGS } }
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - run: |
          docker build -t acme/api:$GITHUB_SHA -t acme/api:latest .
          docker push acme/api:$GITHUB_SHA
          docker push acme/api:WHAT
"""


@pytest.mark.parametrize(
    ("tags", "what", "release", "expected"),
    [
        ("", "latest", "", [(8, "$GITHUB_SHA"), (9, "latest")]),
        ("", "$GITHUB_REF_NAME", "", [(8, "$GITHUB_SHA")]),  # the name of a branch
        (", tags: ['v*']", "$GITHUB_REF_NAME", "", []),
        ("", "1.4.0", "", []),
        ("", "latest", "docker push acme/api:$VERSION", []),  # another file pushes the image's versions
        ("", "latest", "docker push acme/web:$VERSION", [(8, "$GITHUB_SHA"), (9, "latest")]),
    ],
)
def test_latest_and_branches_are_no_versions(tags, what, release, expected):
    files = {".github/workflows/ci.yml": IMAGES.replace("TAGS", tags).replace("WHAT", what)}
    if release:
        files[".github/workflows/release.yml"] = WORKFLOW.format(release)
    found = reported(files, "image-tag-commit-only")
    assert [[(one.line, one.value) for one in each.locations] for each in found] == [expected] * bool(expected)


@pytest.mark.parametrize(
    ("rule", "tag", "count"),
    [
        ("type=sha", "${{ github.sha }}", 1),
        ("type=sha,prefix=,format=long", "${{ github.sha }}", 0),
        ("type=sha,format=long", "sha-${{ github.sha }}", 0),
        ("type=raw,value=v${{ github.sha }}", "v$GITHUB_SHA", 0),
        ("type=sha,prefix=v", "v${GITHUB_SHA::7}", 0),
        ("type=sha\n            type=raw,value=${{ inputs.tag }}", "${{ github.sha }}", 0),  # perhaps the commit
    ],
)
def test_the_commit_is_pushed_as_it_is_deployed(rule, tag, count):
    workflow = f"""\
on: {{ push: {{ branches: [main] }} }}
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - id: meta
        uses: docker/metadata-action@v5
        with:
          images: acme/api
          tags: |
            {rule}
      - uses: docker/build-push-action@v6
        with: {{ push: true, tags: "${{{{ steps.meta.outputs.tags }}}}" }}
      - run: kubectl set image deployment/api api=acme/api:{tag}
"""
    assert len(reported({".github/workflows/ci.yml": workflow}, "deployed-tag-never-pushed")) == count


@pytest.mark.parametrize(
    ("command", "title", "severity"),
    [
        (
            "",
            "db/migrations is applied by the database's image to an empty volume, and by no command later",
            "high",
        ),
        (
            "./bin/migrate",
            "db/migrations is applied by the database's image to an empty volume, and by a command of its own",
            "high",
        ),
        ("sqlx migrate run", "The migrations in db/migrations are applied past their runner", "critical"),
    ],
)
def test_migrations_in_the_start_directory_of_the_database(command, title, severity):
    files = {
        "db/migrations/0001_users.sql": "CREATE INDEX users_mail ON users (mail);\n",
        "docker-compose.yml": "services:\n  db:\n    image: postgres:18\n    volumes:\n"
        "      - ./db/migrations:/docker-entrypoint-initdb.d\n",
    }
    if command:
        files["Makefile"] = f"migrate:\n\t{command}\n"
    (found,) = reported(files, "sql-outside-migrations")
    assert (found.title, found.severity) == (title, severity)
    assert ("docker-compose.yml", 5) in {(one.path, one.line) for one in found.locations}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("npm run gone", "medium"),
        ("if ! npm --prefix web run gone; then exit 1; fi", "medium"),
        ("CI=1 pnpm -C web run gone", "medium"),
        ('log "npm run gone failed"', ""),
        ("echo npm run gone", ""),
        ("npm run gone || true", ""),
        ("npm run there", ""),
        ("yarn run gone", ""),
    ],
)
def test_what_scripts_call_and_what_they_say(line, found):
    files = {"run.sh": f"#!/bin/sh\n{line}\n", "e2e/package.json": '{"scripts": {"there": "x"}}'}
    assert [one.severity for one in reported(files, "undefined-package-script")] == [found] * bool(found)
    spoilt = {**files, "web/package.json": '{"scripts": {'}
    assert not reported(spoilt, "undefined-package-script")


@pytest.mark.parametrize(
    ("image", "count"),
    [
        ("redis:alpine", 1),
        ("docker.io/library/nginx:stable-alpine", 1),
        ("nginx:1.29-alpine", 0),
        ("debian:trixie-slim", 0),
        ("acme/api:homelab", 0),
        ("redis:${REDIS}-alpine", 0),
    ],
)
def test_a_flavour_is_no_version(image, count):
    compose = f"services:\n  one:\n    image: {image}\n"
    assert len(reported({"docker-compose.yml": compose}, "floating-image-tag")) == count


def test_manifests_speak_for_the_whole_repository_whatever_their_folder_is_called():
    found = places(
        {
            "docker-compose.yml": "services:\n  db:\n    image: postgres:18.1\n",
            "shop-k8s-files/db.yaml": KUBERNETES.replace("acme/api:1.0.0", "postgres:18.0"),
            "tools/docker-compose.check.yml": "services:\n  db:\n    image: postgres:9.6\n",
        },
        "datastore-version-drift",
    )
    assert found == {
        ("docker-compose.yml", 3, "postgres 18.1"),
        ("shop-k8s-files/db.yaml", 11, "postgres 18.0"),
        ("tools/docker-compose.check.yml", 3, "postgres 9.6"),
    }


@pytest.mark.parametrize(
    ("push", "migrate", "severity"),
    [
        ("scripts/deploy.sh", "prisma migrate deploy", "high"),
        (".github/workflows/ci.yml", "prisma migrate deploy", "medium"),
        ("Makefile", "prisma migrate deploy", ""),  # by hand
        ("scripts/deploy.sh", "prisma migrate dev", ""),  # there is no migration yet
    ],
)
def test_a_schema_is_pushed_past_its_migrations(push, migrate, severity):
    call = "npx prisma db push --skip-generate"
    texts = {
        "scripts/deploy.sh": f"#!/bin/sh\n{call}\n",
        ".github/workflows/ci.yml": WORKFLOW.format(call),
        "Makefile": f"push:\n\t{call}\n",
    }
    files = {push: texts[push], "package.json": f'{{"scripts": {{"migrate": "{migrate}"}}}}'}
    found = reported(files, "mixed-migration-paths")
    assert [one.severity for one in found] == [severity] * bool(severity)


def test_a_command_of_several_lines_is_at_the_line_of_what_it_runs():
    script = "#!/bin/sh\ndocker compose run \\\n  --rm \\\n  api npx prisma migrate deploy\n"
    files = {"scripts/deploy.sh": script, ".github/workflows/ci.yml": WORKFLOW.format("npm test")}
    (found,) = reported(files, "migration-status-unreported")
    assert [(one.line, one.value) for one in found.locations] == [(4, "prisma migrate deploy")]


RELEASE = """\
on: { push: { tags: ['v*'] } }
jobs:
  release:
    runs-on: ubuntu-24.04
    steps:
      - uses: softprops/action-gh-release@v2
        with:
          files: WHAT
"""


@pytest.mark.parametrize(("more", "count"), [("", 0), ("\n          generate_release_notes: true", 1)])
def test_two_workflows_that_write_one_release(more, count):
    files = {
        ".github/workflows/linux.yml": RELEASE.replace("WHAT", f"linux.zip{more}"),
        ".github/workflows/mac.yml": RELEASE.replace("WHAT", f"mac.zip{more}"),
    }
    assert len(reported(files, "overlapping-workflows")) == count  # to add files to it is by design


@pytest.mark.parametrize(
    ("build", "count"),
    [
        ("docker build -t acme/web web", 1),
        ("docker build --build-arg VITE_API_URL=https://api.acme.io -t acme/web web", 0),
        ("docker build --build-arg VITE_API_URL -t acme/web web", 0),
        ("docker build $ARGUMENTS --build-arg $MORE -t acme/web web", 0),  # nobody can tell
    ],
)
def test_the_build_arguments_of_a_command(build, count):
    files = {
        "web/Dockerfile": "FROM node:26.5.0\nARG VITE_API_URL\n",
        ".github/workflows/ci.yml": WORKFLOW.format(f"{build} && docker push acme/web"),
    }
    assert len(reported(files, "build-argument-missing")) == count


def test_the_name_of_a_pods_variable_is_at_the_line_of_its_name():
    manifest = KUBERNETES.replace(
        "          ports:",
        "          env:\n            - name: VITE_API_URL\n              value: /api\n          ports:",
    )
    files = {
        "package.json": '{"name": "api", "dependencies": {"vite": "6"}}',
        "Dockerfile": "FROM node:20.1.0\nCOPY . .\nRUN npm run build\nEXPOSE 8080\n",
        "src/main.ts": "export const url = import.meta.env.VITE_API_URL\n",
        "k8s/api.yaml": manifest,
        "docker-compose.yml": "services:\n  api:\n    build: .\n    image: acme/api:1.0.0\n",
    }
    (found,) = reported(files, "public-variable-set-at-runtime")
    (place,) = found.locations
    assert manifest.split("\n")[place.line - 1].strip() == f"- name: {place.value}"


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('for f in ../db/*.sql; do\n  psql -h db -f "$f"\ndone\n', ["db/a.sql"]),
        ('for f in "$ROOT"/db/*.sql; do\n  psql < ${f}\ndone\n', ["db/a.sql"]),
        ('for f in dumps/*.sql; do\n  psql -f "$f"\ndone\n', []),
        ('for f in db/*.sql; do\n  wc -l < "$f"\ndone\n', []),
        ('psql -h db -f "$(dirname "$0")/a.sql"\n', ["db/a.sql"]),
    ],
)
def test_a_client_given_files_by_a_loop_or_a_computed_folder(script, found):
    files = {
        "db/run.sh": script,
        "db/a.sql": "CREATE TABLE a (b text);\n",
        "migrations/0001_users.up.sql": "CREATE TABLE users (email text);\n",
        "migrations/0001_users.down.sql": "DROP TABLE users;\n",
    }
    outside = [place for one in reported(files, "sql-outside-migrations") for place in one.locations]
    assert [one.path for one in outside if one.path.endswith(".sql")] == found


def test_programs_of_one_source_on_different_ports_are_no_disagreement_of_a_worker_that_runs_none():
    files = {
        "backend/requirements.txt": "fastapi\nuvicorn\ncelery\n",
        "backend/main.py": "import uvicorn\nuvicorn.run('main:app', host='0.0.0.0', port=8000)\n",
        "backend/model.py": "import uvicorn\nuvicorn.run('model:app', host='0.0.0.0', port=8001)\n",
        "docker-compose.yml": "services:\n  worker:\n    build: ./backend\n    command: celery -A tasks worker\n",
    }
    assert reported(files, "port-mismatch") == ()
    files["docker-compose.yml"] += "    ports: ['9000:9000']\n"
    (finding,) = reported(files, "port-mismatch")
    assert {one.value for one in finding.locations} == {"8000", "8001", "9000"}


@pytest.mark.parametrize(("name", "count"), [("App__BaseUrl", 0), ("APP_BASE_URL", 0), ("Orders__Endpoint", 1)])
def test_a_services_own_address_for_browsers_may_be_at_localhost(name, count):
    compose = (
        f"services:\n  api:\n    build: ./api\n    environment:\n      {name}: http://localhost:8081\n"
        "  orders:\n    build: ./orders\n    ports: ['8081:8081']\n"
    )
    found = reported({"docker-compose.yml": compose}, "localhost-between-containers")
    assert len(found) == count
