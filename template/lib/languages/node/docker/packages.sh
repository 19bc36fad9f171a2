#!/bin/sh
{% from 'template/lib/text.jinja' import marker %}
{{ marker('#') }}
#
# Runs the package manager that a Node package uses: the Dockerfiles' and the workflow's only way to npm, pnpm and yarn.
#
#   packages keep-manifests PATH   delete all but what the dependencies follow from (PATH is for messages)
#   packages setup                 install the package manager itself
#   packages install               install what the lockfile says, and fail where package.json says otherwise
#   packages run SCRIPT [ARG...]   run a script of package.json
#   packages build [ARG...]        run the script `build`, if there is one
#   packages start-command [SCRIPT...]   print a program that does what the script `start` does, or the first of these
#                                  that is one call of node, without the package manager, which would keep SIGTERM;
#                                  START_PROGRAMS names programs of the dependencies that may stand for node
#   packages exec TOOL [ARG...]    run a program of the dependencies
#   packages prune                 remove what is for development only
set -eu

cache=${PACKAGES_CACHE:-/var/cache/packages}
export CI="${CI:-true}" npm_config_cache="$cache/npm" npm_config_update_notifier=false npm_config_fund=false
export npm_config_store_dir="$cache/pnpm" pnpm_config_store_dir="$cache/pnpm" # the second since pnpm 11
export YARN_CACHE_FOLDER="$cache/yarn" YARN_ENABLE_GLOBAL_CACHE=false YARN_NODE_LINKER=node-modules YARN_ENABLE_TELEMETRY=0

fail() {
  printf '\npackages: %s\n\n' "$1" >&2
  exit 1
}

# `pnpm@10.1.0` of the field packageManager, without the hash; nothing if there is none.
wanted() {
  node -p '(require("./package.json").packageManager ?? "").split("+")[0]'
}

# npm, pnpm or yarn, from the lockfile. Two lockfiles are one too many, unless packageManager decides.
manager() {
  found=''
  if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then found="$found npm"; fi
  if [ -f pnpm-lock.yaml ]; then found="$found pnpm"; fi
  if [ -f yarn.lock ]; then found="$found yarn"; fi
  name=$(wanted)
  name=${name%%@*}
  case "$found " in
    ' ') fail "there is no lockfile in $1: run \`npm install\` (or pnpm, or yarn) there and commit the lockfile. In a workspace the lockfile must be in $1 too." ;;
    *" $name "*) echo "$name" ;;
    *' '*' '*' ') fail "more than one lockfile in $1 ($found ): keep one, or name the package manager in package.json (packageManager)" ;;
    *)
      [ -z "$name" ] || fail "package.json in $1 asks for $name, but the lockfile is of$found"
      echo "${found# }"
      ;;
  esac
}

is_yarn_classic() {
  grep -q '^# yarn lockfile v1' yarn.lock
}

keep_manifests() {
  [ -f package.json ] || fail "there is no package.json in $1"
  manager "$1" >/dev/null
  find . -type f \
    ! -name package.json ! -name package-lock.json ! -name npm-shrinkwrap.json ! -name .npmrc \
    ! -name 'pnpm-*.yaml' ! -name '.pnpmfile.*' ! -name yarn.lock ! -name .yarnrc ! -name .yarnrc.yml \
    ! -path './.yarn/*' ! -path '*/patches/*' ! -path '*/prisma/schema*' ! -name 'prisma.config.*' -delete
  find . -type d -empty -delete
}

setup() {
  version=$(wanted)
  case "$(manager .)" in
    npm) tool=$version ;;
    pnpm) tool=${version:-pnpm@{{ pins.tools.pnpm }}} ;;
    yarn)
      tool=${version:-yarn@{{ pins.tools.yarn }}}
      if [ -z "$version" ] && ! is_yarn_classic && ! grep -qs '^yarnPath:' .yarnrc.yml; then
        fail 'the lockfile is of Yarn 2 or later: name its version in package.json ("packageManager": "yarn@4.x.y")'
      fi
      # npm knows Yarn 2 and later under another name.
      case $tool in yarn@[01].*) ;; *) tool="@yarnpkg/cli-dist@${tool#yarn@}" ;; esac
      ;;
  esac
  if [ -n "$tool" ]; then npm install --global --force --no-audit "$tool"; fi
}

install() {
  case "$(manager .)" in
    npm) npm ci --no-audit ;;
    pnpm) pnpm install --frozen-lockfile ;;
    yarn) if is_yarn_classic; then yarn install --frozen-lockfile --non-interactive; else yarn install --immutable; fi ;;
  esac
}

run() {
  script=$1
  shift
  case "$(manager .)" in
    npm) exec npm run "$script" -- "$@" ;;
    pnpm) exec pnpm run "$script" "$@" ;;
    yarn) exec yarn run "$script" "$@" ;;
  esac
}

build() {
  if node -e 'process.exit(require("./package.json").scripts?.build ? 0 : 1)'; then run build "$@"; fi
}

# The first of the scripts that is one call of node or of one of START_PROGRAMS, else what `main` names.
start_command() {
  node -e '
    const { main = "index.js", scripts = {} } = require("./package.json");
    const names = process.argv.length > 1 ? process.argv.slice(1) : ["start"];
    const programs = ["node", ...(process.env.START_PROGRAMS ?? "").split(" ").filter(Boolean)].join("|");
    const call = new RegExp("^((?:\\w+=[\\w.:/-]*\\s+)*)(" + programs + ")\\s+([\\w\\s.,:@=/-]+)$");
    const start = names.map((name) => call.exec(scripts[name]?.trim() ?? "")).find(Boolean);
    const [settings, program, rest] = start ? start.slice(1) : ["", "node", main];
    const file = rest.trim().split(/\s+/).at(-1);
    try { require.resolve(require("path").resolve(file)); } catch {
      console.error("\npackages: " + file + ", which should be started, is not there. Say in package.json what starts" +
        " the server: \"node FILE\" as scripts." + names[0] + ", or FILE as main.\n");
      process.exit(1);
    }
    console.log("#!/bin/sh\n" + settings + "exec " + (program === "node" ? "" : "node_modules/.bin/") + program + " " + rest);
  ' "$@"
}

prune() {
  case "$(manager .)" in
    npm) npm prune --omit=dev --no-audit ;;
    pnpm) pnpm prune --prod ;;
    yarn)
      if is_yarn_classic; then yarn install --production --frozen-lockfile --non-interactive --ignore-scripts --prefer-offline
      else yarn workspaces focus --all --production
      fi
      ;;
  esac
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
  keep-manifests) keep_manifests "$@" ;;
  setup | install | prune) "$command" ;;
  run | build) "$command" "$@" ;;
  start-command) start_command "$@" ;;
  exec) PATH="$PWD/node_modules/.bin:$PATH" exec "$@" ;;
  *) fail "unknown command '$command'" ;;
esac
