"""Images: under which names and tags they are pushed and run, and from which folders they are built."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings

CI = ".github/workflows/ci.yml"
PUSH = """\
on: [push]
jobs:
  image:
    runs-on: ubuntu-24.04
    steps:
      - id: other
        uses: docker/metadata-action@v5
        with: {{ images: ghcr.io/acme/web, tags: "type=semver,pattern={{{{version}}}}" }}
      - id: meta
        uses: docker/metadata-action@v5
        with:
          images: {images}
          tags: |
            {tags}
      - uses: docker/build-push-action@v6
        with:
          context: {context}
          push: true
          tags: ${{{{ steps.meta.outputs.tags }}}}
"""


def pushed(images="ghcr.io/${{ github.repository }}/api", tags="type=sha", context="."):
    return PUSH.format(images=images, tags=tags.replace("\n", "\n            "), context=context)


@pytest.mark.parametrize(
    ("tags", "lines"),
    [
        ("type=sha", [14]),
        ("type=ref,event=branch\ntype=sha\ntype=raw,value=latest,enable={{is_default_branch}}", [14, 15, 16]),
        ("type=sha\ntype=semver,pattern={{version}}", []),
        ("type=sha\ntype=ref,event=tag", []),
        ("type=sha\ntype=raw,value=${{ github.run_number }}", []),
    ],
)
def test_a_push_names_a_version_where_one_of_its_own_tags_does(tags, lines):
    found = findings({CI: pushed(tags=tags)}, "image-tag-commit-only")
    assert [place.line for one in found for place in one.locations] == lines


@pytest.mark.parametrize(("tag", "count"), [("latest", 1), ("main", 1), ("1.4.0", 0), ("$GITHUB_REF_NAME", 0)])
def test_a_name_that_moves_is_no_version(tag, count):
    step = f"      - run: docker push acme/api:{tag}\n"
    workflow = "on: [push]\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n" + step
    assert len(findings({CI: workflow}, "image-tag-commit-only")) == count


@pytest.mark.parametrize(
    ("image", "title"),
    [
        ("acme/api:1.0.0", "acme/api is deployed, but ghcr.io/${{ github.repository }}/api is what is pushed"),
        ("ghcr.io/acme/shop/api:1.0.0", ""),
        ("ghcr.io/your-org/api:1.0.0", "ghcr.io/your-org/api is deployed, and a part of its name is a placeholder"),
        ("ghcr.io/yours/api:1.0.0", ""),
    ],
)
def test_names_are_compared_with_their_registries(image, title):
    files = {CI: pushed(), "k8s/api.yaml": deployment("api", image), "Dockerfile": "FROM scratch\n"}
    found = findings(files, "deployed-image-never-built")
    assert [one.title for one in found] == [title] * bool(title)
    assert all(one.severity == "high" for one in found)
    files["deploy.sh"] = "sed -i s#api:1.0.0#api:$TAG# k8s/api.yaml  # the image\n"
    assert findings(files, "deployed-image-never-built") == ()


def test_a_pushed_name_that_holds_an_expression_is_kept_in_one_piece():
    found = findings(
        {CI: pushed("ghcr.io/${{ github.repository }}/api,acme/api"), "k8s/a.yaml": deployment("api", "acme/apis:1")}
    )
    (wrong,) = [one for one in found if one.rule == "deployed-image-never-built"]
    assert {place.value for place in wrong.locations} == {
        "acme/apis",
        "acme/api",
        "ghcr.io/${{ github.repository }}/api",
    }


@pytest.mark.parametrize(
    ("context", "lines"),
    [(".", []), ("./api", [(CI, 17, "api"), ("api/Dockerfile", 2, "api/api"), ("docker-compose.yml", 4, ".")])],
)
def test_a_context_is_wrong_where_another_one_holds_what_is_copied(context, lines):
    files = {
        CI: pushed(context=f"{context}\n          file: api/Dockerfile"),
        "docker-compose.yml": "services:\n  api:\n    build:\n      context: .\n      dockerfile: api/Dockerfile\n",
        "api/Dockerfile": "FROM golang:1.24\nCOPY api/go.* ./\nCOPY . .\n",
        "api/go.mod": "module api\n",
    }
    found = findings(files, "referenced-file-missing")
    assert [(place.path, place.line, place.value) for one in found for place in one.locations] == lines
    assert all(one.severity == "high" for one in found)


def test_a_build_that_names_its_dockerfile_is_no_addition_to_another_file():
    build = "services:\n  api:\n    build:\n      context: ./api\n      dockerfile: Dockerfile.{}\n"
    files = {
        "docker-compose.yml": build.format("dev"),
        "docker-compose.prod.yml": build.format("prod"),
        "api/Dockerfile.dev": "FROM golang:1.24\n",
    }
    (found,) = findings(files, "referenced-file-missing")
    assert [(place.path, place.line) for place in found.locations] == [("docker-compose.prod.yml", 5)]
    files["docker-compose.prod.yml"] = build.format("prod").replace("./api", "./apis")
    (found,) = findings(files, "referenced-file-missing")
    assert [(place.path, place.line) for place in found.locations] == [("docker-compose.prod.yml", 4)]


@pytest.mark.parametrize(
    ("command", "count"),
    [
        ("kubectl apply -f -", 0),
        ("kubectl apply -f k8s/made.yaml", 1),
        ("sed s/a/b/ k8s/api.yaml > k8s/made.yaml\n\tkubectl apply -f k8s/made.yaml", 0),
    ],
)
def test_a_manifest_that_a_command_writes_is_not_missing(command, count):
    files = {"Makefile": f"deploy:\n\t{command}\n", "k8s/api.yaml": deployment()}
    assert len(findings(files, "referenced-file-missing")) == count


PUSHES = """\
on:
  push: { branches: [main], tags: ["v*"] }
jobs:
  images:
    runs-on: ubuntu-24.04
    steps:
      - run: docker push ghcr.io/acme/api:$COMMIT_TAG
      - run: docker push WORKER
"""


@pytest.mark.parametrize(
    ("worker", "lines"),
    [
        ("ghcr.io/acme/worker:${{ github.sha }}", [8]),
        ("ghcr.io/acme/api/worker:$GITHUB_SHA", [8]),
        ("ghcr.io/acme/api:${{ github.sha }}", []),  # the same image, under its version, too
        ("ghcr.io/acme/worker:1.4.0", []),
        ("ghcr.io/acme/toolchain:latest", []),  # what the build itself needs is no release
        ("ghcr.io/acme/$name:${{ github.sha }}", []),  # may be the one with versions
        ("$IMAGE:${{ github.sha }}", []),
    ],
)
def test_an_image_without_versions_is_found_beside_one_with(worker, lines):
    found = findings({CI: PUSHES.replace("WORKER", worker)}, "image-tag-commit-only")
    assert [place.line for one in found for place in one.locations] == lines
