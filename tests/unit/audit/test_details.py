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
