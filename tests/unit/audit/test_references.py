"""What files refer to in other files, and where that is not there."""

import pytest

from trimtab.audit.engine import Options, audit_repo
from trimtab.repo import Repo

JOB = "on: [push]\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n"


def reported(files, rule):
    return audit_repo(Repo.from_texts(files), Options(rules=(rule,))).findings


def missing(files):
    return {
        one.title: [(place.path, place.line) for place in one.locations]
        for one in reported(files, "referenced-file-missing")
    }


def test_the_folder_that_a_command_is_in_is_followed_from_line_to_line():
    workflow = f"{JOB}      - run: |\n          cd api\n          pip install -r requirements.txt\n"
    files = {".github/workflows/ci.yml": workflow, "api/requirements.txt": "flask\n"}
    assert missing(files) == {}
    assert missing({".github/workflows/ci.yml": workflow, "api/main.py": ""}) == {
        "The requirements file api/requirements.txt is referred to and not in the repository": [
            (".github/workflows/ci.yml", 8)
        ]
    }
    assert missing({".github/workflows/ci.yml": workflow}) == {  # the one cause of both
        "The working directory api is referred to and not in the repository": [(".github/workflows/ci.yml", 7)]
    }


def test_what_a_script_asks_for_first_may_be_missing():
    script = "          if [ -f requirements.txt ]; then\n            pip install -r requirements.txt\n          fi\n"
    files = {
        ".github/workflows/ci.yml": f"{JOB}      - run: |\n{script}      - run: pip install -r dev.txt || echo none\n"
    }
    assert missing(files) == {}


def test_a_chart_and_a_default_compose_file_that_commands_need():
    deploy = f"{JOB}      - run: helm upgrade --install shop infra/charts/shop -f values.yaml\n"
    files = {".github/workflows/cd.yml": deploy, "values.yaml": "a: 1\n", "Makefile": "up:\n\tdocker compose up -d\n"}
    assert {title.split(" is ")[0] for title in missing(files)} == {
        "The chart infra/charts/shop",
        "The default compose file docker-compose.yml",
    }
    files |= {"compose.yaml": "services: {}\n", "infra/charts/shop/Chart.yaml": "name: shop\nversion: 1.0.0\n"}
    assert missing(files) == {}
    files[".github/workflows/cd.yml"] = f"{JOB}      - run: helm upgrade --install cache bitnami/redis\n"
    assert missing(files) == {}


def test_a_build_context_is_named_where_it_stands_and_hides_its_own_dockerfile():
    push = (
        f"{JOB}      - uses: docker/build-push-action@v6\n"
        "        with:\n          context: ./worker\n          file: docker/Dockerfile.api\n          push: true\n"
    )
    compose = "services:\n  worker:\n    build:\n      context: ./worker\n      dockerfile: ../docker/Dockerfile.api\n"
    files = {
        ".github/workflows/ci.yml": push,
        "docker-compose.yml": compose,
        "docker/Dockerfile.api": "FROM node:22\n",
    }
    assert missing(files) == {
        "The build context worker is referred to and not in the repository": [
            (".github/workflows/ci.yml", 8),
            ("docker-compose.yml", 4),
        ]
    }


def test_a_script_that_a_package_does_not_have():
    files = {
        "package.json": '{"scripts": {"test": "jest"}}',
        "web/package.json": '{"scripts": {"build": "vite build"}}',
        ".github/workflows/ci.yml": f"{JOB}      - run: npm test && npm run e2e -- --ci\n"
        "      - run: cd web && npm run lint\n      - run: npm run build --prefix web\n"
        "      - run: npm run absent --if-present\n      - run: npm run maybe || true\n",
    }
    path = ".github/workflows/ci.yml"
    found = reported(files, "undefined-package-script")
    assert [(one.title, [place.line for place in one.locations if place.path == path]) for one in found] == [
        ("package.json has no script e2e, which .github/workflows/ci.yml runs", [6]),
        ("web/package.json has no script lint, which .github/workflows/ci.yml runs", [7]),
    ]
    files["package.json"] = '{"scripts": {"build": "tsc", "e2e": "playwright test"}}'
    found = reported(files, "undefined-package-script")
    assert found[0].title == "package.json has no script test, which .github/workflows/ci.yml runs"


def test_a_compose_file_that_is_started_alone_must_define_what_it_depends_on():
    files = {
        "docker-compose.yml": "services:\n  mongo: { image: 'mongo:8' }\n",
        "docker-compose.monitoring.yml": "services:\n  exporter:\n    image: percona/mongodb_exporter:0.47\n"
        "    depends_on: [mongo]\n",
        "up.sh": "docker compose -f docker-compose.monitoring.yml up -d\n",
    }
    (finding,) = reported(files, "undefined-compose-reference")
    assert finding.title == "docker-compose.monitoring.yml refers to the service mongo, which it does not define"
    files["up.sh"] = "docker compose -f docker-compose.yml -f docker-compose.monitoring.yml up -d\n"
    assert reported(files, "undefined-compose-reference") == ()


def test_the_targets_of_prometheus_are_hosts_too():
    files = {
        "docker-compose.yml": "services: { api: { image: 'acme/api:1' }, redis_exporter: { image: 'acme/x:1' } }\n",
        "prometheus.yml": "scrape_configs:\n  - job_name: all\n    static_configs:\n      - targets:\n"
        "          - 'localhost:9090'\n          - 'redis-exporter:9121'\n          - 'api-1:8000'\n"
        "          - 'api-2:8000'\n",
    }
    found = {one.title: one for one in reported(files, "undefined-host")}
    assert set(found) == {
        "prometheus.yml scrapes hosts that no service or container is called: "
        "api-1, api-2, redis-exporter (redis_exporter is)",
    }
    assert {one.severity for one in found.values()} == {"medium"}
    first = next(iter(found.values())).locations[0]
    assert (first.line, first.value) in {(6, "redis-exporter:9121"), (7, "api-1:8000")}


def test_the_published_port_of_an_image_is_not_the_one_inside():
    files = {
        "docker-compose.yml": "services:\n  model: { image: 'vllm/vllm-openai:v0.9', ports: ['8001:8000'] }\n",
        "nginx.conf": "upstream model_backend { server model:8001; }\nserver { listen 80; }\n",
    }
    (finding,) = reported(files, "upstream-port-mismatch")
    assert finding.title == "model is addressed on port 8001, but listens on 8000"
    files["nginx.conf"] = files["nginx.conf"].replace("8001", "9000")  # the image may listen on more than it publishes
    assert reported(files, "upstream-port-mismatch") == ()


def test_a_dockerfile_that_nothing_builds_beside_the_one_that_is_built():
    files = {
        "web/package.json": '{"dependencies": {"next": "15"}}',
        "web/Dockerfile": "FROM node:22\n",
        "docker/Dockerfile.web": "FROM node:22\nCOPY web/package.json ./\n",
        "docker-compose.yml": "services:\n  web: { build: { context: ., dockerfile: docker/Dockerfile.web } }\n",
    }
    (finding,) = reported(files, "dockerfile-for-another-framework")
    assert finding.title == "web/Dockerfile is built by nothing, while docker/Dockerfile.web is"
    assert finding.severity == "low"
    files["build.sh"] = "docker build -t acme/web ./web\n"
    assert reported(files, "dockerfile-for-another-framework") == ()


@pytest.mark.parametrize(
    ("step", "idle"),
    [
        ("run: docker build -t acme/mail:${{ github.sha }} -f docker/Dockerfile.mail .", ["docker/Dockerfile"]),
        ("run: docker build -f docker/Dockerfile .", []),
        ("run: docker build $HOME_OF_IT", []),  # it may be any
        ("uses: acme/build@v1\n        with: { dockerfile-path: ./docker/Dockerfile }", []),
    ],
)
def test_what_may_build_a_dockerfile(step, idle):
    files = {
        "docker/Dockerfile": "FROM node:22\n",
        "docker/Dockerfile.mail": "FROM node:22\n",
        "docker-compose.yml": "services:\n  mail: { build: { context: ., dockerfile: docker/Dockerfile.mail } }\n",
        ".github/workflows/ci.yml": f"{JOB}      - {step}\n",
    }
    found = reported(files, "dockerfile-for-another-framework")
    assert [one.locations[0].path for one in found] == idle


def test_a_secret_that_nothing_makes_is_said_quietly():
    pod = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: api }\nspec:\n"
        "  selector: { matchLabels: { app: api } }\n  template:\n    metadata: { labels: { app: api } }\n"
        "    spec: { containers: [{ name: api, image: 'acme/api:1', "
        "envFrom: [{ secretRef: { name: api-keys } }] }] }\n"
    )
    (finding,) = reported({"k8s/api.yaml": pod}, "undefined-kubernetes-reference")
    assert (finding.severity, finding.confidence) == ("low", "low")
    files = {"k8s/api.yaml": pod, "up.sh": "kubectl create secret generic api-keys --from-env-file=.env\n"}
    assert reported(files, "undefined-kubernetes-reference") == ()


def test_a_host_that_nobody_fills_in_is_a_placeholder():
    ingress = (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: web }\nspec:\n"
        "  tls: [{ hosts: ['api.$(DOMAIN)'], secretName: web-tls }]\n"
    )
    (finding,) = reported({"k8s/web.yaml": ingress}, "tls-placeholder")
    assert "placeholder host: api.$(DOMAIN)" in {place.value for place in finding.locations}
