#!/bin/sh
{% from 'template/lib/text.jinja' import marker %}
{{ marker('#') }}
#
#   project find NAME PATH     print the project to run: the one named, else the only web project, else that called NAME
#                              (PATH is for messages)
#   project keep-manifests     delete all but what the packages follow from
#   project restore PROJECT    download the packages; those of packages.lock.json, where there is one
#   project publish PROJECT FOLDER   build into FOLDER, with `server` as the name of the program
#   project bundle PROJECT FOLDER FILE   the migrations of FOLDER as one program, FILE
#   project lint | test        every check of the projects below this folder
set -eu

fail() {
  printf '\nproject: %s\n\n' "$1" >&2
  exit 1
}

find_project() {
  if [ -f "$1" ]; then echo "$1" && return; fi
  find . -name '*.csproj' ! -path '*/bin/*' ! -path '*/obj/*' -exec grep -l 'Microsoft\.NET\.Sdk\.Web' {} + | sort >/tmp/projects || true
  if [ "$(wc -l </tmp/projects)" -gt 1 ]; then
    grep -i "/$(printf '%s' "$1" | sed 's/[.-]/[.-]/g')[.]csproj\$" /tmp/projects >/tmp/named || true
    if [ -s /tmp/named ]; then mv /tmp/named /tmp/projects; fi
  fi
  case $(wc -l </tmp/projects) in
    0) fail "there is no project with Sdk=\"Microsoft.NET.Sdk.Web\" in $2" ;;
    1) cat /tmp/projects ;;
    *) fail "which project is to run? Build with --build-arg PROJECT=…; there are: $(tr '\n' ' ' </tmp/projects)" ;;
  esac
}

keep_manifests() {
  find . -type f ! -name '*.csproj' ! -name '*.fsproj' ! -name '*.vbproj' ! -name '*.props' ! -name '*.targets' \
    ! -name '*.sln' ! -name '*.slnx' ! -name global.json ! -iname nuget.config ! -name packages.lock.json \
    ! -name dotnet-tools.json -delete
  find . -type d -empty -delete
}

restore() {
  if [ -f "$(dirname "$1")/packages.lock.json" ]; then exec dotnet restore --locked-mode "$1"; else exec dotnet restore "$1"; fi
}

# The program has the project's name; a link with one name for all of them can stand in the image's CMD.
publish() {
  dotnet publish "$1" --configuration Release --output "$2" -p:UseAppHost=true -p:DebugType=none
  for settings in "$2"/*.runtimeconfig.json; do
    ln -s "$(basename "$settings" .runtimeconfig.json)" "$2/server"
  done
  [ -x "$2/server" ] || fail "$1 did not become a program"
}

# The migrations may be in another project than the one that runs: in the nearest above them.
bundle() {
  folder=$2
  while [ "$folder" != . ] && [ "$folder" != / ] && ! ls "$folder"/*.csproj >/dev/null 2>&1; do folder=$(dirname "$folder"); done
  dotnet ef migrations bundle --project "$folder" --startup-project "$1" --configuration Release --output "$3"
}

# Every command below restores the packages of the lock files, where there are some: MSBuild takes properties from here.
lock() {
  if find . -name packages.lock.json | grep -q .; then export RestoreLockedMode=true; fi
}

lint() {
  lock
  dotnet restore
  dotnet format --no-restore --verify-no-changes --severity warn
  dotnet list package --vulnerable --include-transitive >/tmp/vulnerable 2>&1 ||
    fail "the packages could not be looked up: $(cat /tmp/vulnerable)"
  cat /tmp/vulnerable
  if grep -q 'has the following vulnerable packages' /tmp/vulnerable; then fail 'packages with known vulnerabilities'; fi
}

# The global.json of this folder or of one above it, of which .NET takes the nearest, may choose another runner of tests.
# That one has reports as an extension.
tests() {
  lock
  folder=$PWD
  while [ ! -f "$folder/global.json" ] && [ "$folder" != / ]; do folder=$(dirname "$folder"); done
  if ! grep -qs 'Microsoft\.Testing\.Platform' "$folder/global.json"; then
    set -- --logger trx
  elif grep -rqs --include='*.*proj' --include='*.props' 'Microsoft\.Testing\.Extensions\.TrxReport' .; then
    set -- --report-trx
  fi
  exec dotnet test --configuration Release "$@" --results-directory "${REPORTS:-.}"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
  find) find_project "$@" ;;
  keep-manifests) keep_manifests ;;
  restore) restore "$1" ;;
  publish) publish "$@" ;;
  bundle) bundle "$@" ;;
  lint) lint ;;
  test) tests ;;
  *) fail "unknown command '$command'" ;;
esac
