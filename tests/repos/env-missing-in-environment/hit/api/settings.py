import os

BROKER = os.environ["BROKER_URL"]
DATABASE = os.environ["DATABASE_URL"]
CACHE = os.environ["CACHE_URL"]
SENTRY = os.environ.get("SENTRY_DSN")
SIZE = os.environ.get("PAGE_SIZE", "20")
