revision = "3f1c"


def upgrade():
    pass
