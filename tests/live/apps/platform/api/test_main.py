"""Run by the emitted workflow, against the database and the Redis that it starts."""

import os

import pytest
import redis

import main


def test_a_note_is_kept() -> None:
    main.add("from-a-test")
    assert "from-a-test" in main.notes()


def test_redis_wants_a_password() -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(os.environ["REDIS_URL"].replace(os.environ["REDIS_PASSWORD"], "wrong")).ping()
