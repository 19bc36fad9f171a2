"""The settings as the user writes them (pydantic, input only).

Every default that depends on something else (framework, other services, environment) is filled in by the template's
resolve step, so that defaults are versioned with the template. Here stand shapes and bounds only.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

# RFC 1123 label, shortened so that derived object names (`<name>-<service>-migrate`) stay within 63 characters.
NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
# A bare hostname of at least two labels (RFC 1123).
HOST = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
ROUTE = r"^/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$"
URL_PATH = r"^/[A-Za-z0-9._~/-]*$"
FOLDER = r"^(\.|[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*)$"
ENV_NAME = r"^[A-Z_][A-Z0-9_]*$"
# More than 0, and less than what Kubernetes and Docker count in 64 bits.
CPU = r"^([1-9][0-9]{0,8}m|[1-9][0-9]{0,5}(\.[0-9]{1,3})?|0\.([1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9]))$"
MEMORY = r"^[1-9][0-9]{0,8}(Mi|Gi)$"
PERCENT = r"^([0-9]{1,2}(\.[0-9]+)?|100)%$"
DURATION = r"^[1-9][0-9]*(ms|s|m|h)$"
REGISTRY = (
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{2,5})?(/[a-z0-9]+([._-][a-z0-9]+)*)*$"
)
VERSION = r"^[0-9]+(\.[0-9]+)*([.-][A-Za-z0-9]+)*$"
METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G)?$"
PATCH = r"^[A-Za-z0-9][A-Za-z0-9._-]*\.ya?ml$"
REPOSITORY = r"^https://[A-Za-z0-9._~:/-]+$"
INDEX = r"^([A-Za-z_][A-Za-z0-9_$]*\.){1,2}[A-Za-z_][A-Za-z0-9_$]*$"


def _like(pattern: str, max_length: int = 200) -> StringConstraints:
    return StringConstraints(pattern=pattern, max_length=max_length)


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise ValueError("is not a text, a number, true or false; write one of these")  # noqa: TRY004 - pydantic reports ValueError
    if isinstance(value, str) and "\n" in value:
        raise ValueError("holds a line break, which env files cannot carry; encode it, or mount a file")
    return value


def _quantity(value: Any) -> Any:
    if re.fullmatch(QUANTITY, str(value)) and re.search("[1-9]", str(value)):
        return value
    raise ValueError("is not a quantity above 0; write it such as 100 or 250m")


def _name(value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """A name that is wrong was reported already when the rest of the file is checked, under that name."""
    return value if info.context is LENIENT and isinstance(value, str) else check(value)


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return "mapping"
    return "switch" if isinstance(value, bool) else "text"


def _whole(value: Any) -> Any:
    """Keeps `true` and `1.0` from counting as 1."""
    return value if type(value) is int else json.dumps(value, default=str)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


# The names of union branches: pydantic puts them into error locations, where load.py drops them.
BRANCHES = ("mapping", "switch", "text")
_by_shape = Discriminator(_shape)
_Off = Annotated[Literal[False], Tag("switch")]

LENIENT = {"names": "any"}  # the context of a validation that takes names as they are
Name = Annotated[str, _like(NAME, 40), WrapValidator(_name)]
EnvName = Annotated[str, _like(ENV_NAME, 128), WrapValidator(_name)]
EnvValue = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Count = Annotated[int, Field(ge=1, le=1000, strict=True)]
Percent = Annotated[int, Field(ge=1, le=100, strict=True)]
Version = Annotated[str, _like(VERSION, 40)]
UrlPath = Annotated[str, _like(URL_PATH)]
Route = Annotated[str, _like(ROUTE)]
Env = dict[EnvName, EnvValue]
MigrationTool = Literal[
    "diesel", "sqlx", "alembic", "django", "prisma", "golang-migrate", "goose", "flyway", "rails", "laravel", "ef",
    "ecto", "sql",
]  # fmt: skip


class Section(BaseModel):
    """A mapping of the settings file: unknown keys are refused, values are not changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(Section):
    """Paths that answer 2xx: `live` while the process can go on, `ready` while it can serve."""

    live: UrlPath | None = Field(None, description="Path of the liveness probe; never checks a dependency.")
    ready: UrlPath | None = Field(None, description="Path of the readiness probe; may check dependencies.")


class Resources(Section):
    """CPU and memory of one replica: requests and limits alike, in Compose and Kubernetes."""

    cpu: Annotated[str, _like(CPU)] | None = Field(None, description="Cores, as Kubernetes writes them: 250m, 1, 0.5.")
    memory: Annotated[str, _like(MEMORY)] | None = Field(None, description="Mi or Gi: 512Mi.")


class Metric(Section):
    """A custom metric that the HorizontalPodAutoscaler follows, and the series that it is computed from."""

    name: Annotated[str, _like(METRIC)] = Field(description="The name under which the HPA asks for it.")
    from_: Annotated[str, _like(METRIC)] = Field(
        alias="from", description="Prometheus series: a counter, a gauge or a histogram's _bucket."
    )
    target: Annotated[Any, AfterValidator(_quantity), WithJsonSchema({"type": ["string", "number"]})] = Field(
        description="Average per Pod, as a quantity: 100, 250m."
    )


class Autoscaling(Section):
    """The HorizontalPodAutoscaler of a service."""

    min: Count | None = Field(None, description="Fewest replicas.")
    max: Count | None = Field(None, description="Most replicas.")
    cpu: Percent | None = Field(None, description="Target CPU use in percent.")
    memory: Percent | None = Field(None, description="Target memory use in percent.")
    metrics: list[Metric] | None = Field(None, description="Custom metrics.")


AutoscalingOrOff = Annotated[Annotated[Autoscaling, Tag("mapping")] | _Off, _by_shape]


class Migrations(Section):
    """Database migrations of a service, run by the one runner before the service starts."""

    tool: MigrationTool | None = Field(None, description="The tool whose layout the migrations follow.")
    path: Annotated[str, _like(FOLDER)] | None = Field(
        None, description="Folder of the migrations, relative to the service's path."
    )
    expect_indexes: list[Annotated[str, _like(INDEX)]] = Field(
        default_factory=list,
        description="Indexes that `verify` requires, as table.index or schema.table.index.",
    )


class Overrides(Section):
    """What one environment may change of a service."""

    env: Env = Field(default_factory=dict)
    public_env: Env = Field(default_factory=dict)
    resources: Resources | None = None
    autoscaling: AutoscalingOrOff | None = None
    replicas: Count | None = None


Routes = Annotated[
    list[Route],
    BeforeValidator(_as_list),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": ROUTE},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
    Tag("text"),
]


class Service(Section):
    """One runnable unit that you build."""

    framework: str = Field(description="`trimtab frameworks` lists them.")
    path: Annotated[str, _like(FOLDER)] | None = Field(None, description="Folder of its source; default: its name.")
    port: Port | None = Field(None, description="The port that the process binds; written nowhere else.")
    route: Annotated[Routes | _Off, _by_shape] | None = Field(
        None, description="Public path prefix that leads here, or a list of them; false for none."
    )
    health: Annotated[Annotated[Health, Tag("mapping")] | Annotated[UrlPath, Tag("text")], _by_shape] | None = Field(
        None, description="Health paths, or one path for both."
    )
    metrics: Annotated[Annotated[UrlPath, Tag("text")] | _Off, _by_shape] | None = Field(
        None, description="Path of Prometheus metrics; false for none."
    )
    uses: list[Name] = Field(default_factory=list, description="Datastores and services that it connects to.")
    migrations: (
        Annotated[Annotated[Migrations, Tag("mapping")] | Annotated[MigrationTool, Tag("text")], _by_shape] | None
    ) = Field(None, description="Database migrations, or just the name of their tool.")
    env: Env = Field(default_factory=dict, description="Run-time variables that are not secret.")
    public_env: Env = Field(default_factory=dict, description="Variables that reach the browser.")
    secrets: list[EnvName] = Field(default_factory=list, description="Names of run-time variables that are secret.")
    resources: Resources | None = None
    autoscaling: AutoscalingOrOff | None = Field(None, description="false for a fixed number of replicas.")
    replicas: Count | None = Field(None, description="Number of replicas where autoscaling is false.")


class Datastore(Section):
    """A backing database or cache."""

    version: Version | None = Field(None, description="Version of its image, quoted.")
    storage: Annotated[str, _like(MEMORY)] | None = Field(None, description="Size of its volume: 20Gi.")
    resources: Resources | None = None


class Datastores(Section):
    """The datastores of the platform, by kind."""

    postgres: Datastore | None = None
    redis: Datastore | None = None


class AbortWhen(Section):
    """When a progressive delivery is undone."""

    error_rate: Annotated[str, _like(PERCENT)] | None = Field(None, description="Share of 5xx answers: 1%.")
    p95_latency: Annotated[str, _like(DURATION)] | None = Field(None, description="95th percentile of latency: 500ms.")


class Delivery(Section):
    """How a tested image reaches an environment."""

    ci: Literal["github", "gitlab"] | None = Field(
        None, description="The CI system: the GitHub workflow or the GitLab pipeline."
    )

    mode: Literal["kubectl", "gitops"] | None = Field(None, description="Who applies the manifests.")
    engine: Literal["argocd", "flux"] | None = Field(None, description="The GitOps engine.")
    repository: Annotated[str, _like(REPOSITORY)] | None = Field(
        None, description="URL of this repository, which the GitOps engine reads."
    )
    strategy: Literal["rolling", "canary", "blue-green"] | None = None
    abort_when: AbortWhen | None = None
    secrets: Literal["external-secrets", "sealed-secrets", "sops"] | None = Field(
        None, description="Where Kubernetes gets secret values from."
    )
    ingress: Literal["gateway", "ingress"] | None = Field(None, description="Gateway API or Ingress.")
    hooks: list[Literal["before-deploy", "after-deploy"]] = Field(
        default_factory=list,
        description="Your own steps, which Trimtab never writes: composite actions in `.github/actions/<hook>/`, "
        "or scripts `.gitlab/hooks/<hook>.sh`.",
    )
    metrics: Literal["prometheus-adapter", "keda"] | None = Field(
        None, description="What serves custom metrics to the HPA."
    )


class Environment(Section):
    """One place where the platform runs; `local` is Docker Compose."""

    host: Annotated[str, _like(HOST)] | None = Field(None, description="Public host name; required but for local.")
    tls: Literal["letsencrypt", "letsencrypt-staging"] | None = Field(None, description="The certificate issuer.")
    approval: Literal["required", "none"] | None = Field(None, description="Whether a person approves a deployment.")
    namespace: Name | None = Field(None, description="Kubernetes namespace; default: <name>-<environment>.")
    postgres: Literal["external", "in-cluster"] | None = None
    redis: Literal["external", "in-cluster"] | None = None
    services: dict[Name, Overrides] = Field(default_factory=dict, description="Overrides per service.")
    patches: list[Annotated[str, _like(PATCH)]] = Field(
        default_factory=list,
        description="Your own kustomize patches, in k8s/overlays/<environment>/patches/; Trimtab never writes there.",
    )


class Settings(Section):
    """The whole of `trimtab.yml`."""

    version: Annotated[Literal[1], BeforeValidator(_whole)] = Field(description="Version of this file's format.")
    name: Name = Field(description="Name of the platform; a prefix of images and namespaces.")
    registry: Annotated[str, _like(REGISTRY)] = Field(description="Image registry and prefix: ghcr.io/acme.")
    services: Annotated[dict[Name, Service], Field(min_length=1)]
    datastores: Datastores = Field(default_factory=Datastores)
    delivery: Delivery = Field(default_factory=Delivery)
    environments: Annotated[dict[Name, Environment], Field(min_length=1)]
