"""Runtimes and datastores that files name: by image, by tool, by port."""

from __future__ import annotations

import re

_DATASTORES = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "postgis": "postgres",
    "pgvector": "postgres",
    "timescaledb": "postgres",
    "postgresql-repmgr": "postgres",
    "timescaledb-ha": "postgres",
    "redis": "redis",
    "redis-stack": "redis",
    "redis-stack-server": "redis",
    "valkey": "valkey",
    "keydb": "keydb",
    "dragonfly": "dragonfly",
    "redis-alpine": "redis",
    "mysql": "mysql",
    "mysql-server": "mysql",
    "mariadb": "mariadb",
    "percona": "mysql",
    "percona-server": "mysql",
    "mongo": "mongodb",
    "mongodb": "mongodb",
    "mongodb-community-server": "mongodb",
    "rabbitmq": "rabbitmq",
    "memcached": "memcached",
    "kafka": "kafka",
    "cp-kafka": "kafka",
    "zookeeper": "zookeeper",
    "cp-zookeeper": "zookeeper",
    "nats": "nats",
    "elasticsearch": "elasticsearch",
    "opensearch": "opensearch",
    "clickhouse-server": "clickhouse",
    "cassandra": "cassandra",
    "minio": "minio",
    "etcd": "etcd",
    "cockroach": "cockroach",
    "neo4j": "neo4j",
    "influxdb": "influxdb",
    "consul": "consul",
    "vault": "vault",
    "server": "",
}
_RUNTIMES = {
    "node": "node",
    "python": "python",
    "golang": "go",
    "rust": "rust",
    "ruby": "ruby",
    "php": "php",
    "elixir": "elixir",
    "eclipse-temurin": "java",
    "openjdk": "java",
    "amazoncorretto": "java",
    "deno": "deno",
    "bun": "bun",
    "maven": "",
    "cargo-chef": "",
    "sdk": "dotnet",
    "aspnet": "dotnet",
    "runtime": "dotnet",
}
DEFAULT_PORT = {
    "postgres": 5432,
    "redis": 6379,
    "valkey": 6379,
    "keydb": 6379,
    "dragonfly": 6379,
    "mysql": 3306,
    "mariadb": 3306,
    "mongodb": 27017,
    "rabbitmq": 5672,
    "memcached": 11211,
    "kafka": 9092,
    "nats": 4222,
    "elasticsearch": 9200,
    "opensearch": 9200,
    "minio": 9000,
    "zookeeper": 2181,
    "etcd": 2379,
    "cockroach": 26257,
    "clickhouse": 8123,
    "cassandra": 9042,
    "neo4j": 7687,
    "influxdb": 8086,
    "mssql": 1433,
}
# What the published images listen on beside it, for administration, metrics and their own clusters.
SIDE_PORTS: dict[str, frozenset[int]] = {
    "rabbitmq": frozenset({1883, 4369, 5671, 15671, 15672, 15675, 15692, 25672, 61613}),
    "elasticsearch": frozenset({9300}),
    "opensearch": frozenset({9300, 9600}),
    "minio": frozenset({9001}),
    "clickhouse": frozenset({9000, 9004, 9009, 9363}),
    "nats": frozenset({6222, 8222}),
    "etcd": frozenset({2380}),
    "zookeeper": frozenset({2888, 3888, 8080}),
    "neo4j": frozenset({7473, 7474}),
    "cockroach": frozenset({8080}),
    "cassandra": frozenset({7000, 7001, 7199}),
    "redis": frozenset({16379, 26379}),
}
_MSSQL = re.compile(r"(?:^|/)mssql/server$|(?:^|/)azure-sql-edge$", re.IGNORECASE)  # its name's last part says nothing
DATASTORES = frozenset({*_DATASTORES.values(), "mssql"}) - {""}
RUNTIMES = frozenset({"node", "python", "go", "rust", "ruby", "php", "elixir", "java", "dotnet", "deno", "bun"})
_SIDE_IMAGES = frozenset(
    [
        "nginx",
        "nginx-unprivileged",
        "caddy",
        "traefik",
        "haproxy",
        "envoy",
        "httpd",
        "adminer",
        "pgadmin4",
        "phpmyadmin",
        "mailhog",
        "mailpit",
        "mailcatcher",
        "prometheus",
        "grafana",
        "alertmanager",
        "jaeger",
        "all-in-one",
        "busybox",
        "alpine",
        "debian",
        "ubuntu",
        "curl",
        "loki",
        "promtail",
        "fluentd",
        "fluent-bit",
        "cadvisor",
        "node-exporter",
        "redis-exporter",
        "postgres-exporter",
        "postgres_exporter",
        "redis_exporter",
        "mongo-express",
        "redis-commander",
        "redisinsight",
        "otel-collector",
        "opentelemetry-collector",
        "opentelemetry-collector-contrib",
        "tempo",
        "zipkin",
        "cloudflared",
        "oauth2-proxy",
        "keycloak",
        "certbot",
        "localstack",
        "watchtower",
        "autoheal",
        "portainer",
        "swagger-ui",
        "flower",
        "mc",
        "aws-cli",
        "docker",
        "dind",
        "selenium",
        "playwright",
        "standalone-chrome",
        "kibana",
        "logstash",
        "filebeat",
    ]
)

_EXPORTER = re.compile(
    r"(?:redis|postgres|mysqld?|mongodb|elasticsearch|nginx(?:-prometheus)?|kafka|rabbitmq|node|blackbox|statsd|memcached|pgbouncer|"
    r"php-fpm|haproxy|jmx|cloudwatch|snmp)[-_]exporter"
)


def datastore_of(repository: str) -> str:
    """The datastore that an image repository holds, or ""."""
    base = repository.rsplit("/", 1)[-1].lower()
    return _DATASTORES.get(base, "") or ("mssql" if _MSSQL.search(repository) else "")


def is_third_party(repository: str) -> bool:
    """Whether an image is a well-known published one, whose variables and ports are its own."""
    base = repository.rsplit("/", 1)[-1].lower()
    return bool(datastore_of(repository) or _EXPORTER.fullmatch(base)) or base in _SIDE_IMAGES or base in _RUNTIMES


def product_of_image(repository: str) -> str:
    """The runtime or datastore whose version an image's tag states, or ""."""
    parts = repository.lower().split("/")
    base = parts[-1]
    if base in ("sdk", "aspnet", "runtime"):
        return "dotnet" if "dotnet" in parts else ""
    if base in _RUNTIMES:
        return (
            _RUNTIMES[base]
            if len(parts) == 1 or parts[-2] in ("library", "docker.io") or base in ("deno", "bun")
            else ""
        )
    if base in ("postgis", "pgvector", "timescaledb", "timescaledb-ha", "percona", "percona-server"):
        return ""  # their tags state the extension's version as well, or first
    return datastore_of(repository)


_VERSION = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?")


def version_numbers(text: str) -> tuple[int, ...]:
    """The first dotted number in `text`, as a tuple; empty when there is none. In the tags of extensions, such as
    `0.8.0-pg17`, it is the database's own.
    """
    of_postgres = re.search(r"(?:^|-)pg(\d{1,3})(?!\d)", text)  # behind the version of an extension
    if of_postgres:
        return (int(of_postgres[1]),)
    match = _VERSION.search(text)
    if match is None:
        return ()
    return tuple(int(part) for part in match.groups() if part is not None)


_DEPTH = {
    "node": 1,
    "java": 1,
    "postgres": 1,
    "dotnet": 1,
    "mysql": 2,
    "mariadb": 2,
    "redis": 1,
    "mongodb": 1,
    "mssql": 1,
}


def release_of(numbers: tuple[int, ...], product: str) -> tuple[int, ...]:
    """The part of a version that a product's releases differ by."""
    return numbers[: _DEPTH.get(product, 2)]


def same_version(one: tuple[int, ...], other: tuple[int, ...], product: str) -> bool:
    """Whether two versions agree as far as both are written, down to what the product's releases differ
    by.
    """
    length = min(len(one), len(other))
    return release_of(one[:length], product) == release_of(other[:length], product)
