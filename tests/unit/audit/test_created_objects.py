"""ConfigMaps and Secrets: those that commands create, those that no container gets, and what they hold."""

import pytest

from tests.unit.audit.test_stacks import findings

CREATE = 'kubectl create secret generic login --from-literal=USER={user} \\\n  --from-literal=TOKEN="$TOKEN"{more}\n'


def pod(*refs, whole=""):
    taken = "".join(
        f"            - name: {name}\n              valueFrom: {{ {kind}: {{ name: {held}, key: {key} }} }}\n"
        for name, kind, held, key in refs
    )
    env = f"          env:\n{taken}" if refs else ""
    env += f"          envFrom: [{{ configMapRef: {{ name: {whole} }} }}]\n" if whole else ""
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: shop }\nspec:\n  selector:\n"
        "    matchLabels: { app: shop }\n  template:\n    metadata: { labels: { app: shop } }\n    spec:\n"
        f"      containers:\n        - name: shop\n          image: acme/shop:1.0.0\n{env}"
    )


def config(name, values, extra=""):
    lines = "".join(f"  {key}: '{value}'\n" for key, value in values.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}{extra} }}\ndata:\n{lines}"


OTHER = "---\napiVersion: v1\nkind: Secret\nmetadata: { name: other }\nstringData: { A: b }\n"


@pytest.mark.parametrize(
    ("key", "more", "titles"),
    [
        ("TOKEN", "", []),
        ("PASSWORD", "", ["Secret login has no key PASSWORD, which Deployment shop asks for"]),
        ("PASSWORD", " --from-env-file=login.env", []),
        ("login.txt", " --from-file=keys/login.txt -o yaml | kubectl apply -f -", []),
        ("PASSWORD", " --from-file=PASSWORD=keys/login.txt", []),
        ("PASSWORD", "; echo --from-literal=PASSWORD=x",
         ["Secret login has no key PASSWORD, which Deployment shop asks for"]),
    ],
)  # fmt: skip
def test_the_keys_of_a_secret_that_a_command_creates(key, more, titles):
    files = {
        "k8s/shop.yaml": pod(("KEY", "secretKeyRef", "login", key)) + OTHER,
        "deploy.sh": CREATE.format(user="shop", more=more),
    }
    assert [one.title for one in findings(files, "undefined-kubernetes-reference")] == titles


def test_a_secret_of_another_name_than_the_command_gives_is_still_missing():
    files = {"k8s/shop.yaml": pod(("KEY", "secretKeyRef", "access", "TOKEN")) + OTHER, "deploy.sh": CREATE}
    (found,) = findings(files, "undefined-kubernetes-reference")
    assert found.title.startswith("Secret access is referred to and not defined")


@pytest.mark.parametrize(
    ("manifests", "titles"),
    [
        ([pod(("A", "configMapKeyRef", "c", "A")), config("c", {"A": 1, "B": 2})],
         ["ConfigMap c: no container is given B"]),
        ([pod(), config("c", {"A": 1})], ["ConfigMap c is given to no container"]),
        ([pod(whole="c"), config("c", {"A": 1, "B": 2})], []),
        ([pod(), config("c", {"app.conf": 1})], []),
        ([pod(), config("c", {"A": 1}, ", labels: { grafana_dashboard: '1' }")], []),
        ([pod(), config("c", {"A": 1}),
          "apiVersion: acme.net/v1\nkind: Shop\nmetadata: { name: s }\nspec: { from: c }\n"], []),
    ],
)  # fmt: skip
def test_the_variables_that_no_container_gets(manifests, titles):
    files = {"k8s/all.yaml": "---\n".join(manifests)}
    assert [one.title for one in findings(files, "config-map-value-unused")] == titles


@pytest.mark.parametrize(
    ("key", "value", "count"),
    [
        ("URL", "amqp://shop:plum-tart@queue:5672/", 1),
        ("ADMIN_PASSWORD", "plum-tart", 1),
        ("URL", "amqp://shop:${PASSWORD}@queue:5672/", 0),
        ("URL", "amqp://user:pass@queue:5672/", 0),
        ("URL", "https://queue:5672/", 0),
        ("ADMIN_PASSWORD", "change-me", 0),
        ("PASSWORD_MIN_LENGTH", "12", 0),
    ],
)
def test_passwords_in_config_maps(key, value, count):
    assert len(findings({"k8s/c.yaml": config("c", {key: value})}, "password-in-config-map")) == count
    assert findings({"k8s/dev/c.yaml": config("c", {key: value})}, "password-in-config-map") == ()


def test_a_manifest_that_a_loop_fills_in_is_not_applied_as_it_is():
    files = {"k8s/c.yaml": config("c", {"HOST": "${HOST_NAME}"}), "up.sh": "kubectl apply -f k8s/c.yaml\n"}
    (found,) = findings(files, "manifest-applied-unfilled")
    assert [(one.path, one.value) for one in found.locations] == [
        ("k8s/c.yaml", "${HOST_NAME}"), ("up.sh", "applied as it is"),
    ]  # fmt: skip
    loop = 'for f in k8s/*.yaml; do envsubst < "$f" > "out/$f"; done\nkubectl apply -f k8s/c.yaml\n'
    assert findings({**files, "up.sh": loop}, "manifest-applied-unfilled") == ()
    shell = {"k8s/c.yaml": pod() + "          command: [sh, -c, 'echo ${HOST_NAME}']\n"}
    assert findings({**files, **shell}, "manifest-applied-unfilled") == ()


def source(host):
    return config("grafana", {}).replace("data:\n", f"data:\n  s.yaml: |\n    a: 1\n    url: http://{host}:80\n")


@pytest.mark.parametrize(
    ("host", "severities"),
    [
        ("logs.watch.svc", []),
        ("log.watch.svc.cluster.local", ["high"]),
        ("traces.watch.svc", ["medium"]),
        ("traces.other.svc", []),
    ],
)
def test_addresses_of_the_cluster_in_files_of_config_maps(host, severities):
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: { name: logs, namespace: watch }\nspec: { ports: [{ port: 80 }] }\n"
    )
    files = {"k8s/logs.yaml": service, "k8s/grafana.yaml": source(host)}
    assert [(one.severity, one.locations[0].line) for one in findings(files, "undefined-cluster-address")] == [
        (severity, 7) for severity in severities
    ]
