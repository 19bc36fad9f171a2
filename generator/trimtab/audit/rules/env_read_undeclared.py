"""The source needs a variable that no file declares, or declares under a near name."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from trimtab.audit.facts.envnames import meaning, public_prefix
from trimtab.audit.facts.forms import other_forms
from trimtab.audit.facts.model import EnvRead, EnvVar, Facts, Service
from trimtab.audit.facts.query import own_variables
from trimtab.audit.facts.secrets import is_secret_name
from trimtab.audit.facts.synonyms import are_synonyms
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

# Set by platforms, shells and build tools rather than by a repository's own files.
AMBIENT = re.compile(
    r"^(?:PATH|HOME|USER|PWD|SHELL|TERM|LANG|TZ|TMPDIR|TEMP|TMP|HOSTNAME|CI|NODE_ENV|DEBUG|MODE|DEV|PROD|SSR|BASE_URL|NO_COLOR|FORCE_COLOR|PORT|HOST|EDITOR|"
    r"GITHUB_(?!CLIENT_|APP_|OAUTH_|WEBHOOK_)\w+|CI_\w+|VERCEL\w*|NETLIFY\w*|HEROKU\w*|RENDER\w*|FLY_\w+|RAILWAY\w*|CARGO_\w+|OUT_DIR|RUST_\w+|PYTHON\w*|GOPATH|GOOS|GOARCH|JAVA_\w+|"
    r"npm_\w+|KUBERNETES_\w+|AWS_\w+|GOOGLE_APPLICATION_CREDENTIALS|K_SERVICE|K_REVISION|FUNCTION_\w+|NEXT_RUNTIME|NEXT_PHASE|ANALYZE|STORYBOOK\w*|"
    r"PLAYWRIGHT\w*|TEST_\w+|\w*_TEST|JEST_\w+|VITEST\w*|RAILS_\w+|RACK_ENV|WEB_CONCURRENCY|BUNDLE_\w+|APP_ENV|APPDATA|USERPROFILE|XDG_\w+|SSH_\w+|DISPLAY|"
    r"COLUMNS|LINES|OTEL_\w+|HTTPS?_PROXY|NO_PROXY|SSL_CERT_\w+|REQUEST_METHOD|REMOTE_ADDR|SERVER_\w+|HTTP_\w+|SCRIPT_\w+|DOCUMENT_ROOT|DOTENV\w*|POD_\w+|NODE_NAME|NAMESPACE)$"
)

# A command that sets a variable or passes it on, rather than asking for it.
_GIVEN = re.compile(r"\b([A-Z][A-Z0-9_]{2,})=|(?:\bexport|\s-e|--env|--build-arg)\s+([A-Z][A-Z0-9_]{2,})\b")

# Read by a framework itself, so that no source need spell them.
_FRAMEWORKS_OWN = re.compile(
    r"^(?:SECRET_KEY_BASE|RAILS_\w+|RACK_\w+|SPRING_\w+|MANAGEMENT_\w+|ASPNETCORE_\w+|DOTNET_\w+|QUARKUS_\w+)$"
)


_WORD = re.compile(r"(?i)(?!(?:true|false|none)$).{0,200}?[a-z]")


def check(facts: Facts) -> Iterator[Finding]:  # noqa: C901, PLR0912
    """One finding per service and variable; optional variables of a service go into one finding."""
    yield from _in_another_form(facts)
    declared: dict[str, list[tuple[EnvVar, str]]] = defaultdict(list)
    for item, owner in own_variables(facts):
        declared[item.name].append((item, owner))
    for workflow in facts.workflows:
        for item in workflow.env:
            declared[item.name].append((item, ""))
    for dockerfile in facts.dockerfiles:
        for item in (*dockerfile.env, *dockerfile.args):
            declared[item.name].append((item, ""))
    read_anywhere = {one.name for one in facts.reads}
    words = {word for command in facts.commands for word in re.findall(r"[A-Z][A-Z0-9_]{2,}", command.text)}
    given = facts.mentioned | {one or two for command in facts.commands for one, two in _GIVEN.findall(command.text)}
    for service in facts.services:
        if service.root is None or not service.reads:
            continue
        visible = {name for name, uses in declared.items() if any(owner in ("", service.name) for _, owner in uses)}
        if len(visible) < 2:
            continue  # a repository that declares nothing keeps its variables elsewhere
        visible = {name for name in visible if "__" not in name and not _FRAMEWORKS_OWN.match(name)}
        read_names = {read.name for read in service.reads}
        by_name: dict[str, list[EnvRead]] = defaultdict(list)
        for read in service.reads:
            by_name[read.name].append(read)
        optional: list[EnvRead] = []
        assumed: list[EnvRead] = []
        for name, reads in sorted(by_name.items()):
            if (
                not name.isupper()
                or name in declared
                or name in given
                or AMBIENT.match(name)
                or "scripts/" in reads[0].place.path
            ):
                continue
            unread = _Unread(visible - read_names, visible - read_anywhere)
            found = list(_undeclared(service, name, reads, unread, declared))
            if name in words and "files set" not in "".join(one.title for one in found):
                continue  # a command that names it may well be told its value by whoever calls it
            yield from found
            if not found and all(read.default is None for read in reads):
                optional += reads
            elif not found and is_secret_name(name):
                assumed += [read for read in reads if _WORD.match(read.default or "")]
        if assumed:
            names = list(dict.fromkeys(read.name for read in assumed))
            yield RULE.finding(
                f"{service.name} falls back to a secret in its source, since no file declares {', '.join(names)}",
                [(read.place, f"reads {read.name}") for read in assumed],
                service=service.name,
                confidence="medium",
                severity="medium",
                remedy="Declare the variable in every environment, and let the source refuse to start without it.",
            )
        if optional:
            names = list(dict.fromkeys(read.name for read in optional))
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            yield RULE.finding(
                f"{service.name} reads variables that no file declares: {', '.join(names[:4])}{more}",
                [(read.place, f"reads {read.name}") for read in optional],
                service=service.name,
                confidence="low",
                severity="low",
            )


def _in_another_form(facts: Facts) -> Iterator[Finding]:
    """Services that read a host and its parts, and are given a URL, or the other way round."""
    for one in other_forms(facts):
        given, read = (sorted({item.name for item in items}) for items in (one.given, one.reads))
        yield RULE.finding(
            f"{one.service.name} is given {some(given, 3)}, but reads {some(read, 3)}",
            [
                *((item.place, f"sets {item.name}") for item in one.given),
                *((item.place, f"reads {item.name}") for item in one.reads),
            ],
            service=one.service.name,
            severity="medium" if one.works_by_default else "high",
            confidence="medium",
        )


def _undeclared(
    service: Service,
    name: str,
    reads: list[EnvRead],
    unread: _Unread,
    declared: dict[str, list[tuple[EnvVar, str]]],
) -> Iterator[Finding]:
    near = _near(name, unread)
    sure = bool(near) and meaning(near) == meaning(name)
    places = [(read.place, f"reads {name}") for read in reads]
    if near:
        places += [(item.name_place, f"sets {near}") for item, _ in declared[near]]
        yield RULE.finding(
            f"{service.name} reads {name}, but files set {near}",
            places,
            service=service.name,
            severity="high" if sure or (_same_words(name, near) and not are_synonyms(name, near)) else "medium",
            confidence="high" if sure else "medium",
            remedy=f"Use one name: rename {near} to {name} in the files, or read {near} in the source.",
        )
    elif other := _second_name(service, name, reads, declared):
        places += [(read.place, f"reads {other}") for read in service.reads if read.name == other]
        places += [(item.name_place, f"sets {other}") for item, _ in declared[other]]
        yield RULE.finding(
            f"{service.name} reads {name}, which no file declares, beside {other}, which files set",
            places,
            service=service.name,
            confidence="medium",
            severity="medium",
            remedy=f"Read {other} everywhere.",
        )
    elif any(read.required for read in reads) and all(read.default is None for read in reads):
        yield RULE.finding(
            f"{service.name} needs {name}, which no file declares",
            places,
            service=service.name,
            confidence="medium",
            severity="medium",
        )


def _second_name(
    service: Service, name: str, reads: list[EnvRead], declared: dict[str, list[tuple[EnvVar, str]]]
) -> str:
    """The declared name under which the source reads the same value in another place; alternatives in one place are
    meant so, and names of two words anywhere in one file.
    """
    words = len(meaning(name))
    if words < 2:
        return ""
    for other in service.reads:
        if other.name == name or meaning(other.name) != meaning(name):
            continue
        if not any(owner in ("", service.name) for _, owner in declared.get(other.name, ())):
            continue
        beside = any(
            one.name == other.name
            and one.place.path == read.place.path
            and (words < 3 or abs(one.place.line - read.place.line) < 6)
            for one in service.reads
            for read in reads
        )
        if public_prefix(other.name) == public_prefix(name) and not beside:
            return other.name
    return ""


class _Unread(NamedTuple):
    """Variables that are set and not read: by the service itself, and by no source of the repository."""

    here: set[str]
    anywhere: set[str]


def _near(name: str, unread: _Unread) -> str:
    """A variable that is set, not read, and means the same, or is spelt almost the same and read by nobody."""
    prefix = public_prefix(name)
    same = sorted(
        other
        for other in unread.here
        if meaning(other) == meaning(name)
        and len(meaning(name)) > 1
        # A browser's name is another variable than the server's, and one that is read is somebody else's.
        and (public_prefix(other) == prefix or (public_prefix(other) and prefix and other in unread.anywhere))
    )
    if same:
        return same[0]
    longer = sorted(other for other in unread.anywhere if _a_word_apart(name, other))
    if longer:
        return longer[0]
    alike = sorted(other for other in unread.anywhere if are_synonyms(name, other))
    if alike:
        return alike[0]
    close = difflib.get_close_matches(name, sorted(unread.anywhere), n=1, cutoff=0.88)
    if close and len(name) > 6 and re.sub(r"\d", "", close[0]) != re.sub(r"\d", "", name):
        differing = set(name.split("_")) ^ set(close[0].split("_"))
        return close[0] if len(differing) <= 2 and _typo(differing) else ""
    return ""


def _a_word_apart(name: str, other: str) -> bool:
    """Whether one name is the other one and a word before it, so that only the owner is told: JWT_SECRET_KEY and
    SECRET_KEY.
    """
    prefix = public_prefix(name)
    if public_prefix(other) != prefix:
        return False
    one, two = name[len(prefix) :].split("_"), other[len(prefix) :].split("_")
    short, long = sorted((one, two), key=len)
    return len(long) == len(short) + 1 and len(short) > 1 and long[1:] == short and len(long[0]) > 1


def _same_words(name: str, other: str) -> bool:
    """Whether two names have equally many words: a word too many may as well be another variable."""
    return len(name.split("_")) == len(other.split("_"))


def _typo(differing: set[str]) -> bool:
    """Whether the words that differ are spellings of each other, rather than other words."""
    words = sorted(differing)
    return len(words) < 2 or difflib.SequenceMatcher(None, words[0], words[1]).ratio() > 0.7


RULE = Rule(
    module=__name__,
    severity="high",
    area="Environment Variables Consistency",
    title="The source reads a variable that no file declares",
    what="""Compares the variables that the source reads with those that env files, compose, Kubernetes,
Dockerfiles and workflows set. A variable
with a default in the source is reported only when a file sets a near name (one of the same meaning, or one with a word
more or less at its beginning), or when it is a secret. Variables of platforms and tools are left out.""",
    why="The service starts without the value, or does not start; where a near name is set, "
    "everybody believes that it has it.",
    example="""src/main.rs:        env::var("DATABASE_URL").expect("DATABASE_URL")
docker-compose.yml: DB_URL: postgresql://…""",
    remedy="Declare the variable in every environment and in the example file.",
    check=check,
)
