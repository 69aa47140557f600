"""Let feedback be cleared by another person than said it

A question or an answer leaves its unit after secrecy review only, and nobody reviews their own: so
who said it is kept on this node. What was said before was sent already and needs nobody.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("feedback") as batch:
        batch.add_column(sa.Column("person_id", sa.Uuid(), nullable=True))
        batch.create_foreign_key(
            batch.f("fk_feedback_person_id_person"), "person", ["person_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("feedback") as batch:
        batch.drop_constraint(batch.f("fk_feedback_person_id_person"), type_="foreignkey")
        batch.drop_column("person_id")
