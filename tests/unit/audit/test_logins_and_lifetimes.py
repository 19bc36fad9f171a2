"""What a database is given against the URLs that lead to it, allowed origins, and lifetimes of tokens."""

import pytest

from tests.unit.audit.test_stacks import findings

DATABASE = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: pg }
spec:
  selector: { matchLabels: { app: pg } }
  template:
    metadata: { labels: { app: pg } }
    spec:
      containers:
        - name: pg
          image: postgres:17
          envFrom: [{ secretRef: { name: pg } }]
---
apiVersion: v1
kind: Service
metadata: { name: data }
spec: { selector: { app: pg }, ports: [{ port: 5432 }] }
---
apiVersion: v1
kind: Secret
metadata: { name: pg }
stringData: { POSTGRES_USER: shop, POSTGRES_PASSWORD: plum-tart, POSTGRES_DB: shop }
"""


def urls(*values):
    lines = "".join(f"  URL_{number}: '{value}'\n" for number, value in enumerate(values))
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: shop }}\ndata:\n{lines}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["postgresql://shop:plum-tart@data:5432/shop"], []),
        (["postgresql+asyncpg://shop:pear@data.prod.svc:5432/shop"], [("password", "high")]),
        (["jdbc:postgresql://data:5432/store"], [("database", "medium")]),
        (["postgresql://store:plum-tart@data/shop"], [("user", "medium")]),
        (["postgresql://shop:$(PASSWORD)@data:5432/shop"], []),
        (["postgresql://shop:change-me@data:5432/shop"], []),
        (["postgresql://store:pear@elsewhere:5432/store"], []),
        (["postgresql://data:5432/cart", "postgresql://data:5432/mail"], []),
    ],
)
def test_the_login_of_a_database_in_a_cluster(given, expected):
    files = {"k8s/pg.yaml": DATABASE, "k8s/shop.yaml": urls(*given)}
    found = findings(files, "database-login-mismatch")
    assert [(one.title.split(" another ")[1].split()[0], one.severity) for one in found] == expected
    assert not any("plum-tart" in place.value or "pear" in place.value for one in found for place in one.locations)


@pytest.mark.parametrize(("password", "count"), [("plum-tart", 0), ("pear", 1), ("${PASSWORD}", 0), ("${P:-pear}", 0)])
def test_the_password_of_a_database_in_compose(password, count):
    compose = (
        "services:\n  pg: { image: 'postgres:17', environment: { POSTGRES_PASSWORD: plum-tart } }\n"
        f"  shop: {{ build: ., environment: {{ URL: 'postgres://shop:{password}@pg/shop' }} }}\n"
    )
    assert len(findings({"compose.yaml": compose}, "database-login-mismatch")) == count


@pytest.mark.parametrize(
    ("allowed", "count"),
    [
        ("https://acme.net", 1),
        ("https://acme.net,https://shop.acme.net", 0),
        ("https://pages.example.org", 0),
        ("*", 0),
        ("http://localhost:3000", 0),
    ],
)
def test_the_origins_that_are_allowed(allowed, count):
    route = (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: web }\n"
        "spec: { hostnames: [shop.acme.net], rules: [{ backendRefs: [{ name: web, port: 80 }] }] }\n"
    )
    settings = urls().replace("data:\n", f"data:\n  CORS_ALLOWED_ORIGINS: '{allowed}'\n")
    files = {"k8s/route.yaml": route, "k8s/config.yaml": settings}
    assert len(findings(files, "cors-origin-not-served")) == count


SHOP = {
    "shop/package.json": '{"dependencies": {"express": "5"}}',
    "shop/Dockerfile": "FROM node:22\nCOPY . .\nCMD [node, index.js]\n",
    "k8s/shop.yaml": DATABASE.partition("---")[0].replace("pg", "shop").replace("postgres:17", "acme/shop:1.0.0"),
}


@pytest.mark.parametrize(
    ("name", "default", "written", "count"),
    [
        ("JWT_EXPIRES_IN", "24h", "15m", 1),
        ("JWT_EXPIRES_IN", "1h", "60m", 0),
        ("SESSION_MAX_AGE", "900", "900", 0),
        ("REQUEST_TIMEOUT_SECONDS", "30", "5", 0),
        ("JWT_EXPIRES_IN", "24h", "", 0),
    ],
)
def test_lifetimes_that_only_the_env_file_sets(name, default, written, count):
    files = {
        **SHOP,
        "shop/index.js": f"const life = process.env.{name} || '{default}';\n",
        ".env.example": f"{name}={written}\n",
        "k8s/shop.yaml": SHOP["k8s/shop.yaml"].replace("envFrom: [{ secretRef: { name: shop } }]", "env: []"),
    }
    assert len(findings(files, "token-lifetime-drift")) == count
    unknown = {**files, "k8s/shop.yaml": SHOP["k8s/shop.yaml"]}  # what the Secret holds is not known
    assert findings(unknown, "token-lifetime-drift") == ()


@pytest.mark.parametrize(
    ("line", "service", "count"),
    [
        ("REDIS_URL=redis://localhost:6379/0", "", 1),
        ("REDIS_URL=redis://cache:6379/0", "", 0),
        ("REDIS_URL=redis://localhost:6379/0", "environment: { REDIS_URL: 'redis://cache:6379/0' }, ", 0),
        ("REDIS_URL=redis://localhost:6379/0", "network_mode: host, ", 0),
        ("API_URL=http://localhost:6379", "", 0),
        ("REDIS_HOST=127.0.0.1", "", 1),
    ],
)
def test_datastores_at_localhost_in_env_files(line, service, count):
    name = line.partition("=")[0]
    files = {
        "compose.yaml": f"services:\n  shop: {{ build: shop, {service}env_file: .env }}\n"
        "  cache: { image: 'redis:8', ports: ['6379:6379'] }\n",
        ".env.example": f"{line}\n",
        "shop/package.json": SHOP["shop/package.json"],
        "shop/Dockerfile": SHOP["shop/Dockerfile"],
        "shop/index.js": f"connect(process.env.{name});\n",
    }
    found = findings(files, "env-file-reaches-localhost")
    assert [one.severity for one in found] == ["medium"] * count
    tracked = {path.removesuffix(".example"): text for path, text in files.items()}
    assert [one.severity for one in findings(tracked, "env-file-reaches-localhost")] == ["high"] * count


ASKS = "sh -c 'if [ -n \"$$REDIS_PASSWORD\" ]; then redis-server --requirepass $$REDIS_PASSWORD; else redis-server; fi'"


@pytest.mark.parametrize(("default", "count"), [("${REDIS_PASSWORD:-}", 1), ("${REDIS_PASSWORD:?set it}", 0)])
def test_a_password_that_is_off_by_default(default, count):
    def compose(command, password):
        return (
            f"services:\n  redis:\n    image: redis:8\n    command: >\n      {command}\n"
            f"    environment:\n      REDIS_PASSWORD: '{password}'\n"
        )

    files = {
        "compose.yaml": compose(ASKS, default),
        "compose.prod.yaml": compose(
            "redis-server --requirepass ${REDIS_PASSWORD:?set it}", "${REDIS_PASSWORD:?set it}"
        ),
    }
    assert len(findings(files, "datastore-auth-inconsistent")) == count


LIVES = "envFrom: [{ secretRef: { name: shop } }]"


@pytest.mark.parametrize(
    ("source", "given", "count"),
    [
        ("JWT_ACCESS_EXPIRES = timedelta(hours=24)\n", "3600", 1),
        ("JWT_ACCESS_EXPIRES = 900  # a quarter of an hour\n", "3600", 1),
        ("app.config['JWT_ACCESS_EXPIRES'] = timedelta(days=1)\n", "1h", 1),
        ("JWT_ACCESS_EXPIRES = timedelta(hours=1)\n", "3600", 0),
        ("JWT_ACCESS_EXPIRES = os.getenv('JWT_ACCESS_EXPIRES', '900')\n", "3600", 0),
        ("class Settings(Base):\n    JWT_ACCESS_EXPIRES: int = 900\n", "3600", 0),  # a field that may be read
        ("app.config.from_prefixed_env()\nJWT_ACCESS_EXPIRES = 900\n", "3600", 0),
        ("JWT_ACCESS_EXPIRES = 900\nread(os.environ)\n", "3600", 0),
        ("# JWT_ACCESS_EXPIRES = 900\n", "3600", 0),
        ("JWT_ACCESS_EXPIRES = ACCESS * 60\n", "3600", 0),
        ("JWT_ACCESS_EXPIRES = 900\n", "${LIFE}", 0),
    ],
)
def test_a_lifetime_that_files_set_and_the_source_fixes(source, given, count):
    files = {
        "shop/requirements.txt": "flask==3.1\n",
        "shop/Dockerfile": "FROM python:3.14\nCOPY . .\nCMD [flask, run]\n",
        "shop/settings.py": f"import os\nKEY = os.getenv('KEY')\n{source}",
        "k8s/shop.yaml": SHOP["k8s/shop.yaml"].replace(
            LIVES, f"env: [{{ name: JWT_ACCESS_EXPIRES, value: '{given}' }}]"
        ),
    }
    found = findings(files, "token-lifetime-drift")
    assert len(found) == count
    for one in found:
        assert {place.path for place in one.locations} == {"k8s/shop.yaml", "shop/settings.py"}
    elsewhere = {**files, "shop/other.py": "import os\nx = os.environ['JWT_ACCESS_EXPIRES']\n"}
    assert findings(elsewhere, "token-lifetime-drift") == ()


@pytest.mark.parametrize(
    ("fixed", "minutes", "count"), [("timedelta(minutes=30)", "30", 0), ("timedelta(minutes=5)", "30", 1)]
)
def test_a_lifetime_is_in_the_unit_that_its_name_states(fixed, minutes, count):
    files = {
        "shop/requirements.txt": "flask==3.1\n",
        "shop/Dockerfile": "FROM python:3.14\nCOPY . .\nCMD [flask, run]\n",
        "shop/settings.py": f"import os\nKEY = os.getenv('KEY')\nTOKEN_EXPIRE_MINUTES = {fixed}\n",
        "docker-compose.yml": "services:\n  shop:\n    build: shop\n"
        f"    environment: {{ TOKEN_EXPIRE_MINUTES: {minutes} }}\n",
    }
    assert len(findings(files, "token-lifetime-drift")) == count
