"""Helm charts: what their templates give with their own values and with each environment's."""

import pytest

from trimtab.audit.engine import Options, audit_repo
from trimtab.audit.facts import gotemplate
from trimtab.audit.facts.charts import Chart
from trimtab.audit.facts.collect import collect
from trimtab.audit.facts.render import Renderer, held
from trimtab.repo import Repo
from trimtab.yamlpos import load_all

HELPERS = """\
{{- define "shop.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- define "shop.labels" -}}
app.kubernetes.io/name: {{ include "shop.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
"""
API = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "shop.name" . }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "shop.labels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "shop.labels" . | nindent 8 }}
    spec:
      containers:
        - name: api
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          ports:
            - name: http
              containerPort: {{ .Values.port }}
          env:
            {{- range $name, $value := .Values.env }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
          livenessProbe:
            {{- toYaml .Values.livenessProbe | nindent 12 }}
          resources: {{- toYaml .Values.resources | nindent 12 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "shop.name" . }}
spec:
  selector:
    {{- include "shop.labels" . | nindent 4 }}
  ports:
    - name: http
      port: 80
      targetPort: http
"""
HPA = """\
{{- if .Values.autoscaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "shop.name" . }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ include "shop.name" . }} }
  minReplicas: 2
  maxReplicas: 5
  metrics:
    - type: Pods
      pods: { metric: { name: requests }, target: { type: AverageValue, averageValue: "50" } }
{{- end }}
"""
VALUES = """\
replicas: 2
image:
  repository: ghcr.io/acme/shop
  tag: ""
port: 8080
env:
  REDIS_HOST: redis
  SESSION_TTL_SECONDS: "900"
livenessProbe:
  httpGet:
    path: /health
    port: http
resources: { limits: { memory: 64Mi } }
autoscaling:
  enabled: false
"""
REDIS = """\
apiVersion: v1
kind: Service
metadata: { name: redis }
spec:
  selector: { app: redis }
  ports: [{ port: 6379 }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: redis }
spec:
  selector: { matchLabels: { app: redis } }
  template:
    metadata: { labels: { app: redis } }
    spec:
      containers:
        - name: redis
          image: redis:7.2.4
          args: ["--requirepass", "$(REDIS_PASSWORD)"]
          ports: [{ containerPort: 6379 }]
          resources: { limits: { memory: 64Mi } }
"""
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\nappVersion: 2.3.4\n",
    "chart/values.yaml": VALUES,
    "chart/values-production.yaml": "replicas: 4\nautoscaling:\n  enabled: true\n",
    "chart/values-dev.yaml": "port: 8081\n",
    "chart/templates/_helpers.tpl": HELPERS,
    "chart/templates/api.yaml": API,
    "chart/templates/hpa.yaml": HPA,
    "chart/templates/redis.yaml": REDIS,
    "docker-compose.yml": "services:\n  api:\n    build: ./api\n    image: shop\n    environment: { PORT: 8080 }\n"
    "  redis:\n    image: redis:7.2.4\n    command: redis-server --requirepass ${REDIS_PASSWORD}\n",
    "api/main.go": 'package main\nimport ("net/http"; "os")\nfunc main() {\n'
    '\thttp.HandleFunc("/health", ok)\n\thttp.ListenAndServe(":"+os.Getenv("PORT"), nil)\n}\n',
    "api/go.mod": "module acme/shop\ngo 1.22\n",
    "api/Dockerfile": "FROM golang:1.22.1\nCOPY . .\nEXPOSE 8080\n",
}


def findings(files, *rules):
    return audit_repo(Repo.from_texts(files), Options(rules=rules)).findings


def changed(path, old, new):
    assert old in CHART[path]
    return {**CHART, path: CHART[path].replace(old, new, 1)}


def test_a_chart_in_order_gives_nothing_of_weight():
    assert [one for one in findings(CHART) if one.severity in ("critical", "high", "medium")] == []


@pytest.mark.parametrize(
    ("path", "old", "new", "rule", "place"),
    [
        ("chart/values-production.yaml", "replicas: 4", "port: 9090", "port-mismatch", ("values-production", 1)),
        ("chart/values.yaml", "REDIS_HOST: redis", "REDIS_HOST: rediss", "undefined-host", ("values", 7)),
        ("chart/values.yaml", "    path: /health", "    path: /healthz", "health-path-not-served", ("values", 11)),
        (
            "chart/values-production.yaml",
            "replicas: 4",
            "livenessProbe:\n  httpGet:\n    port: 8090",
            "probe-port-mismatch",
            ("values-production", 3),
        ),
    ],
)
def test_drift_in_values_names_the_line_of_the_values_file(path, old, new, rule, place):
    (found,) = findings(changed(path, old, new), rule)
    assert (f"chart/{place[0]}.yaml", place[1]) in {(one.path, one.line) for one in found.locations}, found.locations


@pytest.mark.parametrize(
    ("path", "old", "new", "rule"),
    [
        ("chart/templates/hpa.yaml", 'name: {{ include "shop.name" . }} }', "name: backend }", "scale-target-missing"),
        ("chart/templates/api.yaml", "targetPort: http", "targetPort: web", "service-target-port-mismatch"),
        ("chart/templates/redis.yaml", '"--requirepass", "$(REDIS_PASSWORD)"', '"--save", "60"',
         "datastore-auth-inconsistent"),
        ("chart/templates/redis.yaml", "selector: { app: redis }", "selector: { app: cache }",
         "selector-matches-nothing"),
    ],
)  # fmt: skip
def test_drift_in_templates(path, old, new, rule):
    (found,) = findings(changed(path, old, new), rule)
    assert path in {one.path for one in found.locations}


def test_the_autoscaler_of_one_environment_takes_the_replicas_away():
    assert findings(CHART, "replicas-beside-autoscaler") == ()
    always = changed("chart/templates/api.yaml", "  {{- if not .Values.autoscaling.enabled }}", "  {{- if true }}")
    assert len(findings(always, "replicas-beside-autoscaler")) == 1


@pytest.mark.parametrize(
    ("dependency", "count"), [("", 1), ("dependencies: [{ name: rabbitmq, version: 12.0.0 }]\n", 0)]
)
def test_a_service_that_a_dependency_makes_is_a_host(dependency, count):
    files = changed("chart/values.yaml", "REDIS_HOST: redis", "RABBITMQ_HOST: shop-rabbitmq")
    files["chart/Chart.yaml"] += dependency
    files["Makefile"] = "deploy:\n\thelm upgrade --install shop chart -f chart/values-production.yaml --wait\n"
    assert len(findings(files, "undefined-host")) == count


@pytest.mark.parametrize(
    ("files", "release"),
    [
        ({"Makefile": "deploy:\n\thelm upgrade --install web ./chart --wait\n"}, "web"),
        (
            {
                "argocd/web.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: web }\n"
                "spec: { source: { path: chart, helm: { valuesObject: { port: 9000 } } } }\n"
            },
            "web",
        ),
        ({}, "shop"),
    ],
)
def test_the_release_is_the_one_that_deploys_the_chart(files, release):
    facts = collect(Repo.from_texts({**CHART, **files}))
    labels = {one.pod_labels.get("app.kubernetes.io/instance") for one in facts.workloads if one.name == "shop"}
    assert labels == {release}
    assert facts.assumed == ({} if files else {"chart": "shop"})
    if "argocd/web.yaml" in files:
        ports = {port.number for one in facts.workloads for part in one.containers for port in part.ports if one.patch}
        assert 9000 in ports


def test_what_no_values_switch_on_is_a_name_and_no_more():
    budget = (
        "{{- if .Values.budget }}\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: { name: shop }\n"
        "spec: { minAvailable: 1, selector: { matchLabels: { app: gone } } }\n{{- end }}\n"
    )
    files = {**CHART, "chart/templates/budget.yaml": budget}
    assert findings(files, "selector-matches-nothing") == ()
    assert len(findings({**files, "chart/values.yaml": VALUES + "budget: true\n"}, "selector-matches-nothing")) == 1


def test_a_variable_that_a_chart_gives_on_a_condition_is_declared():
    files = changed("chart/templates/api.yaml", "            {{- range", "            {{- if .Values.broker }}\n"
                    "            - name: BROKER_URL\n              value: x\n            {{- end }}\n"
                    "            {{- range")  # fmt: skip
    files["docker-compose.yml"] = files["docker-compose.yml"].replace("PORT: 8080", "PORT: 8080, REDIS_HOST: redis")
    files["api/main.go"] = files["api/main.go"].replace(
        "func main() {\n", 'func main() {\n\tos.Getenv("REDIS_HOST")\n\tos.Getenv("BROKER_URL")\n'
    )
    assert findings(files, "env-read-undeclared") == ()
    assert len(findings({**files, "chart/templates/api.yaml": API}, "env-read-undeclared")) == 1


def render(template, values="{}"):
    chart = Chart("shop", "1.0.0", "2.0.0", {"a.yaml": template})
    chart.parse()
    body = load_all(values).maps()[0][0]
    return Renderer(chart, held(body, "values.yaml"), "rel").render("a.yaml")


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("{{ .Values.a.b | default \"x\" | upper }}", "{}", "X"),
        ("{{ if and .Values.a (not .Values.b) }}yes{{ else }}no{{ end }}", "{a: 1, b: false}", "yes"),
        ("{{ if eq .Values.a \"x\" }}1{{ else if eq .Values.a \"y\" }}2{{ else }}3{{ end }}", "{a: y}", "2"),
        ("{{ with .Values.a }}{{ .b }}-{{ $.Release.Name }}{{ end }}", "{a: {b: 1}}", "1-rel"),
        ("{{- range $i, $e := .Values.a }}{{ $i }}{{ $e }},{{ end }}", "{a: [x, y]}", "0x,1y,"),
        ("{{ $x := .Values.a }}{{ if true }}{{ $x = \"z\" }}{{ end }}{{ $x }}", "{a: q}", "z"),
        ("{{ printf \"%s-%d\" .Release.Name 3 | quote }}", "{}", '"rel-3"'),
        ("a:\n  {{- toYaml .Values.a | nindent 2 }}\n", "{a: {b: [1, {c: d}]}}", "a:\n  b:\n    - 1\n    - c: d\n"),
        ("{{/* {{ not this }} */}}a{{- /* nor this */ -}} b", "{}", "ab"),
        ("{{ tpl .Values.a . }}", "{a: '{{ .Release.Name }}-db'}", "rel-db"),
        ("a: {{ .Values.unknown }}", "{}", "a: tpl-values-unknown"),
        ("{{ (index .Values.a 1).b }}", "{a: [{b: 1}, {b: 2}]}", "2"),
        ("{{ ternary \"on\" \"off\" .Values.a }}", "{a: false}", "off"),
        ("a: {{ randAlphaNum 5 }}", "{}", "a: tpl-randalphanum"),
        ("a:\n  {{- include \"gone\" . | nindent 2 }}\nb: 1", "{}", "a:\n\nb: 1"),
    ],
)  # fmt: skip
def test_templates_are_followed(template, values, text):
    assert render(template, values).text == text


def test_lines_and_values_keep_their_places():
    made = render(
        "a: 1\n{{- if .Values.x }}\nb:\n  {{- toYaml .Values.x | nindent 2 }}\n{{- end }}\nc: 3\n", "x:\n  y: 9"
    )
    body = load_all(made.text).maps()[0][0]
    made.relocate(body)
    assert (body.line_of("b"), body.map("b").line_of("y"), body.line_of("c")) == (3, 4, 6)
    assert {(line, value, place.line) for line, value, place in made.origins} >= {(4, "9", 2), (4, "y", 2)}


@pytest.mark.parametrize(
    "template",
    [
        "{{ if }}",
        "{{ end }}",
        "{{ if true }}",
        "{{ else }}",
        "{{ ( }}",
        "{{ \"",
        "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
        "{{ range until 100 }}" * 6 + "{{ range until 100 }}x{{ end }}" + "{{ end }}" * 6,
        "{{ nindent 9 }}",
        "{{ " + "(" * 500 + " }}",
        "{{ printf \"%s\" }}" * 30_000,
    ],
)  # fmt: skip
def test_hostile_templates_end(template):
    try:
        nodes, defined = gotemplate.parse(template)
        chart = Chart("a", "", "", {}, {"a": nodes}, defined)
        Renderer(chart, held(load_all("{}").maps()[0][0], "v"), "a").render("a")
    except gotemplate.TemplateError:
        pass
    files = {"c/Chart.yaml": "name: a\n", "c/templates/a.yaml": "apiVersion: v1\nkind: A\na: 1\n" + template}
    assert findings(files) == ()
