"""Compose files: services, their ports, variables, health checks, limits and references. Source: the
Compose specification.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from trimtab.audit.facts import model as m
from trimtab.audit.facts import working
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.interpolation import default_of, interpolate, kept
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.text import (
    command_text,
    directory_of,
    http_check,
    join,
    parse_image,
    split_port,
    to_port,
)
from trimtab.yamlpos import Map, Scalar, Seq, Value, truth

_NAME = re.compile(
    r"^(docker-)?compose([._-].*)?\.ya?ml$|[._-]compose\.ya?ml$|compose[^/]{0,100}\.ya?ml$|^docker-stack.*\.ya?ml$"
)

_INTERPOLATED = re.compile(r"\$\{[^{}]*\}|\$\w+")
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # what a volume may be called; anything else is a path


def named_compose(basename: str) -> bool:
    """Whether a file name is one that compose files have."""
    return bool(_NAME.search(basename.lower()))


def looks_like_compose(document: Map) -> bool:
    """Whether a document is a compose file by what it holds: services that are built or pulled."""
    services = document.get("services")
    if not isinstance(services, Map) or not services:
        return False
    return all(isinstance(body, Map) or body is None for body in services.values()) and any(
        isinstance(body, Map) and ("image" in body or "build" in body or "extends" in body)
        for body in services.values()
    )


class ComposeReader:
    """One compose file. `values` are those that its own `.env` gives for interpolation."""

    def __init__(self, draft: Draft, path: str, values: Mapping[str, str]) -> None:
        """Take where facts go, the file's path, and the values for interpolation."""
        self.draft = draft
        self.path = path
        self.directory = directory_of(path)
        self.values = values
        self.environment = environment_of(path)
        self.override = "override" in path.rsplit("/", 1)[-1]

    def place(self, line: int) -> m.Place:
        """A line of this file."""
        return m.Place(self.path, line)

    def text(self, value: Scalar) -> str:
        """A scalar with its interpolation filled in."""
        return interpolate(value, self.values)[0] or default_of(value)

    def read(self, document: Map) -> m.ComposeFile:
        """The facts of one document; commands and references go to the draft on the way."""
        bodies = document.map("services")
        services = [self.service(name, bodies.map(name), bodies.line_of(name)) for name in bodies]
        services = [self.extended(service, bodies.map(service.name), services) for service in services]
        defined = {kind: frozenset(document.map(kind)) for kind in ("networks", "volumes", "secrets", "configs")}
        missing: list[tuple[str, str, m.Place]] = []
        for name in bodies:
            missing.extend(self.undefined(bodies.map(name), defined, frozenset(bodies)))
        included = (join(self.directory, str(_text_or(item, "path") or "")) for item in document.seq("include"))
        includes = tuple(path for path in included if path)
        networks = document.map("networks")
        return m.ComposeFile(
            self.path,
            self.environment,
            self.override,
            tuple(services),
            defined["networks"],
            defined["volumes"],
            tuple(missing),
            includes,
            frozenset(name for name in networks if _is_outside(networks.map(name))),
        )

    def service(self, name: str, body: Map, line: int) -> m.Container:
        """One service as a container."""
        image_text = body.text("image")
        image = parse_image(image_text, self.place(body.line_of("image")), self.values) if image_text else None
        build = self.build(body)
        environment = self.environment or _profile_environment(body)
        if image and not build:
            self.draft.versions_from(image, self.directory, environment)
        env = tuple(self.env(body.get("environment")))
        values = {**self.values, **{item.name: item.value for item in env if item.value is not None}}
        command = " ".join(filter(None, [command_text(body.get("entrypoint")), command_text(body.get("command"))]))
        if command:
            key = "command" if "command" in body else "entrypoint"
            place = self.place(body.line_of(key))
            self.draft.commands.append(m.Command(default_of(command), place, "compose", name))
            working.note(self.draft, [(default_of(command), place.line)], self.path, None, "compose")
        networks = body.get("networks")
        return m.Container(
            origin="compose",
            name=name,
            place=self.place(line),
            environment=environment,
            image=image,
            build=build,
            ports=tuple(self.ports(body)),
            env=env,
            env_files=tuple(self.env_files(body)),
            probes=tuple(self.probes(body, values)),
            limits=self.limits(body),
            command=interpolate(command, values)[0] or default_of(kept(command, values)),
            command_place=self.place(body.line_of("command" if "command" in body else "entrypoint"))
            if command
            else None,
            depends_on=tuple(self.named(body.get("depends_on"), body.line_of("depends_on")) + self.links(body)),
            networks=tuple(networks) if isinstance(networks, Map) else tuple(body.seq("networks").texts()),
            networks_place=self.place(body.line_of("networks")) if networks is not None else None,
            network_mode=str(body.text("network_mode") or ""),
            aliases=tuple(self.aliases(body)),
            mounts=tuple(self.mounts(body)),
            profiles=tuple(body.seq("profiles").texts()),
            partial=image is None and build is None and "extends" not in body,
        )

    def build(self, body: Map) -> m.Build | None:
        """How a service is built, or None."""
        value = body.get("build")
        if value is None:
            return None
        place = self.place(body.line_of("build"))
        if isinstance(value, Scalar):
            context = join(self.directory, self.text(value))
            return m.Build(context, _under(context, "Dockerfile"), place)
        if not isinstance(value, Map):
            return None
        written = value.text("context") or Scalar.at(".", value.line)
        context = join(self.directory, self.text(written))
        dockerfile = value.text("dockerfile")
        inline = "dockerfile_inline" in value
        args = tuple(dataclasses.replace(arg, build_time=True) for arg in self.env(value.get("args")))
        if dockerfile is not None:
            place = self.place(value.line_of("dockerfile"))
        named = (
            (join(context or "", self.text(dockerfile)) or "")
            if dockerfile is not None
            else _under(context, "Dockerfile")
        )
        if context is None:
            named = ""
        return m.Build(
            context,
            "" if inline else named,
            place,
            str(value.text("target") or ""),
            dockerfile is not None,
            args,
            self.place(value.line_of("context")) if value.text("context") else None,
        )

    def env(self, value: Value) -> list[m.EnvVar]:
        """Variables of a mapping or a list of NAME=value."""
        found: list[m.EnvVar] = []
        if isinstance(value, Map):
            for name, item in value.items():
                text = str(item) if isinstance(item, Scalar) else None
                found.append(self.variable(name, text, value.line_of(name)))
        elif isinstance(value, Seq):
            for entry, at in value.lined():
                if isinstance(entry, Scalar):
                    name, sign, text = entry.partition("=")
                    found.append(self.variable(name.strip(), text if sign else None, at))
        return found

    def variable(self, name: str, text: str | None, line: int) -> m.EnvVar:
        """One variable; None as its text means that it is passed on."""
        if text is None:
            return m.EnvVar(name, self.values.get(name), self.place(line), "compose", self.environment, (name,))
        value, refs = interpolate(text, self.values)
        outline = _INTERPOLATED.sub("", text) if value is None else ""
        return m.EnvVar(name, value, self.place(line), "compose", self.environment, refs, outline=outline)

    def ports(self, body: Map) -> list[m.Port]:
        """Published and exposed ports."""
        found: list[m.Port] = []
        for item, line in body.seq("ports").lined():
            if isinstance(item, Scalar):
                host, port, protocol = split_port(self.text(item))
                outside = item.rpartition(":")[0]
                refs = interpolate(outside, self.values)[1] if "}" in outside else ()
                found.append(m.Port(port, self.place(line), host=host or "*", protocol=protocol, host_refs=refs))
            elif isinstance(item, Map):
                target = item.text("target")
                published = item.text("published")
                at = item.line_of("target")
                found.append(
                    m.Port(
                        to_port(self.text(target)) if target else None,
                        self.place(at),
                        host=str(published or "*"),
                    )
                )
        for item, line in body.seq("expose").lined():
            if isinstance(item, Scalar):
                found.append(m.Port(split_port(self.text(item))[1], self.place(line)))
        return found

    def probes(self, body: Map, values: Mapping[str, str]) -> list[m.Probe]:
        """The health check, if it is on."""
        check = body.map("healthcheck")
        if not check or truth(check.get("disable")):
            return []
        command = command_text(check.get("test")).replace("$$", "$")
        value = check.get("test")
        line = check.line_of("test")
        if isinstance(value, Seq):
            line = next(
                (item.line for item in value.texts() if "://" in item),
                value.item_lines[0] if value.item_lines else line,
            )
        if command.upper().startswith("NONE") or not command:
            return []
        asked = http_check(command, values)
        path, port = asked if asked else (None, None)
        return [m.Probe("healthcheck", self.place(line), path, port, command)]

    def limits(self, body: Map) -> m.Place | None:
        """Where the service is limited, or None."""
        resources = body.map("deploy", "resources")
        if "limits" in resources:
            return self.place(resources.line_of("limits"))
        for key in ("mem_limit", "cpus", "cpu_quota"):
            if key in body:
                return self.place(body.line_of(key))
        return None

    def named(self, value: Value, line: int) -> list[tuple[str, m.Place]]:
        """The names in a list, a mapping or a scalar, each with its place."""
        if isinstance(value, Map):
            return [(name, self.place(value.line_of(name))) for name in value]
        if isinstance(value, Seq):
            return [(str(item), self.place(at)) for item, at in value.lined() if isinstance(item, Scalar)]
        return [(str(value), self.place(line))] if isinstance(value, Scalar) else []

    def links(self, body: Map) -> list[tuple[str, m.Place]]:
        """The services that are linked."""
        return [(name.partition(":")[0], place) for name, place in self.named(body.get("links"), body.line_of("links"))]

    def aliases(self, body: Map) -> list[str]:
        """The other names under which the service is reached."""
        found = [str(body.text(key)) for key in ("container_name", "hostname") if body.text(key)]
        networks = body.map("networks")
        found.extend(alias for name in networks for alias in networks.map(name).seq("aliases").texts())
        found.extend(item.partition(":")[2] for item in body.seq("links").texts() if ":" in item)
        found.extend(re.split("[:=]", item)[0] for item in body.seq("extra_hosts").texts())
        found.extend(body.map("extra_hosts"))
        return found

    def mounts(self, body: Map) -> list[m.Mount]:
        """Bind mounts and volumes."""
        found: list[m.Mount] = []
        for item, line in body.seq("volumes").lined():
            if isinstance(item, Scalar):
                source, sign, rest = self.text(item).partition(":")
                target = rest.partition(":")[0] if sign else source
                source = source if sign else ""
                if len(source) == 1 and rest.startswith(("\\", "/")) and ":" in rest:  # a drive's letter
                    source, target = f"{source}:{rest.partition(':')[0]}", rest.partition(":")[2]
                bind = not _VOLUME.fullmatch(source)
            elif isinstance(item, Map):
                source, target = self.text(item.text("source") or Scalar("")), str(item.text("target") or "")
                bind = item.text("type") == "bind"
            else:
                continue
            inside = join(self.directory, source) if bind and "\\" not in source else None if bind else source
            if inside is not None and source:
                found.append(m.Mount(inside, target, self.place(line), not bind))
        return found

    def env_files(self, body: Map) -> list[tuple[str, m.Place]]:
        """The env files, relative to the root; those that must exist become references."""
        found: list[tuple[str, m.Place]] = []
        value = body.get("env_file")
        entries = value if isinstance(value, Seq) else [value]
        lines = value.item_lines if isinstance(value, Seq) else [body.line_of("env_file")]
        for entry, line in zip(entries, lines, strict=True):
            required = True
            if isinstance(entry, Map):
                required = truth(entry.get("required"), default=True)
                entry = entry.text("path")  # noqa: PLW2901 - the long form of the same entry
            if not isinstance(entry, Scalar):
                continue
            path = join(self.directory, self.text(entry))
            if path is not None:
                found.append((path, self.place(line)))
                if required:
                    self.draft.refer(path, "env file", self.place(line))
        return found

    def undefined(
        self, body: Map, defined: Mapping[str, frozenset[str]], services: frozenset[str]
    ) -> list[tuple[str, str, m.Place]]:
        """What a service refers to in its own file that the file does not define."""
        found: list[tuple[str, str, m.Place]] = []
        for name, place in self.named(body.get("networks"), body.line_of("networks")):
            if name not in defined["networks"] and name != "default" and "$" not in name:
                found.append(("network", name, place))
        for mount in self.mounts(body):
            if mount.named and mount.source and mount.source not in defined["volumes"] and "/" not in mount.source:
                found.append(("volume", mount.source, mount.place))  # noqa: PERF401
        for kind in ("secrets", "configs"):
            for item, line in body.seq(kind).lined():
                name = str(_text_or(item, "source") or "")
                if name and name not in defined[kind]:
                    found.append((kind[:-1], name, self.place(line)))
        for name, place in self.named(body.get("depends_on"), body.line_of("depends_on")) + self.links(body):
            if name not in services:
                found.append(("service", name, place))
        return found

    def extended(self, service: m.Container, body: Map, here: list[m.Container]) -> m.Container:
        """The service with what it inherits by `extends` filled in, one step deep per service of the same
        file.
        """
        extends = body.get("extends")
        if extends is None:
            return service
        other_file = extends.text("file") if isinstance(extends, Map) else None
        name = str(extends.text("service") or "") if isinstance(extends, Map) else str(extends)
        base: m.Container | None = None
        if other_file is None or join(self.directory, other_file) == self.path:
            base = next((other for other in here if other.name == name and other is not service), None)
        else:
            base = self.foreign(join(self.directory, self.text(other_file)), name, self.place(body.line_of("extends")))
        if base is None:
            return dataclasses.replace(service, partial=True)
        own = {item.name for item in service.env}
        return dataclasses.replace(
            service,
            image=service.image or base.image,
            build=service.build or base.build,
            ports=service.ports or base.ports,
            env=service.env + tuple(item for item in base.env if item.name not in own),
            env_files=service.env_files or base.env_files,
            networks=service.networks or base.networks,
            networks_place=service.networks_place or base.networks_place,
            network_mode=service.network_mode or base.network_mode,
            probes=service.probes or base.probes,
            limits=service.limits or base.limits,
            command=service.command or base.command,
            command_place=service.command_place or base.command_place,
        )

    def foreign(self, path: str | None, name: str, place: m.Place) -> m.Container | None:
        """The service that `extends` names in another file."""
        from trimtab.yamlpos import load_all

        self.draft.refer(path, "compose file", place)
        text = self.draft.repo.read(path) if path else None
        if not text or not path:
            return None
        for document, _ in load_all(text).maps():
            bodies = document.map("services")
            if name in bodies:
                quiet = Draft(self.draft.repo)
                return ComposeReader(quiet, path, self.values).service(name, bodies.map(name), bodies.line_of(name))
        return None


def _is_outside(network: Map) -> bool:
    """Whether a network is declared as one that exists already; the older form holds its name."""
    return isinstance(network.get("external"), Map) or truth(network.get("external"))


def _text_or(value: Value, key: str) -> Scalar | None:
    """A scalar, or the one under `key` of the long form."""
    if isinstance(value, Scalar):
        return value
    return value.text(key) if isinstance(value, Map) else None


def _under(directory: str | None, name: str) -> str:
    return name if not directory else f"{directory}/{name}"


def _profile_environment(body: Map) -> str:
    return next((found for name in body.seq("profiles").texts() if (found := environment_of(name))), "")
