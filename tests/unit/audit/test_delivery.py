"""From the workflow to the cluster: what is pushed and deployed, what Argo CD is pointed at, what is asked of it."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings
from trimtab.audit.facts.collect import collect
from trimtab.repo import Repo

MATRIX = """\
on: [push]
jobs:
  images:
    runs-on: ubuntu-24.04
    strategy:
      matrix:
        service: [api, web]
    steps:
      - id: meta
        uses: docker/metadata-action@v5
        with:
          images: ghcr.io/acme/${{ matrix.service }}
      - uses: docker/build-push-action@v6
        with:
          context: ${{ matrix.service }}
          push: true
          tags: ${{ steps.meta.outputs.tags }}
"""
SHELL = """\
on: [push]
env:
  REGISTRY: ghcr.io/acme
jobs:
  images:
    runs-on: ubuntu-24.04
    steps:
      - run: |
          docker build -t $REGISTRY/api:$GITHUB_SHA api
          docker build -t $REGISTRY/web:$GITHUB_SHA -t $REGISTRY/web:$GITHUB_REF_NAME --build-arg X=1 ./web
          docker push --all-tags $REGISTRY/api
          docker push -a $REGISTRY/web
"""
SOURCES = {
    "api/package.json": '{"name": "api", "dependencies": {"express": "4"}}',
    "web/package.json": '{"name": "web", "dependencies": {"express": "4"}}',
}


@pytest.mark.parametrize("workflow", [MATRIX, SHELL])
@pytest.mark.parametrize(("image", "count"), [("ghcr.io/acme/web:1.0.0", 0), ("ghcr.io/acme/dashboard:1.0.0", 1)])
def test_the_image_that_is_pushed_from_a_service_is_the_one_it_runs(workflow, image, count):
    files = {
        **SOURCES,
        ".github/workflows/ci.yml": workflow,
        "k8s/web.yaml": deployment("web", image),
        "k8s/api.yaml": deployment("api", "ghcr.io/acme/api:1.0.0"),
    }
    assert len(findings(files, "deployed-image-never-built")) == count


REPOSITORY = """\
on: [push]
env: { REGISTRY: ghcr.io, NAME: "${{ github.repository }}/api" }
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - id: meta
        uses: docker/metadata-action@v5
        with:
          images: ${{ env.REGISTRY }}/${{ env.NAME }}
      - uses: docker/build-push-action@v6
        with:
          push: true
          tags: ${{ steps.meta.outputs.tags }}
      - run: kubectl DOES
"""


@pytest.mark.parametrize(
    ("image", "does", "count"),
    [
        ("acme/api:1.0.0", "apply -f k8s", 1),  # Docker Hub's
        ("ghcr.io/acme/shop/api:1.0.0", "apply -f k8s", 0),
        ("quay.io/acme/shop/api:1.0.0", "apply -f k8s", 1),
        ("api:1.0.0", "apply -f k8s", 0),
        ("acme/api:1.0.0", "set image deployment/api api=ghcr.io/acme/shop/api:1", 0),
    ],
)
def test_an_image_of_another_registry_is_another_image(image, does, count):
    files = {
        "package.json": '{"name": "api", "dependencies": {"express": "4"}}',
        "Dockerfile": "FROM node:26.5.0\n",
        ".github/workflows/ci.yml": REPOSITORY.replace("DOES", does),
        "k8s/api.yaml": deployment("api", image),
    }
    found = findings(files, "deployed-image-never-built")
    assert [one.locations[-1].value for one in found] == ["ghcr.io/${{ github.repository }}/api"] * count


def test_a_push_of_all_tags_pushes_what_was_built():
    pushes = {
        one.context: one.tags for one in collect(Repo.from_texts({".github/workflows/a.yml": SHELL, **SOURCES})).pushes
    }
    assert pushes == {
        "api": ("ghcr.io/acme/api:$GITHUB_SHA",),
        "web": ("ghcr.io/acme/web:$GITHUB_SHA", "ghcr.io/acme/web:$GITHUB_REF_NAME"),
    }


APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{ name: {name} }}
spec:
  source:
    repoURL: https://github.com/acme/{repo}.git
    path: {path}
    helm: {{ valueFiles: [{values}] }}
"""
APPLICATIONS = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: { name: shop }
spec:
  generators:
    - list:
        elements:
          - { env: live }
          - { env: ENV }
  template:
    spec:
      source: { repoURL: https://github.com/acme/shop.git, path: 'chart/{{env}}' }
"""


@pytest.mark.parametrize(
    ("repo", "path", "values", "missing"),
    [
        ("shop", "chart/live", "values-live.yaml", []),
        ("shop", "chart/live", "values-test.yaml", ["chart/live/values-test.yaml"]),
        ("shop", "chart/live", "../shared.yaml", ["chart/shared.yaml"]),
        ("shop", "chart/gone", "", ["chart/gone"]),
        ("other", "chart/gone", "", []),
        ("shop", "chart/live", "https://acme.io/values.yaml", []),
    ],
)
def test_argo_cd_is_pointed_at_what_is_there(repo, path, values, missing):
    files = {
        "chart/live/values-live.yaml": "a: 1\n",
        "argocd/known.yaml": APPLICATION.format(name="known", repo="shop", path="chart/live", values=""),
        "argocd/app.yaml": APPLICATION.format(name="app", repo=repo, path=path, values=values),
    }
    found = findings(files, "referenced-file-missing")
    assert [one.locations[0].value for one in found] == missing


@pytest.mark.parametrize(("env", "count"), [("live", 0), ("gone", 1)])
def test_an_application_set_is_pointed_at_what_is_there(env, count):
    files = {"chart/live/values.yaml": "a: 1\n", "argocd/set.yaml": APPLICATIONS.replace("ENV", env)}
    found = findings(files, "referenced-file-missing")
    assert [(one.locations[0].path, one.locations[0].line) for one in found] == [("argocd/set.yaml", 9)] * count


@pytest.mark.parametrize(
    ("route", "path", "count"),
    [
        ("app/api/health/route.ts", "/api/health", 0),
        ("app/api/health/route.ts", "/healthz", 1),
        ("pages/api/healthz.ts", "/api/healthz", 0),
        ("app/page.tsx", "/healthz", 0),
    ],
)
def test_a_framework_that_routes_by_files(route, path, count):
    probe = f"          livenessProbe: {{ httpGet: {{ path: {path}, port: 8080 }} }}\n"
    files = {
        "web/package.json": '{"name": "web", "dependencies": {"next": "14"}}',
        f"web/{route}": "export function GET() { return Response.json({}) }\n",
        "web/Dockerfile": "FROM node:20.1\nCOPY . .\nEXPOSE 8080\n",
        "k8s/web.yaml": deployment("web") + probe,
        "docker-compose.yml": "services:\n  web:\n    build: ./web\n    image: acme/web\n",
    }
    assert len(findings(files, "health-path-not-served")) == count


@pytest.mark.parametrize(
    ("path", "text", "reads"),
    [
        ("a.py", 'A = {"x": os.environ["DB_HOST"],\n "y": 1}\n', [("DB_HOST", None, True)]),
        ("a.py", 'connect(os.getenv("DB_HOST"), "x")\n', [("DB_HOST", None, False)]),
        ("a.py", 'connect(os.getenv("DB_HOST", "x"))\n', [("DB_HOST", "x", False)]),
        ("a.js", "connect(process.env.DB_HOST, 'x')\n", [("DB_HOST", None, False)]),
        ("a.js", "connect(process.env.DB_HOST || 'x')\n", [("DB_HOST", "x", False)]),
        (
            "a.ts",
            "const num = (name: string, other: number) => Number(process.env[name] ?? other);\n"
            "export const limit = num('LIMIT_MB', 10);\n",
            [("LIMIT_MB", "10", False)],
        ),
        (
            "a.js",
            "function need(key) {\n  if (!process.env[key]) throw key;\n  return process.env[key];\n}\n"
            "const a = need('API_TOKEN');\n",
            [("API_TOKEN", None, False)],
        ),
        (
            "env.ts",
            "export const env = z.object({\n  API_TOKEN: z.string().min(1),\n  LIMIT_MB: z\n    .coerce.number()\n"
            "    .default(10),\n  LABEL: z.string().optional(),\n}).parse(process.env);\n",
            [("API_TOKEN", None, True), ("LIMIT_MB", "10", False), ("LABEL", None, False)],
        ),
        ("shape.ts", "export const shape = z.object({\n  LABEL: z.string(),\n});\n", []),
        (
            "env.js",
            "module.exports = cleanEnv(process.env, {\n  API_TOKEN: str(),\n  LABEL: str({ default: 'shop' }),\n});\n",
            [("API_TOKEN", None, True), ("LABEL", "shop", False)],
        ),
        (
            "a.py",
            'def need(name):\n    return os.environ[name]\n\nTOKEN = need("API_TOKEN")\n',
            [("API_TOKEN", None, False)],
        ),
    ],
)
def test_what_the_source_reads(path, text, reads):
    found = collect(Repo.from_texts({path: text})).reads
    assert [(one.name, one.default, one.required) for one in found] == reads


def test_hosts_that_every_environment_replaces_are_no_placeholders():
    ingress = (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: web }\nspec:\n"
        "  tls: [{ hosts: [{{ .Values.host }}], secretName: web-tls }]\n  rules: [{ host: {{ .Values.host }} }]\n"
    )
    files = {
        "chart/Chart.yaml": "name: shop\n",
        "chart/values.yaml": "host: shop.example.com\n",
        "chart/templates/web.yaml": ingress,
    }
    assert len(findings(files, "tls-placeholder")) == 1
    (found,) = findings({**files, "chart/values-prod.yaml": "host: shop.acme.io\n"}, "tls-placeholder")
    assert "placeholder" not in str(found.locations)  # only that nothing here issues the certificate
    (found,) = findings({**files, "chart/values-prod.yaml": "host: your-domain.com\n"}, "tls-placeholder")
    assert ("chart/values-prod.yaml", 1) in {(one.path, one.line) for one in found.locations}


DEPLOY = """\
on: { push: { branches: [main] } }
jobs:
  cluster:
    runs-on: ubuntu-24.04
    environment: production
    steps:
      - uses: azure/setup-kubectl@v4
      - name: deploy
        run: kubectl DOES
      - name: wait
        run: kubectl rollout status deployment/api --timeout=120s
"""


@pytest.mark.parametrize(
    ("does", "lenient", "count"),
    [
        ("apply -k k8s", "", 0),
        ("apply -k k8s", "        continue-on-error: true\n", 1),
        ("apply --dry-run=server -k k8s", "        continue-on-error: true\n", 0),
    ],
)
def test_a_step_whose_failure_is_let_pass_guards_nothing(does, lenient, count):
    files = {
        ".github/workflows/cd.yml": DEPLOY.replace("DOES", does) + lenient,
        "k8s/kustomization.yaml": "resources: []\n",
    }
    found = findings(files, "deploy-without-rollout-gate")
    lines = [[(place.line, place.value) for place in one.locations] for one in found]
    assert lines == [[(8, "cluster"), (10, "cluster: continue-on-error")]] * count


@pytest.mark.parametrize(
    ("does", "count"),
    [("kubectl apply -f k8s/api.yaml", 1), ("kubectl diff -f k8s", 0), ("kubectl apply --dry-run=client -f k8s", 0)],
)
def test_installing_the_client_or_trying_manifests_deploys_nothing(does, count):
    workflow = (
        "on: push\njobs:\n  manifests:\n    runs-on: ubuntu-24.04\n    steps:\n"
        f"      - uses: azure/setup-kubectl@v4\n      - run: {does}\n"
    )
    files = {
        ".github/workflows/ci.yml": workflow,
        "migrations/0001_users.sql": "CREATE INDEX users_mail ON users (mail);\n",
        "k8s/api.yaml": deployment("api"),
    }
    assert len(findings(files, "index-check-missing-after-deploy")) == count


def test_standard_input_is_no_file():
    run = "kubectl create namespace shop --dry-run=client -o yaml | kubectl apply -f -"
    workflow = f"on: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: {run}\n"
    assert not findings({".github/workflows/ci.yml": workflow}, "referenced-file-missing")
    gone = workflow.replace("-f -\n", "-f gone.yaml\n")
    (found,) = findings({".github/workflows/ci.yml": gone}, "referenced-file-missing")
    assert found.locations[0].value == "gone.yaml"
