"""Where application source changes the database schema by itself: it runs migrations, or creates tables from models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from trimtab.audit.facts import model as m

# (tool, action, languages, words that the file must hold, what does it); a search for words is the quicker one
_CALLS = tuple(
    (tool, action, frozenset(families.split()), words.split(), re.compile(pattern))
    for tool, action, families, words, pattern in (
        ("sqlx", "up", "rust", "sqlx migrate!(", r"\bmigrate!\("),
        ("diesel", "up", "rust", "run_pending_migrations(", r"\brun_pending_migrations\("),
        ("sea-orm", "up", "rust", "Migrator::up(", r"\bMigrator::up\("),
        ("alembic", "up", "python", "alembic command.upgrade(", r"\bcommand\.upgrade\("),
        ("SQLAlchemy's create_all", "create", "python", "create_all", r"\b(?:metadata|db)\.create_all\b"),
        ("knex", "up", "javascript", ".migrate.latest(", r"\.migrate\.latest\("),
        ("typeorm", "up", "javascript", "typeorm migrationsRun", r"\bmigrationsRun\s{0,9}:\s{0,9}true\b"),
        ("typeorm", "up", "javascript", "typeorm runMigrations(", r"\.runMigrations\("),
        ("synchronize: true", "create", "javascript", "synchronize", r"\bsynchronize\s{0,9}:\s{0,9}true\b"),
        ("Sequelize's sync", "create", "javascript", "sequelize.sync(", r"\bsequelize\.sync\("),
        ("golang-migrate", "up", "go", "golang-migrate migrate.New", r"\bmigrate\.New\w*\("),
        ("goose", "up", "go", "goose.Up", r"\bgoose\.Up\w*\("),
        ("GORM's AutoMigrate", "create", "go", ".AutoMigrate(", r"\.AutoMigrate\("),
        ("ef", "up", "csharp", "Database.Migrate", r"\bDatabase\.Migrate(?:Async)?\("),
        ("EF's EnsureCreated", "create", "csharp", "EnsureCreated", r"\bDatabase\.EnsureCreated(?:Async)?\("),
    )
)
_HIBERNATE = re.compile(r"(?:^|\.)(?:hibernate\.ddl-auto|hbm2ddl\.auto|hibernate-orm\.database\.generation)$")


def calls(code: str, family: str, path: str, line_of: Callable[[int], int]) -> Iterator[m.SchemaCall]:
    """Each place in a source file without comments that changes the schema."""
    for tool, action, families, words, pattern in _CALLS:
        if family in families and all(word in code for word in words):
            for match in pattern.finditer(code):
                yield m.SchemaCall(tool, action, m.Place(path, line_of(match.start())))


def of_property(key: str, value: str, place: m.Place) -> Iterator[m.SchemaCall]:
    """The call that a Spring or Quarkus property stands for."""
    if _HIBERNATE.search(key) and value in ("update", "create", "create-drop", "drop-and-create"):
        yield m.SchemaCall(f"Hibernate's ddl-auto {value}", "create", place)
