"""Kubernetes objects: workloads, Services, autoscalers, budgets, ingresses, Secrets and ConfigMaps."""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.pods import PodReader
from trimtab.audit.facts.text import to_port
from trimtab.yamlpos import Document, Map, Scalar

WORKLOADS = frozenset(
    {
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Rollout",
        "Pod",
        "ReplicaSet",
        "ReplicationController",
    }
)


def looks_like_kubernetes(document: Map) -> bool:
    """Whether a document is a Kubernetes object."""
    return isinstance(document.get("kind"), Scalar) and isinstance(document.get("apiVersion"), Scalar)


class KubernetesReader:
    """The objects of one file. `group` names what is applied together with it."""

    def __init__(self, draft: Draft, path: str, group: str, *, chart: bool = False) -> None:
        """Take where facts go, the file's path and its group; `chart` is whether the file is a Helm
        template.
        """
        self.draft = draft
        self.path = path
        self.group = group
        self.environment = environment_of(path)
        self.chart = chart

    def place(self, line: int) -> m.Place:
        """A line of this file."""
        return m.Place(getattr(line, "path", self.path), int(line))

    def read(self, body: Map, document: Document) -> None:
        """Add one document, which may be a List of objects."""
        if body.get("kind") == "List":
            for listed in body.maps("items"):
                self.read(listed, document)
            return
        kind = str(body.text("kind") or "")
        metadata = body.map("metadata")
        name = str(metadata.text("name") or metadata.text("generateName") or "")
        environment = self.environment or environment_of(str(metadata.text("namespace") or ""))
        patch = self._is_patch(kind, body)
        item = m.KubeObject(
            kind,
            name,
            str(metadata.text("namespace") or ""),
            self.place(body.line_of("kind")),
            environment,
            _strings(metadata.map("labels")),
            body,
            self.group,
            patch,
        )
        self.draft.objects.append(item)
        if kind in WORKLOADS:
            self.workload(item)
        elif kind == "Service":
            self.service(item)
        elif kind in ("HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"):
            self.autoscaler(item)
        elif kind == "Ingress":
            self.ingress(item)
        elif kind == "HTTPRoute":
            self.http_route(item)
        elif kind == "Secret":
            self.secret(item)
        elif kind == "ConfigMap":
            self.config_map(item)

    def _is_patch(self, kind: str, body: Map) -> bool:
        """A partial object that kustomize merges into another one."""
        if (
            body.get("$patch") is not None
            or "patch" in self.path.rsplit("/", 1)[-1].lower()
            or "/patches/" in self.path
        ):
            return True
        if kind in ("Deployment", "StatefulSet", "DaemonSet"):
            return "selector" not in body.map("spec") and not self.chart
        return False

    def workload(self, item: m.KubeObject) -> None:
        """Add a workload with its containers."""
        spec = item.body.map("spec")
        if item.kind == "CronJob":
            spec = spec.map("jobTemplate", "spec")
        pod = item.body if item.kind == "Pod" else spec.map("template")
        pod_spec = pod.map("spec")
        containers = PodReader(self.draft, self.path, item).containers(pod_spec)
        selector = spec.map("selector")
        labels = selector.map("matchLabels") if "matchLabels" in selector else selector
        replicas = self.place(spec.line_of("replicas")) if "replicas" in spec and item.kind != "Job" else None
        self.draft.workloads.append(
            m.Workload(
                item.kind,
                item.name,
                item.place,
                self.group,
                item.environment,
                _strings(pod.map("metadata", "labels")),
                _strings(labels) if "matchExpressions" not in selector else {},
                self.place(spec.line_of("selector")),
                replicas,
                containers,
                item.patch,
                str(spec.get("replicas") or "") if replicas else "",
            )
        )

    def service(self, item: m.KubeObject) -> None:
        """Add a Service."""
        spec = item.body.map("spec")
        ports = []
        for port in spec.maps("ports"):
            written = port.text("targetPort") or port.text("port")
            ports.append(
                m.ServicePort(
                    str(port.text("name") or ""),
                    to_port(port.text("port") or ""),
                    str(written or ""),
                    self.place(port.line_of("targetPort" if "targetPort" in port else "port")),
                )
            )
        self.draft.kube_services.append(
            m.KubeService(
                item.name,
                item.place,
                self.group,
                item.environment,
                _strings(spec.map("selector")),
                self.place(spec.line_of("selector")),
                tuple(ports),
                spec.text("type") == "ExternalName",
                item.patch,
            )
        )

    def autoscaler(self, item: m.KubeObject) -> None:
        """Add an autoscaler or a disruption budget."""
        spec = item.body.map("spec")
        target = spec.map("scaleTargetRef")
        kinds: list[str] = []
        if item.kind == "ScaledObject":
            kinds = [str(trigger.text("type") or "trigger") for trigger in spec.maps("triggers")]
        for metric in spec.maps("metrics"):
            kind = str(metric.text("type") or "")
            name = metric.map(kind[:1].lower() + kind[1:]).text("name")
            kinds.append(f"{kind}:{name}" if kind == "Resource" and name else kind)
        if "targetCPUUtilizationPercentage" in spec:
            kinds.append("Resource:cpu")
        selector = spec.map("selector")
        self.draft.autoscalers.append(
            m.Autoscaler(
                item.kind,
                item.name,
                item.place,
                self.group,
                item.environment,
                (
                    str(target.text("kind") or "Deployment"),
                    str(target.text("name")),
                    self.place(target.line_of("name")),
                )
                if target.text("name")
                else None,
                _strings(selector.map("matchLabels") if "matchLabels" in selector else Map(0)),
                tuple(kinds),
                self.place(spec.line_of("metrics") if "metrics" in spec else item.place.line),
                to_port(spec.text("minReplicas") or spec.text("minReplicaCount") or ""),
                to_port(spec.text("maxReplicas") or spec.text("maxReplicaCount") or ""),
            )
        )

    def ingress(self, item: m.KubeObject) -> None:
        """Add an Ingress's routes and its TLS side."""
        spec = item.body.map("spec")
        annotations = item.body.map("metadata", "annotations")
        hosts: list[tuple[str, m.Place]] = []
        secret: tuple[str, m.Place] | None = None
        for tls in spec.maps("tls"):
            hosts.extend(
                (str(host), self.place(line)) for host, line in tls.seq("hosts").lined() if isinstance(host, Scalar)
            )
            name = tls.text("secretName")
            if name:
                secret = (str(name), self.place(tls.line_of("secretName")))
        for rule in spec.maps("rules"):
            if rule.text("host"):
                hosts.append((str(rule.text("host")), self.place(rule.line_of("host"))))
            for path in rule.map("http").maps("paths"):
                self.backend(path.map("backend"), str(path.text("path") or "/"))
        self.backend(spec.map("defaultBackend"), "/")
        issuer = None
        for key in (
            "cert-manager.io/cluster-issuer",
            "cert-manager.io/issuer",
            "certmanager.k8s.io/cluster-issuer",
            "kubernetes.io/tls-acme",
        ):
            if annotations.text(key):
                issuer = (str(annotations.text(key)), self.place(annotations.line_of(key)))
        self.draft.ingress_tls.append(
            m.IngressTls(item.name, item.place, self.group, item.environment, tuple(hosts), secret, issuer)
        )

    def backend(self, backend: Map, path: str) -> None:
        """Add one route to a Service."""
        service = backend.map("service")
        name = service.text("name") or backend.text("serviceName")
        port = service.map("port").text("number") or service.map("port").text("name") or backend.text("servicePort")
        if name:
            line = service.line_of("name") if service.text("name") else backend.line_of("serviceName")
            number = service.map("port")
            at = (
                number.line_of("number" if "number" in number else "name") if number else backend.line_of("servicePort")
            )
            self.draft.ingress_routes.append(
                m.IngressRoute(
                    str(name), str(port or ""), path, self.place(line), self.group, self.place(at) if port else None
                )
            )

    def http_route(self, item: m.KubeObject) -> None:
        """Add the routes of an HTTPRoute."""
        for rule in item.body.map("spec").maps("rules"):
            path = next((str(match.map("path").text("value") or "/") for match in rule.maps("matches")), "/")
            for ref in rule.maps("backendRefs"):
                if ref.text("name") and ref.text("kind") in (None, "Service"):
                    self.draft.ingress_routes.append(
                        m.IngressRoute(
                            str(ref.text("name")),
                            str(ref.text("port") or ""),
                            path,
                            self.place(ref.line_of("name")),
                            self.group,
                            self.place(ref.line_of("port")) if ref.text("port") else None,
                        )
                    )

    def secret(self, item: m.KubeObject) -> None:
        """Note the values of a Secret that look real."""
        from trimtab.audit.facts.secrets import note_secret

        if "sops" in item.body:
            return
        for key in ("stringData", "data"):
            values = item.body.map(key)
            for name in values:
                value = values.text(name)
                if value:
                    note_secret(
                        self.draft,
                        name,
                        value,
                        self.place(values.line_of(name)),
                        item.environment,
                        base64=key == "data",
                        kubernetes=True,
                    )

    def config_map(self, item: m.KubeObject) -> None:
        """Note the values of a ConfigMap that are secrets."""
        from trimtab.audit.facts.secrets import note_secret

        values = item.body.map("data")
        for name in values:
            value = values.text(name)
            if value and "\n" not in value:
                note_secret(self.draft, name, value, self.place(values.line_of(name)), item.environment)


def _strings(body: Map) -> Mapping[str, str]:
    return {key: str(value) for key, value in body.items() if isinstance(value, Scalar)}
