{% from 'template/lib/text.jinja' import marker %}
{{ marker('#') }}
"""Print the WSGI application of this folder, such as `shop.wsgi:application` or `shop:create_app()`.

The variable WSGI decides if it is set. Otherwise files are read in the order below, and nothing of them is run.
"""

import ast
import os
import sys
from pathlib import Path

PLACES = ("wsgi.py", "*/wsgi.py", "app.py", "main.py", "*/__init__.py", "*/app.py", "*/main.py")
NAMES = ("application", "app")
MAKERS = ("Flask", "get_wsgi_application", "create_app", "make_app")


def called(value: ast.expr) -> str:
    """The name of what an expression calls: `Flask` for `flask.Flask(__name__)`."""
    while isinstance(value, ast.Call):
        value = value.func
    return getattr(value, "attr", getattr(value, "id", ""))


def found(file: Path) -> str | None:
    """What one file has: an application, or else a function that makes one."""
    names, functions = [], []
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.Assign) and called(node.value) in MAKERS:
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.ImportFrom) and file.stem == "wsgi":
            names += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.FunctionDef) and node.name in MAKERS:
            functions.append(f"{node.name}()")
    usual = [name for name in NAMES if name in names]
    return (usual + functions + [None])[0]


def search() -> str:
    """The first application in the usual places; exits if there is none."""
    for place in PLACES:
        for file in sorted(Path().glob(place)):
            if name := found(file):
                module = [part for part in file.with_suffix("").parts if part != "__init__"]
                return f"{'.'.join(module)}:{name}"
    sys.exit(f"\nThere is no WSGI application in {', '.join(PLACES)}: build with --build-arg WSGI=module:name.\n")


print(os.environ.get("WSGI") or search())
