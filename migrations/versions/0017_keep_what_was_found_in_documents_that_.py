"""Keep what was found in documents that became drafts

Its sections and what was to be said of it stay beside the draft, so that they can be put into other
fields later. Safe while the old version runs: nothing that it knows is touched.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "imported_document",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("sections", json, nullable=False),
        sa.Column("warnings", json, nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case.id"], name=op.f("fk_imported_document_case_id_case")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_imported_document")),
    )


def downgrade() -> None:
    op.drop_table("imported_document")
