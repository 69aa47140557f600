"""Keep what units are like, and how adoptions of their cases went

Readers find the cases that fit their unit, and see how many units took a case over and how many of
them it worked for. What was published before says nothing of its unit, and is a case that works
at home or a trial. Safe while the old version runs: what is added has a value without its help.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WORDS = {
    "organisation": {"size": 20, "layout": 20, "sector": 20},
    "feedback": {
        "written": 30, "outcome": 20, "level": 30, "size": 20, "layout": 20, "sector": 20,
    },
    "document": {"unit_level": 30, "replicability": 2},
}  # fmt: skip
NUMBERS = ("adopted", "effective")
OBJECTS = {"unit_path": "'[]'", "context": "'{}'"}


def upgrade() -> None:
    for table, columns in WORDS.items():
        for name, length in columns.items():
            column = sa.Column(name, sa.String(length), nullable=False, server_default="")
            op.add_column(table, column)
    op.add_column(
        "feedback",
        sa.Column("is_confirmed", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    for name in NUMBERS:
        column = sa.Column(name, sa.Integer(), nullable=False, server_default="0")
        op.add_column("document", column)
    for name, empty in OBJECTS.items():
        column = sa.Column(name, JSON, nullable=False, server_default=sa.text(empty))
        op.add_column("document", column)
    op.execute(
        "UPDATE document SET replicability ="
        " CASE kind WHEN 'case' THEN 'R1' WHEN 'pilot_lesson' THEN 'R0' ELSE '' END"
        " WHERE NOT is_harvested AND withdrawn_at IS NULL"
    )


def downgrade() -> None:
    for name in (*OBJECTS, *NUMBERS):
        op.drop_column("document", name)
    op.drop_column("feedback", "is_confirmed")
    for table, columns in WORDS.items():
        for name in columns:
            op.drop_column(table, name)
