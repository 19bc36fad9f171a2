import os

HOST = os.environ["POSTGRES_HOST"]
PASSWORD = os.environ["POSTGRES_PASSWORD"]
