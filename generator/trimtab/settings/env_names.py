"""The registry of environment variable names: one name per value, in every output (findings 2.1, 2.3)."""

from __future__ import annotations

import re

# Names that Trimtab writes itself, and what they come from.
DERIVED = {
    "DATABASE_URL": "`uses: [postgres]`",
    "REDIS_URL": "`uses: [redis]`",
    "PORT": "`port`",
    "HOST": "the framework",
    "POSTGRES_USER": "`datastores.postgres`",
    "POSTGRES_DB": "`datastores.postgres`",
    "POSTGRES_PASSWORD": "`datastores.postgres`",
    "REDIS_PASSWORD": "`datastores.redis`",
}

# Another spelling -> the canonical name. The spellings are those that real repositories were seen to mix.
ALIASES = {
    "DB_URL": "DATABASE_URL",
    "DB_URI": "DATABASE_URL",
    "DATABASE_URI": "DATABASE_URL",
    "POSTGRES_URL": "DATABASE_URL",
    "POSTGRES_URI": "DATABASE_URL",
    "POSTGRESQL_URL": "DATABASE_URL",
    "PG_URL": "DATABASE_URL",
    "SQLALCHEMY_DATABASE_URI": "DATABASE_URL",
    "REDIS_URI": "REDIS_URL",
    "CACHE_URL": "REDIS_URL",
    "REDIS_CONNECTION_STRING": "REDIS_URL",
    "SERVER_PORT": "PORT",
    "APP_PORT": "PORT",
    "HTTP_PORT": "PORT",
    "LISTEN_PORT": "PORT",
    "CORS_ORIGIN": "CORS_ALLOWED_ORIGINS",
    "CORS_ORIGINS": "CORS_ALLOWED_ORIGINS",
    "ALLOWED_ORIGINS": "CORS_ALLOWED_ORIGINS",
    "JWT_EXPIRES_IN": "JWT_EXPIRATION_SECONDS",
    "JWT_EXPIRATION": "JWT_EXPIRATION_SECONDS",
    "JWT_EXPIRY": "JWT_EXPIRATION_SECONDS",
    "JWT_TTL": "JWT_EXPIRATION_SECONDS",
    "JWT_REFRESH_EXPIRES_IN": "JWT_REFRESH_EXPIRATION_SECONDS",
    "JWT_REFRESH_EXPIRATION": "JWT_REFRESH_EXPIRATION_SECONDS",
    "JWT_REFRESH_EXPIRY": "JWT_REFRESH_EXPIRATION_SECONDS",
    "JWT_REFRESH_TTL": "JWT_REFRESH_EXPIRATION_SECONDS",
}

# Ends of names that hold secrets. `PASSWORD_MIN_LENGTH` and `TOKEN_TTL` hold none, hence ends only.
_SECRET_END = re.compile(
    r"(?:(?:^|_)[A-Z]*(?:SECRET|PASSWORD|PASSWD|TOKEN)|(?:^|_)(?:PASSPHRASE|CREDENTIALS?|(?:SECRET|API|PRIVATE|ACCESS)_?KEY))$"
)


def looks_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret, as far as its name tells."""
    return _SECRET_END.search(name) is not None
