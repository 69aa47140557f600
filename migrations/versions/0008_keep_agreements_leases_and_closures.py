"""Keep agreements, leases and closures of partners

What an agreement covers stands beside its end date; what stands so far covers everything. A lease
counts from the last contact, so that an upgrade hides nothing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "hiding",
        sa.Column("enterprise", sa.String(length=63), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("enterprise", "reason", name=op.f("pk_hiding")),
    )
    for table in ("invitation", "peer"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("categories", JSON, nullable=False, server_default="[]"))
            batch_op.add_column(
                sa.Column("shares_public", sa.Boolean(), nullable=False, server_default=sa.true())
            )
    with op.batch_alter_table("peer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("closure", JSON, nullable=True))
    op.execute("UPDATE peer SET polled_at = seen_at")


def downgrade() -> None:
    with op.batch_alter_table("peer", schema=None) as batch_op:
        batch_op.drop_column("closure")
        batch_op.drop_column("polled_at")
    for table in ("peer", "invitation"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("shares_public")
            batch_op.drop_column("categories")
    op.drop_table("hiding")
