"""What a finding holds beyond its rule's own pair of repositories."""

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
    (finding,) = reported({"k8s/api.yaml": wanted, "k8s/secret.yaml": secret.replace("KEY", "TOKEN")}, rule)
    assert [one.value for one in finding.locations] == ["token"]
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
