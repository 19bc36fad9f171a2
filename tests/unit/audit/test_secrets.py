"""Which names stand for secrets."""

import pytest

from tests.unit.audit.test_stacks import findings
from trimtab.audit.facts.secrets import is_placeholder, is_secret_name, looks_random


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "DBPASSWORD", "NGROK_AUTHTOKEN", "API_KEY", "APIKEY", "SECRET_KEY_BASE", "JWT_SECRET"]
)
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["TOKENIZER", "MAX_TOKENS", "SECRETARY", "PASSWORD_MIN_LENGTH", "ACCESS_TOKEN_TTL", "MONKEY", "SENTRY_KEYS"]
)
def test_names_of_other_things(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "value",
    [
        "3Chlsdh1ltPa5s7ZP2VQS3oz8Mf_5VwvvpUqhTUkKu8VRw32R",
        "9f86d081884c7d659a2feaa0c55ad015",
        "q7Zp2LkV9xTf4WmB8sRd6NcYh3",
    ],
)
def test_values_made_at_random(value):
    assert looks_random(value)


@pytest.mark.parametrize(
    "value",
    [
        "django.core.mail.backends.console.EmailBackend",
        "your-google-client-id-goes-here-1234",
        "reconciliation-platform-production-2",
        "550e8400-e29b-41d4-a716-446655440000",
        "http://localhost:5173/callback/v1/auth2",
        "/var/lib/application/releases/2024-01-01",
        "eu-central-1",
    ],
)
def test_values_that_somebody_wrote(value):
    assert not looks_random(value)


@pytest.mark.parametrize(
    "value", ["webhook_secret_123", "mail_service_account_json", "metrics_api_key", "db-password", "db_password"]
)
def test_words_that_describe_a_secret_stand_for_one(value):
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "value", ["tr4vel_b0ots_91", "vK2_secret_9Lq", "winter_in_vienna_1987", "stage_secure_db_password_2031"]
)
def test_words_of_another_kind_may_be_one(value):
    assert not is_placeholder(value)


SECRET = """\
apiVersion: v1
kind: Secret
metadata: {{ name: {name} }}
stringData:
  {key}: {value}
"""


@pytest.mark.parametrize(("key", "count"), [("auth", 0), ("password", 0), ("DB_PASSWORD", 1), ("db-password", 1)])
def test_a_key_of_one_word_is_another_secret_in_another_object(key, count):
    files = {
        "k8s/shop.yaml": SECRET.format(name="shop", key=key, value="q7Zp2LkV9xTf4WmB"),
        "k8s/desk.yaml": SECRET.format(name="desk", key=key, value="Rd6NcYh38sBmW4fT"),
    }
    assert len(findings(files, "secret-with-two-values")) == count


def told(files):
    found = findings(files, "secret-in-tracked-file")
    return [(one.severity, place.path, place.line, place.value) for one in found for place in one.locations]


def test_a_mail_clients_password_is_one_in_any_file():
    assert told({".env.example": "SMTP_PASSWORD=qzkt wmev hrlo yxbn\nMAIL_PASSWORD=this that what when\n"}) == [
        ("critical", ".env.example", 1, "SMTP_PASSWORD")
    ]


@pytest.mark.parametrize(
    ("path", "data", "lines"),
    [
        ("k8s/secret.yaml", "stringData: { redis-password: shopkeeper }", [4]),
        ("k8s/secret.yaml", "data: { redis-password: c2hvcGtlZXBlcgo= }", [4]),
        ("k8s/secret.yaml", "stringData: { redis-password: redis_password, user: shopkeeper }", []),
        ("k8s/secret.yaml", "stringData: { redis-password: change-me-please }", []),
        ("k8s/secret.yaml", "stringData: { redis-password: shop_password_123 }", [4]),
        ("k8s/secret.yaml", "stringData: { INDEX_ENVIRONMENT: us-east-1-aws }", []),
        ("k8s/staging/secret.yaml", "stringData: { redis-password: '${REDIS_PASSWORD}' }", []),
    ],
)
def test_a_plain_word_in_a_secret_is_readable(path, data, lines):
    found = told({path: f"apiVersion: v1\nkind: Secret\nmetadata: {{ name: shop }}\n{data}\n"})
    assert found == [("medium", path, line, "redis-password") for line in lines]


@pytest.mark.parametrize(("default", "lines"), [("", [(".env", 1)]), (":-q7Zp2LkV9xTf4WmB8sRd6NcYh3", None)])
def test_a_secret_stands_where_it_is_written(default, lines):
    compose = f"services:\n  shop:\n    image: acme/shop:1.2\n    environment:\n      API_KEY: ${{API_KEY{default}}}\n"
    found = told({".env": "API_KEY=q7Zp2LkV9xTf4WmB8sRd6NcYh3\n", "compose.yaml": compose})
    assert sorted(place[1:3] for place in found) == (lines or [(".env", 1), ("compose.yaml", 5)])
