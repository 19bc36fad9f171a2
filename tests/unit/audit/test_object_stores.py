"""Names that a MinIO and the S3 that it stands for have for the same value."""

import pytest

from tests.unit.audit.test_stacks import findings


def compose(*names):
    given = "".join(f"      {name}: x\n" for name in names)
    return f"services:\n  shop:\n    build: ./shop\n    environment:\n{given}"


def shop(one, other, source):
    return findings(
        {
            "docker-compose.yml": compose(*one),
            "docker-compose.production.yml": compose(*other),
            "shop/main.js": source,
            "shop/Dockerfile": "FROM node:26\nCOPY . .\n",
        },
        "env-name-drift",
    )


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        (["MINIO_ENDPOINT"], ["S3_ENDPOINT"], "MINIO_ENDPOINT, S3_ENDPOINT"),
        (["MINIO_ACCESS_KEY"], ["S3_ACCESS_KEY_ID"], "MINIO_ACCESS_KEY, S3_ACCESS_KEY_ID"),
        (["S3_SECRET_ACCESS_KEY"], ["S3_SECRET_KEY"], "S3_SECRET_ACCESS_KEY, S3_SECRET_KEY"),
        (["MINIO_ENDPOINT", "S3_ENDPOINT"], ["S3_ENDPOINT"], ""),
        (["MINIO_ROOT_USER"], ["S3_ACCESS_KEY"], ""),
    ],
)
def test_the_names_of_one_value(one, other, names):
    found = shop(one, other, "")
    assert [item.title for item in found] == ([f"One value under 2 names: {names}"] if names else [])


def test_the_source_that_reads_one_of_the_names_is_told():
    (found,) = shop(["MINIO_ENDPOINT"], ["S3_ENDPOINT"], "\nopen(process.env.S3_ENDPOINT);\n")
    assert ("shop/main.js", 2, "reads S3_ENDPOINT") in {(one.path, one.line, one.value) for one in found.locations}


def test_source_that_takes_either_name_is_content():
    assert shop(["MINIO_ENDPOINT"], ["S3_ENDPOINT"], "process.env.S3_ENDPOINT || process.env.MINIO_ENDPOINT;\n") == ()
