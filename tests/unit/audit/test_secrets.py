"""Which names stand for secrets."""

import pytest

from trimtab.audit.facts.secrets import is_secret_name, looks_random


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
