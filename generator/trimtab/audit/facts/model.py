"""The facts: typed, frozen observations, each with the file and line that it stands on. Rules see nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from trimtab.yamlpos import Map

T = TypeVar("T")
Context = Literal["workflow", "script", "makefile", "compose", "dockerfile", "kubernetes", "package"]
Origin = Literal["compose", "kubernetes", "dockerfile", "envfile", "workflow", "source"]
Environment = str  # "" where a file names none; else local, test, staging, production, example or the name as written


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class EnvVar:
    """A variable that a file gives a value, or passes on (`value` None). `refs` are the names that its
    value is made of.
    """

    name: str
    value: str | None
    place: Place
    origin: Origin
    environment: Environment = ""
    refs: tuple[str, ...] = ()
    secret: bool = False
    build_time: bool = False
    outline: str = ""  # where `value` is None: the text with the parts that are not known left out
    source: tuple[str, str, str] | None = None  # (kind, name, key) of the Kubernetes object that holds the value
    name_at: Place | None = None  # where the name stands, if not where the value does

    @property
    def name_place(self) -> Place:
        """Where the name stands."""
        return self.name_at or self.place


@dataclass(frozen=True, slots=True)
class EnvRead:
    """A variable that application source reads. `default` is the literal used in its absence, where there
    is one.
    """

    name: str
    place: Place
    default: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """A port on the container's side; `host` is the one published for it, as written."""

    number: int | None
    place: Place
    name: str = ""
    host: str = ""
    protocol: str = "tcp"
    host_refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """A health check: HTTP `path` and `port` where it has them, else only its command."""

    kind: str
    place: Place
    path: str | None = None
    port: int | str | None = None
    command: str = ""
    path_place: Place | None = None  # where the path stands, if not where the port does


@dataclass(frozen=True, slots=True)
class Image:
    """An image reference in its parts. `tag` is "" where none is written; `open` is whether a part was
    interpolated.
    """

    text: str
    repository: str
    tag: str
    digest: str
    place: Place
    open: bool = False

    @property
    def base(self) -> str:
        """The last part of the repository: `api` in `ghcr.io/acme/api`."""
        return self.repository.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Build:
    """How an image is built: directories and files relative to the root; `context` None when it is remote."""

    context: str | None
    dockerfile: str
    place: Place
    target: str = ""
    explicit: bool = False
    args: tuple[EnvVar, ...] = ()
    context_place: Place | None = None  # where the context is written, if not where the Dockerfile is


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind mount or a named volume. `source` is relative to the root for a bind mount."""

    source: str
    target: str
    place: Place
    named: bool


@dataclass(frozen=True, slots=True)
class Container:
    """A container as one file declares it: a compose service, or a container of a Kubernetes workload."""

    origin: Literal["compose", "kubernetes"]
    name: str
    place: Place
    environment: Environment
    workload: str = ""
    namespace: str = ""
    image: Image | None = None
    build: Build | None = None
    ports: tuple[Port, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_files: tuple[tuple[str, Place], ...] = ()
    env_from: tuple[
        tuple[str, str], ...
    ] = ()  # (kind, name) of the ConfigMaps and Secrets whose keys all become variables
    probes: tuple[Probe, ...] = ()
    limits: Place | None = None
    command: str = ""
    command_place: Place | None = None
    depends_on: tuple[tuple[str, Place], ...] = ()
    networks: tuple[str, ...] = ()
    networks_place: Place | None = None
    network_mode: str = ""
    aliases: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    profiles: tuple[str, ...] = ()
    init: bool = False
    partial: bool = False  # an override or a patch: what it leaves out stands elsewhere
    job: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which others reach a compose service: its own first, then the aliases."""
        return (self.name, *self.aliases)


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """A compose file as a whole: what it declares and what it refers to."""

    path: str
    environment: Environment
    override: bool
    services: tuple[Container, ...]
    networks: frozenset[str]
    volumes: frozenset[str]
    missing: tuple[tuple[str, str, Place], ...]  # (kind, name, place) of networks, volumes, secrets, services undefined
    includes: tuple[str, ...] = ()
    outside: frozenset[str] = frozenset()  # networks that are made elsewhere, with containers that are not known here
    asked: tuple[tuple[str, Place], ...] = ()  # the variables that it is filled from and that have no default


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM of a Dockerfile."""

    name: str
    image: Image
    place: Place


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile. Ports, env and probes are those that reach the last stage."""

    path: str
    directory: str
    environment: Environment
    stages: tuple[Stage, ...]
    ports: tuple[Port, ...] = ()
    env: tuple[EnvVar, ...] = ()
    args: tuple[EnvVar, ...] = ()
    probes: tuple[Probe, ...] = ()
    copies: tuple[tuple[str, Place], ...] = ()
    taken: tuple[tuple[str, Place], ...] = ()  # what is copied from other stages and images
    command: str = ""
    command_place: Place | None = None
    frameworks: tuple[tuple[str, Place], ...] = ()  # what its text says it builds
    unscoped: tuple[tuple[str, Place, Place], ...] = ()  # (argument, use, declaration in another stage)
    carried: tuple[tuple[str, str], ...] = ()  # (source, stage) of what the last stage copies; "" is the context


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file of KEY=VALUE lines."""

    path: str
    directory: str
    environment: Environment
    variables: tuple[EnvVar, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A package manifest: the dependencies that it names, and the frameworks that they mean."""

    path: str
    directory: str
    ecosystem: str
    name: str
    dependencies: frozenset[str]
    frameworks: tuple[str, ...]
    scripts: Mapping[str, tuple[str, Place]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """A version that a file asks for, of a runtime or a datastore. `text` is as written, `kind` how it is
    stated.
    """

    product: str
    text: str
    place: Place
    kind: Literal["image", "ci", "tool", "range", "kubernetes"]
    directory: str = ""
    environment: Environment = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One command line, where it stands. `job` is the workflow job or the script's or target's name."""

    text: str
    place: Place
    context: Context
    job: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a workflow job."""

    name: str
    place: Place
    uses: str = ""
    run: str = ""
    run_line: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    option_lines: Mapping[str, int] = field(default_factory=dict)
    condition: str = ""
    directory: str = ""
    lenient: bool = False  # the job goes on when it fails
    id: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a workflow."""

    id: str
    name: str
    place: Place
    needs: tuple[tuple[str, Place], ...] = ()
    condition: str = ""
    condition_place: Place | None = None
    environment: str = ""
    uses: str = ""
    steps: tuple[Step, ...] = ()
    kinds: frozenset[str] = frozenset()  # test, lint, build, push, deploy, scan, migrate, release


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow of GitHub Actions or a GitLab pipeline. `triggers` maps an event to the branches and
    tags it is limited to.
    """

    path: str
    name: str
    system: Literal["github", "gitlab"]
    triggers: Mapping[str, tuple[str, ...]]
    filters: Mapping[str, tuple[str, ...]]
    jobs: tuple[Job, ...]
    env: tuple[EnvVar, ...] = ()
    given: frozenset[str] = frozenset()  # the names of the variables of its jobs and steps
    own_env: tuple[EnvVar, ...] = ()  # the variables of its jobs, and of the steps that run commands
    broken: tuple[tuple[str, str, str, Place], ...] = ()  # (job, what it says, name, place) of what is defined nowhere


@dataclass(frozen=True, slots=True)
class Push:
    """An image that CI or a script pushes. `tags` are the full references as written."""

    tags: tuple[str, ...]
    place: Place
    job: str
    context: str = ""
    dockerfile: str = ""
    images: tuple[str, ...] = ()  # the repositories, where the tags are computed from them
    computed: bool = False  # the tags come from another step or are otherwise not written here
    lines: tuple[int, ...] = ()  # where each tag stands, when the list is written over several lines
    args: frozenset[str] | None = None  # the names of the build arguments; None where they are not known
    built: Place | None = None  # where it is built, if another line than that which pushes it
    context_place: Place | None = None


@dataclass(frozen=True, slots=True)
class KubeObject:
    """A Kubernetes object. `labels` are its own; `body` is the document, for what no typed fact carries."""

    kind: str
    name: str
    namespace: str
    place: Place
    environment: Environment
    labels: Mapping[str, str]
    body: Map
    group: str  # objects of one group are applied together: a directory, a chart, a kustomization
    patch: bool = False


@dataclass(frozen=True, slots=True)
class KubeRef:
    """A reference from one object to another by kind and name."""

    kind: str
    name: str
    place: Place
    owner: str
    group: str
    optional: bool = False
    key: str = ""
    key_place: Place | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment, StatefulSet, DaemonSet, Job, CronJob, Rollout or Pod."""

    kind: str
    name: str
    place: Place
    group: str
    environment: Environment
    pod_labels: Mapping[str, str]
    selector: Mapping[str, str]
    selector_place: Place
    replicas: Place | None
    containers: tuple[Container, ...]
    patch: bool = False
    count: str = ""  # the replicas


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Kubernetes Service; `target` as written, or the port itself."""

    name: str
    number: int | None
    target: str
    place: Place


@dataclass(frozen=True, slots=True)
class KubeService:
    """A Kubernetes Service."""

    name: str
    place: Place
    group: str
    environment: Environment
    selector: Mapping[str, str]
    selector_place: Place
    ports: tuple[ServicePort, ...]
    external: bool = False
    patch: bool = False


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler, a KEDA ScaledObject or a PodDisruptionBudget."""

    kind: str
    name: str
    place: Place
    group: str
    environment: Environment
    target: tuple[str, str, Place] | None
    selector: Mapping[str, str]
    metrics: tuple[str, ...]
    metrics_place: Place
    minimum: int | None = None
    maximum: int | None = None
    off: bool = False  # a chart has it, and no values here switch it on


@dataclass(frozen=True, slots=True)
class IngressRoute:
    """A backend that an Ingress or an HTTPRoute sends a path to."""

    service: str
    port: str
    path: str
    place: Place
    group: str
    port_place: Place | None = None  # where the port stands


@dataclass(frozen=True, slots=True)
class IngressTls:
    """The TLS side of an Ingress: hosts, secret and issuer."""

    name: str
    place: Place
    group: str
    environment: Environment
    hosts: tuple[tuple[str, Place], ...]
    secret: tuple[str, Place] | None
    issuer: tuple[str, Place] | None


@dataclass(frozen=True, slots=True)
class KustomizeTarget:
    """What a kustomization means to change: `what` is its field, `found` whether it applies that, `near` what it
    applies of the kind.
    """

    what: str
    name: str
    place: Place
    near: tuple[tuple[Place, str], ...]
    found: bool


@dataclass(frozen=True, slots=True)
class Renamed:
    """The name that a kustomization's prefix or suffix gives an object, beside the one that its manifest writes."""

    kind: str
    name: str
    written: str
    place: Place
    by: Place  # the prefix or suffix
    namespace: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """A host and port that a proxy or a URL in a variable sends to."""

    host: str
    port: int | None
    place: Place
    scheme: str
    name: str = ""  # the variable, or the directive
    owner: str = ""  # the container that holds it


@dataclass(frozen=True, slots=True)
class Bind:
    """A port that application source listens on: a literal, a variable, or a variable with a literal
    default.
    """

    port: int | None
    variable: str
    place: Place


@dataclass(frozen=True, slots=True)
class Route:
    """A path that application source serves, as written where it is declared."""

    path: str
    place: Place


@dataclass(frozen=True, slots=True)
class MigrationDirectory:
    """A directory of schema migrations and the tool whose layout it has ("" when several fit)."""

    path: str
    tool: str
    place: Place


@dataclass(frozen=True, slots=True)
class SchemaCall:
    """Application source that changes the schema: `up` runs the tool's migrations, `create` makes what models say."""

    tool: str
    action: str
    place: Place


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A command that runs a script of package.json: of the package in `directory`, or of the one called `package`."""

    script: str
    directory: str | None  # None where it cannot be told
    package: str
    place: Place
    context: Context
    programs: bool  # whether the tool runs the programs of dependencies by `run` as well


@dataclass(frozen=True, slots=True)
class Reference:
    """A path that a file refers to as standing in the repository."""

    path: str
    what: str
    place: Place


@dataclass(frozen=True, slots=True)
class Unserved:
    """A metric that an autoscaler, `owner`, waits for and that nothing in the repository gives."""

    name: str
    owner: str
    place: Place


@dataclass(frozen=True, slots=True)
class Setting:
    """One directive of a Redis or nginx configuration."""

    product: str
    name: str
    value: str
    place: Place


Strength = Literal["certain", "likely", "weak"]  # weak: a plain word, where only secrets are kept


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A value that looks like a real secret in a file. `digest` identifies it; the value itself is never
    kept.
    """

    name: str
    digest: str
    place: Place
    environment: Environment
    strength: Strength
    fallback: bool = False  # what an interpolation falls back on where nobody sets the variable
    weak: bool = False  # a password that everybody knows, where it does no harm


@dataclass(frozen=True, slots=True)
class Service:
    """One runnable unit of the repository, put together from the files that mention it."""

    name: str
    root: str | None
    role: str  # backend, frontend, proxy, or the datastore product
    framework: str
    containers: tuple[Container, ...]
    dockerfiles: tuple[Dockerfile, ...]
    env_files: tuple[EnvFile, ...]
    package: Package | None
    binds: tuple[Bind, ...]
    routes: tuple[Route, ...]
    reads: tuple[EnvRead, ...]
    evidence: tuple[str, ...]

    @property
    def built(self) -> bool:
        """Whether the repository builds it, rather than pulling it."""
        return self.root is not None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was observed in one repository."""

    files: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()
    compose: tuple[ComposeFile, ...] = ()
    containers: tuple[Container, ...] = ()
    dockerfiles: tuple[Dockerfile, ...] = ()
    env_files: tuple[EnvFile, ...] = ()
    packages: tuple[Package, ...] = ()
    versions: tuple[Version, ...] = ()
    commands: tuple[Command, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    pushes: tuple[Push, ...] = ()
    objects: tuple[KubeObject, ...] = ()
    workloads: tuple[Workload, ...] = ()
    kube_services: tuple[KubeService, ...] = ()
    kube_refs: tuple[KubeRef, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    ingress_routes: tuple[IngressRoute, ...] = ()
    ingress_tls: tuple[IngressTls, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    kustomize_targets: tuple[KustomizeTarget, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    binds: tuple[Bind, ...] = ()
    routes: tuple[Route, ...] = ()
    reads: tuple[EnvRead, ...] = ()
    migrations: tuple[MigrationDirectory, ...] = ()
    schema_calls: tuple[SchemaCall, ...] = ()
    references: tuple[Reference, ...] = ()
    calls: tuple[ScriptCall, ...] = ()
    metrics: tuple[Place, ...] = ()  # source files that have to do with metrics
    migrators: tuple[Place, ...] = ()  # start files and source that call a migration tool
    unserved: tuple[Unserved, ...] = ()
    named_sql: tuple[Reference, ...] = ()  # SQL files as source that talks to a database names them
    inline_tables: tuple[tuple[str, Place], ...] = ()  # tables that application source makes
    source_keys: tuple[tuple[str, Place], ...] = ()  # keys that are literals in source
    fixed_lifetimes: tuple[tuple[str, str, Place], ...] = ()  # names of variables that source gives a lifetime
    read_folders: tuple[Reference, ...] = ()  # folders of migrations that programs read when they run
    members: tuple[Reference, ...] = ()  # parts that workspaces list, looked up by a rule of their own
    settings: tuple[Setting, ...] = ()
    secrets: tuple[SecretValue, ...] = ()
    services: tuple[Service, ...] = ()
    sql: Mapping[str, str] = field(
        default_factory=dict
    )  # path of a script's SQL file -> what it does: table, index, data

    # databases that SQL files and scripts create beside a server's first one
    databases: frozenset[str] = frozenset()

    # (template, line) -> the values that fill it, each with its place in the chart's values file
    origins: Mapping[tuple[str, int], Sequence[tuple[str, Place]]] = field(default_factory=dict)

    # chart -> the release's name that its objects were rendered with, where no file says it
    assumed: Mapping[str, str] = field(default_factory=dict)

    # variables that a chart's templates give to containers under some condition
    mentioned: frozenset[str] = frozenset()

    # words in capitals in YAML files, which may be names of variables there
    spelled: frozenset[str] = frozenset()

    # names in source that begin as bundlers' public variables do; a prefix alone stands for all names that it begins
    bundled: frozenset[str] = frozenset()

    # package.json, examples' and tests' too -> the names of its scripts; None for one that cannot be read
    scripts: Mapping[str, frozenset[str] | None] = field(default_factory=dict)

    # names under which charts and operators that are kept elsewhere make Services
    installed: frozenset[str] = frozenset()

    # What is worked out from the facts once and asked for by many rules; never part of their value.
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """The value of `make`, worked out the first time that `key` is asked for."""
        if key not in self.memo:
            self.memo[key] = make()
        return cast("T", self.memo[key])

    def exists(self, path: str) -> bool:
        """Whether the repository has a file or a directory of this path."""
        return path in self.files or path.rstrip("/") in self.directories or path in ("", ".")
