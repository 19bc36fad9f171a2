from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    op.execute("CREATE TABLE bill (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number text NOT NULL)")
    op.execute("CREATE INDEX ix_bill_number ON bill (number)")
