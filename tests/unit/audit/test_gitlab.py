"""GitLab pipelines: what their jobs inherit, and what each rule says of them."""

import pytest

from trimtab.audit.engine import Options, audit_repo
from trimtab.repo import Repo

PIPELINE = """\
stages: [test, build, deploy]

.go:
  image: golang:1.24
  services: [postgres:17.2]

unit:
  extends: .go
  stage: test
  script:
    - go test ./...
  artifacts:
    when: always
    expire_in: 14 days
    paths: [cover.out]

package:
  stage: build
  script:
    - docker push $CI_REGISTRY_IMAGE:$CI_COMMIT_SHA
    - docker push $CI_REGISTRY_IMAGE:$CI_COMMIT_TAG

deploy:
  stage: deploy
  needs: [package]
  script:
    - helm upgrade --install orders chart -f chart/values-production.yaml --wait
  environment: production
"""
FILES = {
    "go.mod": "module acme/orders\n\ngo 1.24\n",
    "Dockerfile": "FROM golang:1.24\nCOPY . .\n",
    "chart/values-production.yaml": "replicas: 2\n",
    "docker-compose.yml": "services:\n  db:\n    image: postgres:17.2\n",
}


def found(pipeline, path=".gitlab-ci.yml"):
    report = audit_repo(Repo.from_texts({**FILES, path: pipeline}), Options())
    return {(one.rule, place.line, place.value) for one in report.findings for place in one.locations}


def rules(pipeline):
    return {rule for rule, _, _ in found(pipeline)}


def test_a_sound_pipeline_has_no_finding():
    assert rules(PIPELINE) == set()


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("needs: [package]", "needs: [pack]", ("unreachable-job", 25, "pack")),
        ("  stage: build", "  stage: package", ("unreachable-job", 18, "package")),
        ("extends: .go", "extends: .golang", ("unreachable-job", 8, ".golang")),
        ("  stage: build", "  needs: [deploy]", ("unreachable-job", 25, "package")),
        ("golang:1.24", "golang:1.21", ("runtime-version-drift", 4, None)),
        ("postgres:17.2", "postgres:14.5", ("datastore-version-drift", 5, None)),
        (" --wait", "", ("deploy-without-rollout-gate", 27, "deploy")),
        ("values-production", "values-prod", ("referenced-file-missing", 27, "chart/values-prod.yaml")),
        ("    - docker push $CI_REGISTRY_IMAGE:$CI_COMMIT_TAG\n", "", ("image-tag-commit-only", 20, "$CI_COMMIT_SHA")),
        ("stages: [", "include: /ci/all.yml\nstages: [", ("referenced-file-missing", 1, "ci/all.yml")),
        (
            "stages: [",
            "variables:\n  JWT_SECRET: k3J9sQ2xV7pLm4Rt8Zw1\nstages: [",
            ("secret-in-tracked-file", 2, "JWT_SECRET"),
        ),
        (
            "  artifacts:\n    when: always\n    expire_in: 14 days\n    paths: [cover.out]\n",
            "",
            ("test-reports-not-kept",),
        ),
    ],
)
def test_a_drift_in_a_pipeline_is_found_at_its_line(old, new, finding):
    assert old in PIPELINE
    seen = found(PIPELINE.replace(old, new))
    assert any(all(part is None or part == other for part, other in zip(finding, one, strict=False)) for one in seen), (
        seen
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("needs: [package]", "needs: [{ job: scan, optional: true }]"),
        ("needs: [package]", "needs: [{ project: acme/base, job: build, ref: main, artifacts: true }]"),
        ("  stage: build", "  stage: .post"),
        (
            "stages: [test, build, deploy]",
            "include: { project: acme/ci, file: go.yml }\nstages: [test, build, deploy, scan]",
        ),
    ],
)
def test_what_may_be_defined_elsewhere_is_no_alarm(old, new):
    assert old in PIPELINE
    assert rules(PIPELINE.replace(old, new)) == set()


def test_jobs_of_an_included_file_may_extend_what_the_pipeline_defines():
    part = "lint:\n  extends: .go\n  stage: checks\n  needs: [unit]\n  script: [golangci-lint run]\n"
    assert found(part, ".gitlab/ci/lint.yml") == set()


@pytest.mark.parametrize(
    ("tag", "default"),
    [
        ('`envconfig:"PORT" default:"8080"`', "8080"),
        ('`default:"8080" env:"PORT"`', "8080"),
        ('`env:"PORT" envDefault:"8080"`', "8080"),
        ('`env:"PORT,required"`', None),
    ],
)
def test_defaults_of_struct_tags(tag, default):
    from trimtab.audit.facts.collect import collect

    facts = collect(Repo.from_texts({"main.go": f"package main\n\ntype C struct {{\n\tPort string {tag}\n}}\n"}))
    (one,) = facts.reads
    assert (one.name, one.default, one.required) == ("PORT", default, default is None)


def test_a_job_is_one_shell_and_names_scripts_without_a_dot():
    named = PIPELINE.replace(
        "- go test ./...", "- ci/lint.sh\n    - cd api\n    - ci/test.sh\n    - cd $SOMEWHERE\n    - ci/more.sh"
    )
    missing = {value for rule, _, value in found(named) if rule == "referenced-file-missing"}
    assert missing == {"ci/lint.sh", "api/ci/test.sh"}


def test_the_jobs_of_a_matrix_push_an_image_each():
    pipeline = """\
build:
  parallel:
    matrix:
      - SERVICE: [api, web]
        REGION: eu
  script:
    - docker push "$CI_REGISTRY_IMAGE/$SERVICE:$CI_COMMIT_TAG"
"""
    files = {
        ".gitlab-ci.yml": pipeline,
        "api/Dockerfile": "FROM scratch\n",
        "api/go.mod": "module acme/api\n",
        "docker-compose.yml": "services:\n  api:\n    build: ./api\n    image: registry.acme.dev/shop/api:dev\n",
        "compose.prod.yml": "services:\n  api:\n    image: registry.acme.dev/shop/{0}:1.2.0\n",
    }

    def deployed(name):
        tree = {**files, "compose.prod.yml": files["compose.prod.yml"].format(name)}
        return audit_repo(Repo.from_texts(tree), Options(rules=("deployed-image-never-built",))).findings

    assert deployed("api") == ()
    (finding,) = deployed("backend")
    assert [place.value for place in finding.locations] == ["registry.acme.dev/shop/backend", "$CI_REGISTRY_IMAGE/api"]


@pytest.mark.parametrize(
    ("rules", "branch", "reported"),
    [
        ('[{ if: $CI_COMMIT_BRANCH == "main" }, { if: $CI_COMMIT_TAG }]', "master", True),
        ('[{ if: $CI_COMMIT_BRANCH == "main" }, { if: $CI_COMMIT_TAG }]', "main", False),
        ('[{ if: $CI_COMMIT_BRANCH == "main" }, { if: $CI_COMMIT_BRANCH }]', "master", False),
        ("[{ if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH }]", "master", False),
    ],
)
def test_a_job_on_a_branch_that_starts_no_pipeline(rules, branch, reported):
    pipeline = f'workflow:\n  rules: {rules}\n{PIPELINE}  rules:\n    - if: $CI_COMMIT_BRANCH == "{branch}"\n'
    assert ("unreachable-job" in {rule for rule, _, _ in found(pipeline)}) == reported


def test_two_systems_that_both_deploy():
    other = "on: [push]\njobs:\n  it:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: {0}\n"

    def overlap(command):
        tree = {**FILES, ".gitlab-ci.yml": PIPELINE, ".github/workflows/ci.yml": other.format(command)}
        return audit_repo(Repo.from_texts(tree), Options(rules=("overlapping-workflows",))).findings

    (finding,) = overlap("helm upgrade --install orders chart -f chart/values-production.yaml")
    assert {place.path for place in finding.locations} == {".gitlab-ci.yml", ".github/workflows/ci.yml"}
    assert overlap("go test ./...") == ()


TEMPLATE = """\
variables:
  REGISTRY: registry.acme.io

.publish:
  stage: build
  script:
    - /kaniko/executor --context . --destination $IMAGE:$CI_COMMIT_TAG

.release:
  stage: deploy
  environment: production
  script:
    - kubectl apply -f $MANIFEST
"""
SERVICE = """\
include:
  - project: acme/platform
    file: /ci/jobs.yml

publish-{name}:
  extends: .publish
  variables:
    IMAGE: $REGISTRY/acme/{name}

release-{name}:
  extends: .release
  needs: [publish-{name}]
  variables:
    MANIFEST: k8s/{name}.yaml
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name} }}
spec:
  template:
    spec:
      containers:
        - name: {name}
          image: registry.acme.io/acme/{image}:1.4.0
"""
PARTS = {
    ".gitlab-ci.yml": "include:\n  - /services/orders/.gitlab-ci.yml\n  - local: /services/bills/.gitlab-ci.yml\n",
    "ci/jobs.yml": TEMPLATE,
    "services/orders/.gitlab-ci.yml": SERVICE.format(name="orders"),
    "services/bills/.gitlab-ci.yml": SERVICE.format(name="bills"),
    "k8s/orders.yaml": MANIFEST.format(name="orders", image="orders"),
    "k8s/bills.yaml": MANIFEST.format(name="bills", image="bills"),
}


def parts(changes):
    report = audit_repo(Repo.from_texts({**PARTS, **changes}), Options())
    return {
        one.rule: (one.title, {(place.path, place.line, place.value) for place in one.locations})
        for one in report.findings
    }


def test_a_job_does_what_the_file_says_that_it_includes():
    seen = parts({})
    title, places = seen["deploy-without-rollout-gate"]
    assert title.startswith("ci/jobs.yml deploys to a cluster")
    assert places == {("ci/jobs.yml", 13, "release-orders"), ("ci/jobs.yml", 13, "release-bills")}
    assert not seen.keys() & {"deployed-image-never-built", "overlapping-workflows", "image-tag-commit-only"}


def test_the_image_that_an_inherited_job_pushes_is_known():
    title, places = parts({"k8s/bills.yaml": MANIFEST.format(name="bills", image="billing")})[
        "deployed-image-never-built"
    ]
    assert title == "registry.acme.io/acme/billing is deployed, but registry.acme.io/acme/bills is what is pushed"
    assert ("ci/jobs.yml", 7, None) in {(path, line, None) for path, line, _ in places}


@pytest.mark.parametrize(
    "changes",
    [
        {"ci/jobs.yml": TEMPLATE + "    - kubectl rollout status deployment --timeout=3m\n"},
        {
            "services/orders/.gitlab-ci.yml": SERVICE.format(name="orders") + "  script: [make release]\n",
            "services/bills/.gitlab-ci.yml": SERVICE.format(name="bills") + "  script: [make release]\n",
        },
        {"ci/jobs.yml": "include: /ci/jobs.yml\n", "services/orders/.gitlab-ci.yml": "include: /.gitlab-ci.yml\n"},
    ],
)
def test_what_a_job_says_itself_stands_before_what_it_inherits(changes):
    assert "deploy-without-rollout-gate" not in parts(changes)


def test_a_part_extends_what_the_pipeline_at_the_root_includes():
    alone = SERVICE.format(name="orders").partition("publish-orders")[2]
    files = {
        ".gitlab-ci.yml": PARTS[".gitlab-ci.yml"] + "  - local: /ci/jobs.yml\n",
        "services/orders/.gitlab-ci.yml": "publish-orders" + alone,
    }
    assert ("ci/jobs.yml", 13, "release-orders") in parts(files)["deploy-without-rollout-gate"][1]
