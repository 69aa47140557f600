"""Bound what is held back of one peer

The size of each item, what had no room, and an index to count entries by their type.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOST_KEPT = 512 * 1024  # Characters of an item that were kept until now.


def upgrade() -> None:
    op.create_table(
        "quarantine_loss",
        sa.Column("peer", sa.String(length=255), nullable=False),
        sa.Column("items", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("peer", name=op.f("pk_quarantine_loss")),
    )
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entry_type"), ["type"], unique=False)

    with op.batch_alter_table("quarantined", schema=None) as batch_op:
        batch_op.add_column(sa.Column("size", sa.Integer(), nullable=True))
    op.execute("UPDATE quarantined SET size = length(raw)")
    # Of these only the beginning was kept, so they can't be tried again.
    op.execute(
        sa.text(
            "UPDATE quarantined SET size = size + 1, is_parked = :no WHERE size >= :most"
        ).bindparams(sa.bindparam("no", False, sa.Boolean()), most=MOST_KEPT)
    )
    with op.batch_alter_table("quarantined", schema=None) as batch_op:
        batch_op.alter_column("size", existing_type=sa.Integer(), nullable=False)
        batch_op.create_index("ix_quarantined_peer", ["peer", "is_parked", "size"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("quarantined", schema=None) as batch_op:
        batch_op.drop_index("ix_quarantined_peer")
        batch_op.drop_column("size")

    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entry_type"))

    op.drop_table("quarantine_loss")
