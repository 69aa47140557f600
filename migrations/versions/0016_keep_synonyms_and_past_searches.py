"""Keep synonyms, and what people searched for

Without rows a node uses the synonyms that it came with, and keeps what people search for until they
say otherwise. Safe while the old version runs: nothing that it knows is touched.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "synonym_list",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_synonym_list")),
    )
    op.create_table(
        "past_search",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(200), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_past_search_person_id_person")
        ),
        sa.PrimaryKeyConstraint("person_id", "text", name=op.f("pk_past_search")),
    )
    op.create_table(
        "unkept_searches",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_unkept_searches_person_id_person")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_unkept_searches")),
    )


def downgrade() -> None:
    for table in ("unkept_searches", "past_search", "synonym_list"):
        op.drop_table(table)
