"""Cases and pilot lessons for programs."""

from typing import Any
from uuid import UUID

from flask import Response, g

from hub.api import Blueprint
from hub.cases import schemas, service
from hub.cases.exporting.answers import exported
from hub.cases.importing import drafting
from hub.cases.models import Case, Remark
from hub.cases.service import register as registers
from hub.cases.shown import case_shown
from hub.cases.uploading import upload
from hub.database import transaction
from hub.identity import access
from hub.identity.errors import ScopeError
from hub.identity.models import REVIEWING, Scope
from hub.identity.service import audiences

blueprint = Blueprint(
    "cases_api", __name__, url_prefix="/api/v1", description="Cases and pilot lessons"
)

Answer = dict[str, Any]


def _may_read() -> None:
    """Let everybody in, yet no token that was made for other things."""
    if not g.actor.has_scope(Scope.READ):
        raise ScopeError(scope=Scope.READ.value)


reading = access.requires(_may_read, "anyone; tokens with scope read")


def _answer(case: Case) -> Answer:
    return {"id": case.id, "state": case.state}


def _listed(case: Case, title: str) -> Answer:
    more = {"kind": case.kind, "title": title, "rev": case.rev, "changed_at": case.changed_at}
    return _answer(case) | more


@blueprint.get("/cases")
@access.scope(Scope.READ)
@blueprint.response(200, schemas.Worklist)
def worklist() -> Answer:
    """List what the caller wrote, and what waits for their decision, last changed first."""
    return {
        "mine": [_listed(*row) for row in service.works_of(g.actor)],
        "queue": [_listed(*row) for row in service.queue_of(g.actor)],
    }


@blueprint.post("/cases")
@access.scope(Scope.WRITE)
@blueprint.arguments(schemas.NewCase)
@blueprint.response(201, schemas.Standing)
def create(values: Answer) -> Answer:
    """Begin a case or pilot lesson as a draft."""
    with transaction():
        return _answer(service.create(g.actor, values.pop("kind"), values))


@blueprint.get("/register")
@access.role(*registers.SEEING_ALL, *sorted(REVIEWING), scope=Scope.REVIEW)
@blueprint.arguments(schemas.RegisterPage, location="query")
@blueprint.response(200, schemas.Register)
def register(values: Answer) -> registers.Part:
    """Return what was decided about the cases of the caller's units, newest first."""
    return registers.register(g.actor, **values)


@blueprint.post("/imports")
@access.scope(Scope.WRITE)
@blueprint.arguments(schemas.Folding, location="query")
@blueprint.arguments(schemas.NewFile, location="files", content_type="multipart/form-data")
@blueprint.response(201, schemas.Imported)
def bring(options: Answer, values: Answer) -> Answer:
    """Make a draft of a document (multipart/form-data), or several of a sheet."""
    return drafting.shown(drafting.draft_file(g.actor, values["file"], folds=options["folds"]))


@blueprint.get("/cases/<uuid:case_id>")
@reading
@blueprint.response(200, schemas.Shown)
def show(case_id: UUID) -> Answer:
    """Return what is published, or, to its author and those whose step it is, what is at work."""
    return case_shown(case_id, g.actor)


@blueprint.get("/cases/<uuid:case_id>/export")
@reading
@blueprint.arguments(schemas.Export, location="query", unknown=None)
@blueprint.response(200)
def export(values: Answer, case_id: UUID) -> Response:
    """Return what is published as a file."""
    return exported(case_id, g.actor, values["format"])


@blueprint.patch("/cases/<uuid:case_id>")
@access.scope(Scope.WRITE)
@blueprint.arguments(schemas.CaseChanges)
@blueprint.response(200, schemas.Standing)
def edit(values: Answer, case_id: UUID) -> Answer:
    """Change some fields; null empties one. What was handed in goes back to secrecy review."""
    with transaction():
        return _answer(service.edit(g.actor, case_id, values, version=values.pop("version", None)))


@blueprint.get("/cases/<uuid:case_id>/files")
@reading
@blueprint.response(200, schemas.File(many=True))
def files(case_id: UUID) -> Answer:
    """List the files of a case, as `GET /cases/{id}` shows it to the same caller."""
    found: Answer = case_shown(case_id, g.actor)["attachments"]
    return found


@blueprint.post("/cases/<uuid:case_id>/files")
@access.scope(Scope.WRITE)
@blueprint.arguments(schemas.NewFile, location="files", content_type="multipart/form-data")
@blueprint.response(201, schemas.Standing)
def attach(values: Answer, case_id: UUID) -> Answer:
    """Attach a file (multipart/form-data); its type is found from its bytes."""
    return _answer(upload(g.actor, case_id, values["file"]))


@blueprint.delete("/cases/<uuid:case_id>/files/<sha256>")
@access.scope(Scope.WRITE)
@blueprint.response(200, schemas.Standing)
def detach(case_id: UUID, sha256: str) -> Answer:
    """Take a file off."""
    with transaction():
        return _answer(service.detach(g.actor, case_id, sha256))


@blueprint.post("/cases/<uuid:case_id>/submission")
@access.scope(Scope.WRITE)
@blueprint.arguments(schemas.Step)
@blueprint.response(200, schemas.Standing)
def submit(values: Answer, case_id: UUID) -> Answer:
    """Hand a draft in for secrecy review."""
    with transaction():
        return _answer(service.submit(g.actor, case_id, **values))


@blueprint.post("/cases/<uuid:case_id>/secrecy-review")
@access.scope(Scope.REVIEW)
@blueprint.arguments(schemas.SecrecyReview)
@blueprint.response(200, schemas.Standing)
def review_secrecy(values: Answer, case_id: UUID) -> Answer:
    """Decide, with grounds, whether the text may leave the unit."""
    with transaction():
        return _answer(service.review_secrecy(g.actor, case_id, **values))


@blueprint.post("/cases/<uuid:case_id>/approval")
@access.scope(Scope.REVIEW)
@blueprint.arguments(schemas.Approval)
@blueprint.response(200, schemas.Standing)
def approve(values: Answer, case_id: UUID) -> Answer:
    """Decide on the content, or, as a group editor, on a wider audience."""
    with transaction():
        return _answer(service.approve(g.actor, case_id, **values))


@blueprint.post("/cases/<uuid:case_id>/signature")
@access.scope(Scope.PUBLISH)
@blueprint.arguments(schemas.Step)
@blueprint.response(200, schemas.Standing)
def sign(values: Answer, case_id: UUID) -> Answer:
    """Freeze an approved revision."""
    with transaction():
        return _answer(service.sign(g.actor, case_id, **values))


@blueprint.post("/cases/<uuid:case_id>/publication")
@access.scope(Scope.PUBLISH)
@blueprint.arguments(schemas.Step)
@blueprint.response(200, schemas.Standing)
def publish(values: Answer, case_id: UUID) -> Answer:
    """Release a signed revision to its audience."""
    with transaction():
        return _answer(service.publish(g.actor, case_id, **values))


@blueprint.put("/cases/<uuid:case_id>/visibility")
@access.scope(Scope.PUBLISH)
@blueprint.arguments(schemas.Audience)
@blueprint.response(200, schemas.Standing)
def set_visibility(values: Answer, case_id: UUID) -> Answer:
    """Narrow the audience at once, or ask for a wider one."""
    with transaction():
        return _answer(service.set_visibility(g.actor, case_id, **values))


@blueprint.post("/cases/<uuid:case_id>/withdrawal")
@access.scope(Scope.PUBLISH)
@blueprint.arguments(schemas.Withdrawal)
@blueprint.response(200, schemas.Standing)
def withdraw(values: Answer, case_id: UUID) -> Answer:
    """Take a published case back everywhere."""
    with transaction():
        return _answer(service.withdraw(g.actor, case_id, **values))


@blueprint.get("/cases/<uuid:case_id>/questions")
@reading
@blueprint.response(200, schemas.Remarks)
def questions(case_id: UUID) -> Answer:
    """List what was asked about a case with the answers, as far as the caller may see it."""
    seen = audiences(g.actor)
    service.find_document(case_id, seen)
    said = service.beside(case_id, seen, g.actor)
    return {"questions": [one for one in said if one["type"] != Remark.ADOPTION]}


@blueprint.get("/cases/<uuid:case_id>/adoptions")
@reading
@blueprint.response(200, schemas.Adoptions)
def adoptions(case_id: UUID) -> Answer:
    """List what units report that took a case over, as far as the caller may see it."""
    seen = audiences(g.actor)
    service.find_document(case_id, seen)
    said = service.beside(case_id, seen, g.actor)
    return {"adoptions": [one for one in said if one["type"] == Remark.ADOPTION]}


@blueprint.post("/cases/<uuid:case_id>/adoptions")
@access.scope(Scope.WRITE)
@blueprint.arguments(schemas.NewAdoption)
@blueprint.response(201, schemas.Said)
def report(values: Answer, case_id: UUID) -> Answer:
    """Report how a case fared in one's unit; shown once it is cleared here and accepted there."""
    with transaction():
        return {"id": service.report(g.actor, case_id, **values)}


@blueprint.post("/cases/<uuid:case_id>/questions")
@access.scope(Scope.WRITE)
@blueprint.arguments(schemas.NewRemark)
@blueprint.response(201, schemas.Said)
def ask(values: Answer, case_id: UUID) -> Answer:
    """Ask the unit of a case; shown once it is cleared here and accepted there."""
    with transaction():
        return {"id": service.ask(g.actor, case_id, **values)}


@blueprint.post("/questions/<uuid:question_id>/answers")
@access.scope(Scope.WRITE)
@blueprint.arguments(schemas.NewRemark)
@blueprint.response(201, schemas.Said)
def answer(values: Answer, question_id: UUID) -> Answer:
    """Answer a question about a case of one's unit; once cleared, all see it who see that."""
    with transaction():
        return {"id": service.answer(g.actor, question_id, **values)}
