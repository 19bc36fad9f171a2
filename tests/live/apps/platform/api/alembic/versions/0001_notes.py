from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    op.execute("CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL)")
    op.execute("CREATE INDEX ix_notes_title ON notes (title)")
