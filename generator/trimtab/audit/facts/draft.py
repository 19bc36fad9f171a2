"""The facts while they are being gathered: the same fields as `Facts`, as lists that readers append to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from trimtab.audit.facts import model as m
from trimtab.repo import Repo
from trimtab.yamlpos import Map


@dataclass(slots=True)
class Draft:
    """One growing set of facts. Readers append; only `collect` creates and freezes it."""

    repo: Repo
    compose: list[m.ComposeFile] = field(default_factory=list)
    dockerfiles: list[m.Dockerfile] = field(default_factory=list)
    env_files: list[m.EnvFile] = field(default_factory=list)
    packages: list[m.Package] = field(default_factory=list)
    versions: list[m.Version] = field(default_factory=list)
    commands: list[m.Command] = field(default_factory=list)
    workflows: list[m.Workflow] = field(default_factory=list)
    pushes: list[m.Push] = field(default_factory=list)
    objects: list[m.KubeObject] = field(default_factory=list)
    workloads: list[m.Workload] = field(default_factory=list)
    kube_services: list[m.KubeService] = field(default_factory=list)
    kube_refs: list[m.KubeRef] = field(default_factory=list)
    autoscalers: list[m.Autoscaler] = field(default_factory=list)
    ingress_routes: list[m.IngressRoute] = field(default_factory=list)
    ingress_tls: list[m.IngressTls] = field(default_factory=list)
    upstreams: list[m.Upstream] = field(default_factory=list)
    binds: list[m.Bind] = field(default_factory=list)
    routes: list[m.Route] = field(default_factory=list)
    reads: list[m.EnvRead] = field(default_factory=list)
    schema_calls: list[m.SchemaCall] = field(default_factory=list)
    references: list[m.Reference] = field(default_factory=list)
    calls: list[m.ScriptCall] = field(default_factory=list)
    metrics: list[m.Place] = field(default_factory=list)
    migrators: list[m.Place] = field(default_factory=list)
    unserved: list[m.Unserved] = field(default_factory=list)
    named_sql: list[m.Reference] = field(default_factory=list)
    inline_tables: list[tuple[str, m.Place]] = field(default_factory=list)
    source_keys: list[tuple[str, m.Place]] = field(default_factory=list)
    fixed_lifetimes: list[tuple[str, str, m.Place]] = field(default_factory=list)
    read_folders: list[m.Reference] = field(default_factory=list)
    members: list[m.Reference] = field(default_factory=list)
    settings: list[m.Setting] = field(default_factory=list)
    secrets: list[m.SecretValue] = field(default_factory=list)
    kustomizations: list[tuple[str, Map]] = field(default_factory=list)
    kustomize_targets: list[m.KustomizeTarget] = field(default_factory=list)
    renamed: list[m.Renamed] = field(default_factory=list)
    sql: dict[str, str] = field(default_factory=dict)
    databases: set[str] = field(default_factory=set)
    origins: dict[tuple[str, int], list[tuple[str, m.Place]]] = field(default_factory=dict)
    mentioned: set[str] = field(default_factory=set)
    spelled: set[str] = field(default_factory=set)
    bundled: set[str] = field(default_factory=set)
    scripts: dict[str, set[str] | None] = field(default_factory=dict)
    assumed: dict[str, str] = field(default_factory=dict)
    pipelines: dict[str, Map | None] = field(default_factory=dict)
    inherited: set[m.Place] = field(default_factory=set)

    def refer(self, path: str | None, what: str, place: m.Place) -> None:
        """Note that `place` refers to `path` in the repository, unless the path could not be told."""
        if path is not None:
            self.references.append(m.Reference(path, what, place))

    def versions_from(self, image: m.Image, directory: str, environment: str) -> None:
        """Note the version in an image's tag, when the image is of a runtime or datastore that we know."""
        from trimtab.audit.facts.products import product_of_image, version_numbers

        product = product_of_image(image.repository)
        if not product and image.base in ("pgvector", "timescaledb", "timescaledb-ha", "postgis"):
            product = "postgres" if version_numbers(image.tag)[1:] == () else ""
        if product and image.tag and not image.open:
            self.versions.append(m.Version(product, image.tag, image.place, "image", directory, environment))

    def extend_commands(self, commands: Iterable[m.Command]) -> None:
        """Append several commands."""
        self.commands.extend(commands)
