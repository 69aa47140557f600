"""Keep files, and which entries and drafts name them

Cases carry files from now on. Those that were published before have none. Safe while the old
version runs: what is added has a value without its help.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

LIST = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "stored_file",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_stored_file")),
    )
    op.create_table(
        "missing_file",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_missing_file")),
    )
    op.create_table(
        "entry_file",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "sha256", name=op.f("pk_entry_file")),
    )
    op.create_index(op.f("ix_entry_file_sha256"), "entry_file", ["sha256"])
    op.create_table(
        "case_file",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_case_file_case_id_case")),
        sa.PrimaryKeyConstraint("case_id", "number", "sha256", name=op.f("pk_case_file")),
    )
    op.create_index(op.f("ix_case_file_sha256"), "case_file", ["sha256"])
    op.add_column(
        "document", sa.Column("attachments", LIST, nullable=False, server_default=sa.text("'[]'"))
    )


def downgrade() -> None:
    op.drop_column("document", "attachments")
    for table in ("case_file", "entry_file", "missing_file", "stored_file"):
        op.drop_table(table)
