"""What one file gives and another lacks: networks, workspaces, images, Secrets and keys."""

import json

from trimtab.audit.engine import Options, audit_repo
from trimtab.repo import Repo


def titles(files, rule):
    return [one.title for one in audit_repo(Repo.from_texts(files), Options(rules=(rule,))).findings]


def workload(name, port, variables="", namespace="shop"):
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n"
        f"  selector:\n    matchLabels: {{ app: {name} }}\n"
        f"  template:\n    metadata:\n      labels: {{ app: {name} }}\n"
        f"    spec:\n      containers:\n        - name: {name}\n          image: registry.example.org/{name}:1.0.0\n"
        f"          ports: [{{ containerPort: {port} }}]\n{variables}---\n"
        f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n"
        f"  selector: {{ app: {name} }}\n  ports: [{{ port: 80, targetPort: {port} }}]\n---\n"
    )


def policy(name, spec, namespace="shop"):
    return (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        f"metadata:\n  name: {name}\n  namespace: {namespace}\nspec: {spec}\n---\n"
    )


ASKS = "          env: [{ name: STOCK_URL, value: 'http://stock' }]\n"
DENY = policy("deny", "{ podSelector: {}, policyTypes: [Ingress, Egress] }")
TO_STOCK = policy("out", "{ podSelector: {}, policyTypes: [Egress], egress: [{}] }")
BLOCKED = ["NetworkPolicies let no workload of shop reach stock"]


def blocked(*texts):
    return titles({"k8s/all.yaml": "".join(texts)}, "network-policy-blocks-service")


def stock_lets_in(rule):
    return policy("in", f"{{ podSelector: {{ matchLabels: {{ app: stock }} }}, ingress: [{rule}] }}")


def test_both_sides_of_a_connection_must_allow_it():
    shop = workload("orders", 8000, ASKS) + workload("stock", 9000)
    orders = "{ from: [{ podSelector: { matchLabels: { app: orders } } }], ports: [{ port: 9000 }] }"
    assert blocked(shop, DENY) == BLOCKED
    assert blocked(shop, DENY, TO_STOCK) == BLOCKED
    assert blocked(shop, DENY, stock_lets_in(orders)) == BLOCKED
    assert blocked(shop, DENY, TO_STOCK, stock_lets_in(orders)) == []
    assert blocked(shop, DENY, TO_STOCK, stock_lets_in(orders.replace("9000", "80"))) == BLOCKED
    assert blocked(shop, DENY, TO_STOCK, stock_lets_in("{ ports: [{ port: 8000, endPort: 9999 }] }")) == []
    assert blocked(shop) == []


def test_policies_that_cannot_be_judged_are_taken_to_allow():
    shop = workload("orders", 8000, ASKS) + workload("stock", 9000)
    for peer in (
        "{ ipBlock: { cidr: 10.0.0.0/8 } }",
        "{ namespaceSelector: {} }",
        "{ namespaceSelector: { matchLabels: { team: shop } } }",
        "{ podSelector: { matchExpressions: [{ key: app, operator: Exists }] } }",
    ):
        assert blocked(shop, DENY, TO_STOCK, stock_lets_in(f"{{ from: [{peer}] }}")) == [], peer
    elsewhere = "{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: edge } } }] }"
    assert blocked(shop, DENY, TO_STOCK, stock_lets_in(elsewhere)) == BLOCKED
    assert blocked(shop, DENY, "kind: CiliumNetworkPolicy\napiVersion: cilium.io/v2\nmetadata: { name: more }\n") == []


def test_a_variable_that_all_are_given_is_right_if_one_may_use_it():
    shared = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: urls, namespace: shop }\ndata:\n"
    shared += "  STOCK_URL: http://stock.shop.svc.cluster.local\n---\n"
    takes = "          envFrom: [{ configMapRef: { name: urls } }]\n"
    shop = shared + workload("orders", 8000, takes) + workload("mail", 8001, takes) + workload("stock", 9000)
    from_orders = stock_lets_in("{ from: [{ podSelector: { matchLabels: { app: orders } } }] }")
    assert blocked(shop, DENY, TO_STOCK) == BLOCKED
    assert blocked(shop, DENY, TO_STOCK, from_orders) == []


def test_a_proxy_that_an_image_has_built_in():
    files = {
        "compose.yml": "services:\n  api:\n    build: api\n",
        "api/Dockerfile": "FROM alpine:3.22\n",
        "web/nginx.conf": "server {\n  location / { proxy_pass http://api:8000; }\n}\n",
        "web/Dockerfile": "FROM nginx:1.29\nCOPY nginx.conf /etc/nginx/conf.d/default.conf\n",
        "prod/compose.yml": "services:\n  backend: { image: 'registry.example.org/api:1.0.0' }\n"
        "  web:\n    build: ../web\n",
    }
    rule = "proxy-host-not-in-compose"
    found = "prod/compose.yml runs web/nginx.conf, which sends to api: no container there is called that"
    assert titles(files, rule) == [found]
    own = files | {"prod/nginx.conf": "server { listen 80; }\n"}
    own["prod/compose.yml"] += "    volumes: ['./nginx.conf:/etc/nginx/conf.d/default.conf']\n"
    assert titles(own, rule) == []
    beside = files | {"prod/compose.api.yml": "services:\n  api:\n    image: registry.example.org/api:1.0.0\n"}
    assert titles(beside, rule) == []


def test_parts_of_workspaces_of_each_kind():
    files = {
        "package.json": json.dumps({"workspaces": ["web", "libs/*"], "scripts": {"build": "turbo run build"}}),
        "Cargo.toml": '[workspace]\nmembers = ["engine"]\n',
        "java/pom.xml": "<modules>\n<!-- <module>old</module> -->\n<module>core</module>\n</modules>\n",
        "shop.sln": 'Project("{FAE0}") = "Shop", "src\\Shop\\Shop.csproj", "{1}"\n',
        "api/go.mod": "module example.org/api\nreplace example.org/x => ../x\n",
    }
    found = " ".join(titles(files, "workspace-member-missing"))
    for path in ("web/package.json", "turbo.json", "engine/Cargo.toml", "java/core/pom.xml", "x/go.mod"):
        assert path in found
    assert "src/Shop/Shop.csproj" in found
    assert "old" not in found and "libs" not in found
    submodule = {"go.work": "use ./shared\n", ".gitmodules": '[submodule "shared"]\n\tpath = shared\n'}
    assert titles(submodule, "workspace-member-missing") == []


def test_arguments_of_stages_that_build_upon_each_other():
    head = "FROM alpine:3.22 AS one\nARG APP\nFROM one AS two\nCOPY $APP /srv\n"
    rule = "build-argument-out-of-scope"
    assert titles({"Dockerfile": head}, rule) == []
    assert titles({"Dockerfile": head + "FROM alpine:3.22\nWORKDIR /srv/${APP}\n"}, rule) == [
        "Dockerfile uses APP in a stage that does not declare it"
    ]
    assert titles({"Dockerfile": head + "FROM alpine:3.22\nRUN echo $APP\nLABEL app=\\$APP\n"}, rule) == []


def test_what_a_dockerfile_copies_tells_where_it_is_built_from():
    files = {
        "docker/Dockerfile": "FROM golang:1.24\nCOPY go.mod .\nCOPY api ./api\nCOPY web ./web\n",
        "go.mod": "module a\n",
    }
    files |= {"api/main.go": "package main\n"}
    assert titles(files, "referenced-file-missing") == ["docker/Dockerfile copies what is not in the repository: web"]
    assert titles(files | {"docker/go.mod": "module b\n", "docker/web/a.js": "\n"}, "referenced-file-missing") == []


def test_limits_of_devices_alone_leave_cpu_and_memory_open():
    def limited(name, limits):
        text = workload(name, 8000)
        return text.replace("          ports:", f"          resources: {{ limits: {limits} }}\n          ports:")

    apps = limited("api", "{ memory: 1Gi }") + limited("model", '{ "nvidia.com/gpu": 1 }')
    assert titles({"k8s/all.yaml": apps}, "missing-resource-limits") == [
        "Resource limits are set for some services only (k8s/all.yaml)"
    ]
    apps = limited("api", "{ memory: 1Gi }") + limited("model", '{ memory: 8Gi, "nvidia.com/gpu": 1 }')
    assert titles({"k8s/all.yaml": apps}, "missing-resource-limits") == []


def test_a_default_of_a_variable_is_no_key_in_the_source():
    settings = "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n"
    settings += '    SECRET_KEY: str = "your-secret-key-change-in-production"\n'
    assert titles({"app/config.py": settings}, "key-in-source") == []
    plain = 'import os\nDEBUG = os.environ["DEBUG"]\nSECRET_KEY = "your-secret-key-change-in-production"\n'
    assert titles({"app/config.py": plain}, "key-in-source") == ["Source holds keys that sign or encrypt: SECRET_KEY"]
    assert titles({"tests/config.py": plain}, "key-in-source") == []


def test_a_page_of_next_is_its_source_where_a_manifest_is_missing():
    files = {
        "web/Dockerfile": "FROM node:22\nCOPY --from=build /app/.next/standalone ./\n",
        "web/app/page.tsx": "export default function Page() { return null }\n",
        "go.mod": "module example.org/api\n",
        "main.go": 'package main\nfunc main() { http.ListenAndServe(":8080", nil) }\n',
    }
    assert titles(files, "dockerfile-for-another-framework") == []
    del files["web/app/page.tsx"]
    assert len(titles(files, "dockerfile-for-another-framework")) == 1
