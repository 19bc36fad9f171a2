"""Frameworks by the dependencies that mean them, and by the words that a Dockerfile cannot be without."""

from __future__ import annotations

# (framework, ecosystem, dependency names of which one suffices); the first match of an ecosystem comes first.
SIGNALS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("actix", "cargo", ("actix-web",)),
    ("axum", "cargo", ("axum",)),
    ("rocket", "cargo", ("rocket",)),
    ("warp", "cargo", ("warp",)),
    ("django", "python", ("django",)),
    ("fastapi", "python", ("fastapi",)),
    ("flask", "python", ("flask",)),
    ("starlette", "python", ("starlette",)),
    ("next", "node", ("next",)),
    ("nuxt", "node", ("nuxt", "nuxt3", "nuxt-edge")),
    ("sveltekit", "node", ("@sveltejs/kit",)),
    ("astro-node", "node", ("@astrojs/node",)),
    ("astro", "node", ("astro",)),
    ("angular", "node", ("@angular/core",)),
    ("react-router", "node", ("@react-router/dev", "@remix-run/dev")),
    ("tanstack-start", "node", ("@tanstack/react-start",)),
    ("gatsby", "node", ("gatsby",)),
    ("expo", "node", ("expo",)),
    ("nestjs", "node", ("@nestjs/core",)),
    ("cra", "node", ("react-scripts",)),
    ("vue-cli", "node", ("@vue/cli-service",)),
    ("express", "node", ("express",)),
    ("fastify", "node", ("fastify",)),
    ("hono", "node", ("hono",)),
    ("koa", "node", ("koa",)),
    ("vite", "node", ("vite", "@vitejs/plugin-react", "@vitejs/plugin-vue")),
    ("gin", "go", ("github.com/gin-gonic/gin",)),
    ("echo", "go", ("github.com/labstack/echo",)),
    ("chi", "go", ("github.com/go-chi/chi",)),
    ("fiber", "go", ("github.com/gofiber/fiber",)),
    (
        "spring",
        "jvm",
        (
            "spring-boot-starter-web",
            "spring-boot-starter-webflux",
            "spring-boot-starter",
            "spring-boot-maven-plugin",
            "org.springframework.boot",
        ),
    ),
    ("quarkus", "jvm", ("io.quarkus",)),
    ("aspnet", "dotnet", ("microsoft.net.sdk.web",)),
    ("rails", "ruby", ("rails",)),
    ("sinatra", "ruby", ("sinatra",)),
    ("laravel", "php", ("laravel/framework",)),
    ("symfony", "php", ("symfony/framework-bundle",)),
    ("phoenix", "elixir", ("phoenix",)),
)
FRONTENDS = frozenset(
    {
        "next",
        "nuxt",
        "sveltekit",
        "astro",
        "astro-node",
        "angular",
        "react-router",
        "react-router-spa",
        "tanstack-start",
        "gatsby",
        "cra",
        "vite",
        "vue-cli",
    }
)
STATIC_FRONTENDS = frozenset({"angular", "gatsby", "cra", "vite", "vue-cli", "astro", "react-router-spa"})

# The prefix that makes a variable public, and the frameworks that read it.
PUBLIC_PREFIXES: dict[str, frozenset[str]] = {
    "NEXT_PUBLIC_": frozenset({"next"}),
    "VITE_": frozenset({"vite", "react-router", "react-router-spa", "tanstack-start", "sveltekit", "astro", "vitest"}),
    "REACT_APP_": frozenset({"cra"}),
    "NUXT_PUBLIC_": frozenset({"nuxt"}),
    "VUE_APP_": frozenset({"vue-cli"}),
    "GATSBY_": frozenset({"gatsby"}),
    "EXPO_PUBLIC_": frozenset({"expo"}),
    "NG_APP_": frozenset({"angular"}),
}
# Of these the value is fixed when the bundle is built; NUXT_PUBLIC_ is read at run time.
BUILD_TIME_PREFIXES = (
    "NEXT_PUBLIC_",
    "VITE_",
    "REACT_APP_",
    "VUE_APP_",
    "GATSBY_",
    "EXPO_PUBLIC_",
    "NG_APP_",
)

# What a Dockerfile says outright about the framework that it builds.
DOCKERFILE_WORDS: tuple[tuple[str, str], ...] = (
    (r"\.next/(?:standalone|static)\b|\.next\b(?=[\s\"']|$)|\bnext\s+(?:build|start)\b", "next"),
    (r"\.output/server\b|\bnuxt\s+(?:build|generate)\b", "nuxt"),
    (r"\bmanage\.py\b|\bDJANGO_SETTINGS_MODULE\b", "django"),
    (r"\bflask\s+(?:run|--app)\b|\bFLASK_APP\b", "flask"),
    (r"\bfastapi\s+(?:run|dev)\b", "fastapi"),
    (r"\bbin/rails\b|\brails\s+server\b|\bRAILS_ENV\b", "rails"),
    (r"\bartisan\b", "laravel"),
    (r"\bmix\s+phx\.|\bphx\.server\b", "phoenix"),
    (r"\bng\s+(?:build|serve)\b", "angular"),
    (r"\bREACT_APP_\w+|\breact-scripts\b", "cra"),
    (r"\bVITE_\w+|\bvite\s+(?:build|preview)\b", "vite"),
)
# What a Dockerfile says of a framework without doing anything with it: left over, where another one is built. A user
# called nextjs is copied into Dockerfiles of anything, and says nothing.
DOCKERFILE_HINTS: tuple[tuple[str, str], ...] = ((r"NEXT_TELEMETRY_DISABLED", "next"),)
# The ecosystem that a Dockerfile's tools belong to.
DOCKERFILE_TOOLS: tuple[tuple[str, str], ...] = (
    (r"\bcargo\s+(?:build|chef|install|run|leptos)\b", "cargo"),
    (r"\bgo\s+(?:build|mod|install|run)\b", "go"),
    (r"\b(?:npm|yarn|pnpm|bun)\s+(?:ci|install|i|run|build|start)\b|\byarn\b", "node"),
    (r"\bpip3?\s+install\b|\buv\s+(?:sync|pip)\b|\bpoetry\s+install\b|\bpipenv\s+install\b", "python"),
    (r"\bmvnw?\b|\bgradlew?\b", "jvm"),
    (r"\bdotnet\s+(?:restore|build|publish)\b", "dotnet"),
    (r"\bbundle\s+install\b|\bbundler\b", "ruby"),
    (r"\bcomposer\s+(?:install|update)\b", "php"),
    (r"\bmix\s+(?:deps|compile|release)\b", "elixir"),
)
ECOSYSTEM = {framework: ecosystem for framework, ecosystem, _ in SIGNALS}


def frameworks_of(ecosystem: str, dependencies: frozenset[str]) -> tuple[str, ...]:
    """The frameworks that the dependencies of one manifest mean, the most specific first."""
    found = []
    for framework, home, names in SIGNALS:
        if home != ecosystem:
            continue
        if any(name in dependencies or any(_prefixed(one, name, ecosystem) for one in dependencies) for name in names):
            found.append(framework)
    return tuple(found)


def _prefixed(dependency: str, name: str, ecosystem: str) -> bool:
    if ecosystem in ("go", "jvm"):
        return dependency.startswith(name + "/") or dependency.startswith(name + ":") or dependency == name
    return False
