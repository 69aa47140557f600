"""Harvest those who have no node

The sources, what became of each of their items, and a mark on documents that nobody signed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "harvest_source",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("set_name", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reached", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_partial", sa.Boolean(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_harvest_source")),
        sa.UniqueConstraint("url", "set_name", name=op.f("uq_harvest_source_url")),
    )
    op.create_table(
        "harvested",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("identifier", sa.String(length=500), nullable=False),
        sa.Column("datestamp", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.String(length=36), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("missing_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["harvest_source.id"], name=op.f("fk_harvested_source_id_harvest_source")
        ),
        sa.PrimaryKeyConstraint("source_id", "identifier", name=op.f("pk_harvested")),
    )
    op.create_index(op.f("ix_harvested_document_id"), "harvested", ["document_id"])
    with op.batch_alter_table("document") as table:
        mark = sa.Column("is_harvested", sa.Boolean(), nullable=False, server_default=sa.false())
        table.add_column(mark)
    with op.batch_alter_table("document") as table:
        table.alter_column("is_harvested", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("document") as table:
        table.drop_column("is_harvested")
    op.drop_table("harvested")
    op.drop_table("harvest_source")
