"""Keep what the feeds have shown

A case that leaves the public channel has to appear there as deleted for good, and documents do not
say where a case was open before. The follower of the feeds fills the table from the journal.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "public_record",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stamped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("category", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_public_record")),
        sa.UniqueConstraint("place", name=op.f("uq_public_record_place")),
    )
    with op.batch_alter_table("public_record", schema=None) as batch_op:
        batch_op.create_index("ix_public_record_category", ["category", "place"], unique=False)
        batch_op.create_index("ix_public_record_kind", ["kind", "place"], unique=False)
        batch_op.create_index("ix_public_record_stamped", ["stamped_at", "place"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("public_record", schema=None) as batch_op:
        batch_op.drop_index("ix_public_record_stamped")
        batch_op.drop_index("ix_public_record_kind")
        batch_op.drop_index("ix_public_record_category")

    op.drop_table("public_record")
