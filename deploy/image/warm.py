"""Compile what a running service imports, wherever it stands, and no more.

On a read-only file system every start and every health check would compile anew, and bytecode
of all that is installed takes twice the room. It is not checked against its source again: an
image does not change.
"""

import importlib
import pkgutil
import py_compile
import sys

import model
import service

# Imported when they are first wanted, or by name.
LATER = (
    "gunicorn.app.wsgiapp",
    "gunicorn.glogging",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "urllib.request",
    "yaml",
)
# What needs packages that the image has not, or runs when it is imported.
LEFT_OUT = (
    "model.__main__",
    "model.export",
    "model.signature",
    "service.__main__",
    "service.spans",
)


def main() -> None:
    """Import, then compile every module that is there now."""
    for package in (model, service):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name not in LEFT_OUT:
                importlib.import_module(found.name)
    for name in LATER:
        importlib.import_module(name)
    for module in list(sys.modules.values()):
        source = getattr(module, "__file__", None) or ""
        if source.endswith(".py"):
            py_compile.compile(
                source,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )


if __name__ == "__main__":
    main()
