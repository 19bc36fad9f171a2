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
