"""Kubernetes objects: workloads, Services, autoscalers, budgets, ingresses, and what they refer to by
name.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from trimtab.audit.facts import model as m
from trimtab.audit.facts import working
from trimtab.audit.facts.compose import command_text
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.text import http_check, parse_image, to_port
from trimtab.yamlpos import Document, Map, Scalar, Seq, Value, truth

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
_K8S_REF = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


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
        containers: list[m.Container] = []
        for key in ("containers", "initContainers"):
            for body in pod_spec.maps(key):
                containers.append(self.container(item, body, init=key == "initContainers"))  # noqa: PERF401
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
                tuple(containers),
                item.patch,
                str(spec.get("replicas") or "") if replicas else "",
            )
        )
        self.pod_references(item, pod_spec)

    def container(self, item: m.KubeObject, body: Map, *, init: bool) -> m.Container:
        """One container of a workload."""
        image_text = body.text("image")
        image = parse_image(image_text, self.place(body.line_of("image"))) if image_text else None
        if image:
            self.draft.versions_from(image, self.group, item.environment)
        env = self.env(item, body)
        values = {variable.name: variable.value for variable in env if variable.value is not None}
        command = " ".join(filter(None, [command_text(body.get("command")), command_text(body.get("args"))]))
        command = _K8S_REF.sub(lambda match: values.get(match[1], match[0]), command)
        at = body.line_of("args" if "args" in body else "command")
        if command:
            self.draft.commands.append(m.Command(command, self.place(at), "kubernetes", item.name))
            working.note(self.draft, [(command, int(at))], self.place(at).path, None, "kubernetes")
        limits = body.map("resources")
        return m.Container(
            origin="kubernetes",
            name=str(body.text("name") or item.name),
            place=self.place(body.line_of("name")),
            environment=item.environment,
            workload=item.name,
            namespace=item.namespace,
            image=image,
            ports=tuple(self.ports(body)),
            env=tuple(env),
            env_from=tuple(
                (kind, str(entry.map(key).text("name")))
                for entry in body.maps("envFrom")
                for kind, key in (("Secret", "secretRef"), ("ConfigMap", "configMapRef"))
                if key in entry
            ),
            probes=tuple(probe for kind in PROBES if kind in body for probe in self.probe(kind, body, values)),
            limits=self.place(limits.line_of("limits")) if _bounded(limits.get("limits")) else None,
            command=command,
            command_place=self.place(at) if command else None,
            init=init,
            partial=item.patch or image is None,
            job=item.kind in ("Job", "CronJob"),
        )

    def ports(self, body: Map) -> list[m.Port]:
        """The ports that a container opens."""
        found = []
        for port in body.maps("ports"):
            number, protocol = (
                to_port(port.text("containerPort") or ""),
                str(port.text("protocol") or "TCP").lower(),
            )
            found.append(
                m.Port(
                    number,
                    self.place(port.line_of("containerPort")),
                    str(port.text("name") or ""),
                    protocol=protocol,
                )
            )
        return found

    def probe(self, kind: str, body: Map, values: Mapping[str, str]) -> list[m.Probe]:
        """One probe, as none or one fact."""
        check = body.map(kind)
        http = check.map("httpGet")
        if http:
            written = http.text("port")
            number = to_port(written or "")
            port: int | str | None = number if number is not None else (str(written) if written else None)
            return [
                m.Probe(
                    kind,
                    self.place(http.line_of("port" if written else "path")),
                    str(http.text("path") or "/"),
                    port,
                    path_place=self.place(http.line_of("path")),
                )
            ]
        for action in ("tcpSocket", "grpc"):
            if action in check:
                written = check.map(action).text("port")
                return [
                    m.Probe(
                        kind,
                        self.place(check.map(action).line_of("port")),
                        None,
                        to_port(written or "") or (str(written) if written else None),
                    )
                ]
        command = command_text(check.map("exec").get("command"))
        if not command:
            return []
        asked = http_check(command, values)
        path, number = asked if asked else (None, None)
        return [m.Probe(kind, self.place(check.line_of("exec")), path, number, command)]

    def env(self, item: m.KubeObject, body: Map) -> list[m.EnvVar]:
        """A container's variables; what they are taken from becomes references."""
        found: list[m.EnvVar] = []
        for entry in body.maps("env"):
            name = entry.text("name")
            if name is None or "tpl-" in name:  # what a loop over values names is not known
                continue
            value = entry.text("value")
            source = entry.map("valueFrom")
            secret = "secretKeyRef" in source
            line = entry.line_of("value") if value is not None else entry.line_of("name")
            refs = tuple(_K8S_REF.findall(value)) if value else ()
            text = str(value) if value is not None else ("" if "value" in entry else None)
            held = next(
                (
                    (kind, str(source.map(key).text("name")), str(source.map(key).text("key") or ""))
                    for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef"))
                    if key in source
                ),
                None,
            )
            found.append(
                m.EnvVar(
                    str(name),
                    text,
                    self.place(line),
                    "kubernetes",
                    item.environment,
                    refs,
                    secret,
                    source=held,
                    name_at=self.place(entry.line_of("name")),
                )
            )
            for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                self.refer(kind, source.map(key), "name", item, key=str(source.map(key).text("key") or ""))
        for entry in body.maps("envFrom"):
            for kind, key in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
                self.refer(kind, entry.map(key), "name", item)
        return found

    def refer(self, kind: str, body: Map, key_name: str, item: m.KubeObject, key: str = "") -> None:
        """Add a reference, unless its name could not be told."""
        name = body.text(key_name)
        if name and "$" not in name and "{{" not in name and not name.startswith("tpl-"):
            optional = truth(body.get("optional"))
            self.draft.kube_refs.append(
                m.KubeRef(
                    kind,
                    str(name),
                    self.place(body.line_of(key_name)),
                    f"{item.kind} {item.name}",
                    self.group,
                    optional,
                    key,
                    self.place(body.line_of("key")) if key else None,
                )
            )

    def pod_references(self, item: m.KubeObject, pod: Map) -> None:
        """Add what a pod's volumes and accounts refer to."""
        for volume in pod.maps("volumes"):
            self.refer("Secret", volume.map("secret"), "secretName", item)
            self.refer("ConfigMap", volume.map("configMap"), "name", item)
            self.refer("PersistentVolumeClaim", volume.map("persistentVolumeClaim"), "claimName", item)
            for source in volume.map("projected").maps("sources"):
                self.refer("Secret", source.map("secret"), "name", item)
                self.refer("ConfigMap", source.map("configMap"), "name", item)
        for secret in pod.maps("imagePullSecrets"):
            self.refer("Secret", secret, "name", item)
        if pod.text("serviceAccountName") not in (None, "default"):
            self.refer("ServiceAccount", pod, "serviceAccountName", item)

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


def object_env(objects: list[m.KubeObject]) -> dict[tuple[str, str, str], tuple[m.EnvVar, ...]]:
    """The variables that each ConfigMap and Secret gives, by (group, kind, name)."""
    found: dict[tuple[str, str, str], tuple[m.EnvVar, ...]] = {}
    for item in objects:
        if item.kind not in ("ConfigMap", "Secret", "ExternalSecret", "SealedSecret"):
            continue
        variables: list[m.EnvVar] = []
        for key in ("data", "stringData"):
            body = item.body.map(key)
            for name, value in body.items():
                readable = isinstance(value, Scalar) and not (item.kind == "Secret" and key == "data")
                text = str(value) if readable else None
                place = _place(item, body.line_of(name))
                variables.append(
                    m.EnvVar(name, text, place, "kubernetes", item.environment, secret=item.kind != "ConfigMap")
                )
        if isinstance(item.body.map("spec").get("data"), Seq):
            for entry in item.body.map("spec").maps("data"):
                if entry.text("secretKey"):
                    place = _place(item, entry.line_of("secretKey"))
                    variables.append(
                        m.EnvVar(
                            str(entry.text("secretKey")),
                            None,
                            place,
                            "kubernetes",
                            item.environment,
                            secret=True,
                        )
                    )
        for name in item.body.map("spec", "encryptedData"):
            place = m.Place(item.place.path, item.body.map("spec", "encryptedData").line_of(name))
            variables.append(m.EnvVar(name, None, place, "kubernetes", item.environment, secret=True))
        kind = "ConfigMap" if item.kind == "ConfigMap" else "Secret"
        # Overlays add to what their base gives; its own values stand.
        key_of = (item.group, kind, item.name)
        known = found.get(key_of, ())
        first, then = (tuple(variables), known) if not item.environment else (known, tuple(variables))
        names = {one.name for one in first}
        found[key_of] = first + tuple(one for one in then if one.name not in names)
    return found


def _place(item: m.KubeObject, line: int) -> m.Place:
    """A line of an object, which may be one of a patch in another file."""
    return m.Place(getattr(line, "path", item.place.path), int(line))


def with_objects(
    container: m.Container, group: str, held: dict[tuple[str, str, str], tuple[m.EnvVar, ...]]
) -> m.Container:
    """A container with the values that ConfigMaps and Secrets of its group give it."""
    env = []
    for item in container.env:
        if item.source is not None:
            kind, name, key = item.source
            match = next((one for one in held.get((group, kind, name), ()) if one.name == key), None)
            if match is not None and match.value is not None and kind == "ConfigMap":
                env.append(dataclasses.replace(match, name=item.name, source=item.source))
                continue
        env.append(item)
    own = {item.name for item in env}
    for kind, name in container.env_from:
        env.extend(item for item in held.get((group, kind, name), ()) if item.name not in own)
    return dataclasses.replace(container, env=tuple(env))


def _bounded(limits: Value | None) -> bool:
    """Whether limits are of CPU or memory; those of devices alone, such as a GPU, leave both open."""
    return bool(limits) and not (isinstance(limits, Map) and all("/" in key for key in limits))
