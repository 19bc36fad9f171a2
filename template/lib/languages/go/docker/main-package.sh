#!/bin/sh
{% from 'template/lib/text.jinja' import marker %}
{{ marker('#') }}
#
# main-package FOLDER: the folder of the program to run, in the module of this folder: FOLDER if it is there, else the
# root of the module, else the only program.
set -eu

if [ -d "$1" ]; then
  echo "$1"
  exit
fi
programs=$(go list -f '{% raw %}{{ if eq .Name "main" }}{{ .Dir }}{{ end }}{% endraw %}' ./...)
for program in $programs; do
  if [ "$program" = "$PWD" ]; then programs=$program; fi
done
if [ ! -d "$programs" ]; then
  printf '\nWhich program is to run? Put it into %s, or build with --build-arg MAIN=folder. There are:\n%s\n\n' \
    "$1" "$programs" >&2
  exit 1
fi
echo "$programs"
