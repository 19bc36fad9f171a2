"""The containers of a Kubernetes workload: what they run and ask, which variables they get, and what their pod refers
to by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trimtab.audit.facts import model as m
from trimtab.audit.facts import working
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import command_text, http_check, parse_image, to_port
from trimtab.yamlpos import Map, Value, truth

_K8S_REF = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


class PodReader:
    """The pod of one workload, `item`, in the file `path`."""

    def __init__(self, draft: Draft, path: str, item: m.KubeObject) -> None:
        """Take where facts go, the file's path and the workload."""
        self.draft = draft
        self.path = path
        self.item = item

    def place(self, line: int) -> m.Place:
        """A line of this file."""
        return m.Place(getattr(line, "path", self.path), int(line))

    def containers(self, spec: Map) -> tuple[m.Container, ...]:
        """Every container of a pod's `spec`; what they and it refer to goes to the draft on the way."""
        found = [
            self.container(body, init=key == "initContainers")
            for key in ("containers", "initContainers")
            for body in spec.maps(key)
        ]
        self.references(spec)
        return tuple(found)

    def container(self, body: Map, *, init: bool) -> m.Container:
        """One container of a workload."""
        image_text = body.text("image")
        image = parse_image(image_text, self.place(body.line_of("image"))) if image_text else None
        if image:
            self.draft.versions_from(image, self.item.group, self.item.environment)
        env = self.env(body)
        values = {variable.name: variable.value for variable in env if variable.value is not None}
        command = " ".join(filter(None, [command_text(body.get("command")), command_text(body.get("args"))]))
        command = _K8S_REF.sub(lambda match: values.get(match[1], match[0]), command)
        at = body.line_of("args" if "args" in body else "command")
        if command:
            self.draft.commands.append(m.Command(command, self.place(at), "kubernetes", self.item.name))
            working.note(self.draft, [(command, int(at))], self.place(at).path, None, "kubernetes")
        limits = body.map("resources")
        return m.Container(
            origin="kubernetes",
            name=str(body.text("name") or self.item.name),
            place=self.place(body.line_of("name")),
            environment=self.item.environment,
            workload=self.item.name,
            namespace=self.item.namespace,
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
            partial=self.item.patch or image is None,
            job=self.item.kind in ("Job", "CronJob"),
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

    def env(self, body: Map) -> list[m.EnvVar]:
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
                    self.item.environment,
                    refs,
                    secret,
                    source=held,
                    name_at=self.place(entry.line_of("name")),
                )
            )
            for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                self.refer(kind, source.map(key), "name", key=str(source.map(key).text("key") or ""))
        for entry in body.maps("envFrom"):
            for kind, key in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
                self.refer(kind, entry.map(key), "name")
        return found

    def refer(self, kind: str, body: Map, key_name: str, key: str = "") -> None:
        """Add a reference, unless its name could not be told."""
        name = body.text(key_name)
        if name and "$" not in name and "{{" not in name and not name.startswith("tpl-"):
            optional = truth(body.get("optional"))
            self.draft.kube_refs.append(
                m.KubeRef(
                    kind,
                    str(name),
                    self.place(body.line_of(key_name)),
                    f"{self.item.kind} {self.item.name}",
                    self.item.group,
                    optional,
                    key,
                    self.place(body.line_of("key")) if key else None,
                )
            )

    def references(self, pod: Map) -> None:
        """Add what a pod's volumes and accounts refer to."""
        for volume in pod.maps("volumes"):
            self.refer("Secret", volume.map("secret"), "secretName")
            self.refer("ConfigMap", volume.map("configMap"), "name")
            self.refer("PersistentVolumeClaim", volume.map("persistentVolumeClaim"), "claimName")
            for source in volume.map("projected").maps("sources"):
                self.refer("Secret", source.map("secret"), "name")
                self.refer("ConfigMap", source.map("configMap"), "name")
        for secret in pod.maps("imagePullSecrets"):
            self.refer("Secret", secret, "name")
        if pod.text("serviceAccountName") not in (None, "default"):
            self.refer("ServiceAccount", pod, "serviceAccountName")


def _bounded(limits: Value | None) -> bool:
    """Whether limits are of CPU or memory; those of devices alone, such as a GPU, leave both open."""
    return bool(limits) and not (isinstance(limits, Map) and all("/" in key for key in limits))
