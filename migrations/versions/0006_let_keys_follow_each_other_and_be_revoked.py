"""Let keys follow each other, and be revoked

A key has a time from which it counts, and what a revocation leaves of it. A release under a revoked
key is held: it stays in the journal, and makes room for the one that is signed again.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STANDING: dict[str, Any] = {
    "sqlite_where": sa.text("is_held = 0"),
    "postgresql_where": sa.text("NOT is_held"),
}


def upgrade() -> None:
    document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    with op.batch_alter_table("node_key") as table:
        table.add_column(sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("revocation", document, nullable=True))
    with op.batch_alter_table("release") as table:
        held = sa.Column("is_held", sa.Boolean(), nullable=False, server_default=sa.false())
        table.add_column(held)
        table.drop_constraint("uq_release_iss", type_="unique")
        table.drop_constraint("uq_release_digest", type_="unique")
    with op.batch_alter_table("release") as table:
        table.alter_column("is_held", server_default=None)
        table.create_index("uq_release_digest", ["digest"], unique=True, **STANDING)
        place = ["iss", "channel", "epoch", "seq"]
        table.create_index("uq_release_place", place, unique=True, **STANDING)


def downgrade() -> None:
    # Without the column, what was held could not be told from what counts.
    held = "SELECT position FROM release WHERE is_held"
    op.execute(f"DELETE FROM log_item WHERE position IN ({held})")
    op.execute("DELETE FROM release WHERE is_held")
    with op.batch_alter_table("release") as table:
        table.drop_index("uq_release_place")
        table.drop_index("uq_release_digest")
    with op.batch_alter_table("release") as table:
        table.drop_column("is_held")
        table.create_unique_constraint("uq_release_digest", ["digest"])
        table.create_unique_constraint("uq_release_iss", ["iss", "channel", "epoch", "seq"])
    with op.batch_alter_table("node_key") as table:
        table.drop_column("revocation")
        table.drop_column("revoked_at")
        table.drop_column("not_before")
