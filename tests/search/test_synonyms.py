"""Words that mean the same: the list, who edits it, and what it finds."""

import pytest

from hub.audit import service as audit
from hub.config import of_this_node
from hub.database import db, transaction
from hub.identity.models import EVERYBODY, Role
from hub.search import service, synonyms
from hub.search.follower import follow_once
from hub.search.models import SynonymList
from hub.search.synonyms import KeptSynonyms, Synonyms, SynonymsError, parse
from tests.factories import make_person
from tests.pages import csrf_token, sign_in, submit
from tests.search.published import publish

PAGE = "/admin/search/synonyms"
STRANGERS = frozenset({EVERYBODY})


def total(text: str) -> int | None:
    db.session.rollback()
    found = service.search(text, audiences=STRANGERS)
    return 0 if found.is_loosened else found.total


def test_the_list_of_this_version_is_right():
    groups = parse(synonyms.default())

    assert len(groups) >= 40
    assert ("党建",) in next(group for group in groups if ("党的建设",) in group)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("党建", "Line 1: a group needs 2 to 8 terms"),
        ("党建 =", "Line 1: “” is too short"),
        ("党建 = 党", "Line 1: “党” is too short"),
        ("党建 = ，。", "Line 1: “，。” is too short"),
        ("党建 = 党建", "Line 1: “党建” is in line 1 already"),
        ("党建 = 黨建", "Line 1: “黨建” is in line 1 already"),
        ("党建 = 党的建设\n\n# 说明\n国企 = 党建", "Line 4: “党建” is in line 1 already"),
        ("党建 = " + "长" * 31, "Line 1: “" + "长" * 30 + "…” is too long"),
        ("党建 = a b c d e", "Line 1: “a b c d e…” is too long"),
        (" = ".join(f"党建{n}" for n in range(9)), "Line 1: a group needs 2 to 8 terms"),
        ("长" * 60_001, "Line 1: a list has at most 60000 characters"),
    ],
)
def test_what_can_t_be_used_is_told_with_its_line(text, told):
    with pytest.raises(SynonymsError) as refused:
        parse(text)

    assert str(refused.value.problems[0]).startswith(told)


def test_too_many_groups_are_refused():
    with pytest.raises(SynonymsError, match="1 of its lines"):
        parse("\n".join(f"甲{n} = 乙{n}" for n in range(1_001)))


def test_remarks_empty_lines_and_wide_signs_are_no_errors():
    assert parse("# 说明\n\n党建 ＝ 党的建设  # 全称\n") == [(("党建",), ("党的建设",))]
    assert parse("") == []


def test_the_longest_term_counts_and_parts_of_words_stay_themselves():
    known = Synonyms(
        parse("支部书记 = 支书\n团支部书记 = 团支书\n党建 = 党的建设 = Party building")
    )

    assert known.of(("团支部书记",)) == (("团支部书记",), ("团支书",))
    assert known.of(("老支部书记",)) == (("老支部书记",), ("老支书",))
    assert known.of(("书记",)) == (("书记",),)
    assert ("国企", "party", "building", "品牌") in known.of(("国企党建品牌",))


def test_ways_are_bounded():
    known = Synonyms(parse("党建 = 党的建设 = 党内建设\n国企 = 国有企业"))

    assert len(known.of(("党建国企" * 50,))) <= synonyms.MOST_WAYS


def fill() -> None:
    publish("国有企业党的建设", "条条落实。")
    publish("班组", "甲方的做法。")
    follow_once()


@pytest.fixture
def library(node):
    fill()


def test_synonyms_find_each_other_without_a_new_index(library):
    assert (total("党建"), total("国企党建"), total("乙方的做法")) == (1, 1, 0)

    with transaction():
        synonyms.change("甲方 = 乙方", by=None)
    of_this_node(KeptSynonyms).forget()

    assert total("乙方的做法") == 1
    assert total("国企党建") == 0


def test_another_process_sees_a_change_after_a_while(library, monkeypatch):
    assert total("乙方的做法") == 0
    with transaction():
        synonyms.change("甲方 = 乙方", by=None)
    assert total("乙方的做法") == 0

    monkeypatch.setattr(synonyms, "FRESH", -1.0)
    assert total("乙方的做法") == 1


def test_lines_that_a_later_version_can_t_use_break_no_search(library):
    with transaction():
        db.session.add(
            SynonymList(name="search", text="甲方 = 乙方\n党", changed_at=synonyms.clock.now())
        )
    of_this_node(KeptSynonyms).forget()

    assert total("乙方的做法") == 1


@pytest.fixture
def administrator(site):
    with site.app_context():
        fill()
        with transaction():
            make_person("admin", Role.ADMINISTRATOR)
            make_person("editor", Role.GROUP_EDITOR, Role.SECURITY_OFFICER)
    return sign_in(site, "admin")


def test_an_administrator_edits_the_list_and_that_is_on_record(site, administrator):
    assert "国有企业" in administrator.get(PAGE).text
    assert PAGE in administrator.get("/admin").text

    assert submit(administrator, PAGE, text="甲方 = 乙方\r\n# 说明").status_code == 303

    page = administrator.get(PAGE)
    assert "甲方 = 乙方\n# 说明" in page.text
    assert "Go by the list of this version again" in page.text
    assert site.test_client().get("/api/v1/search?q=乙方的做法").json["total"] == 1
    with site.app_context():
        recorded = audit.entries(subject="synonyms")[0]
    assert (recorded.action, recorded.detail["added"]) == ("synonyms.changed", ["甲方 = 乙方"])
    assert recorded.detail["groups"] == 1
    assert len(recorded.detail["removed"]) == synonyms.MOST_PROBLEMS
    assert recorded.actor_id is not None


@pytest.mark.on_both
def test_the_list_of_this_version_can_be_restored(site, administrator):
    submit(administrator, PAGE, text="甲方 = 乙方")

    submit(administrator, PAGE, f"{PAGE}/restoration")

    assert "国有企业" in administrator.get(PAGE).text
    assert "Go by the list of this version again" not in administrator.get(PAGE).text
    with site.app_context():
        assert audit.entries(subject="synonyms")[0].action == "synonyms.restored"


def test_a_wrong_list_is_shown_again_with_each_reason_and_changes_nothing(site, administrator):
    page = submit(administrator, PAGE, text="国企 = 企\n<bb>\n党建 = 党的建设")

    assert page.status_code == 400
    assert "2 of its lines" in page.text
    assert "Line 1: “企” is too short" in page.text
    assert "Line 2: a group needs" in page.text
    assert "&lt;bb&gt;" in page.text
    with site.app_context():
        assert not synonyms.is_edited()
        assert audit.entries(subject="synonyms") == []


@pytest.mark.parametrize("address", [PAGE, f"{PAGE}/restoration"])
def test_nobody_else_edits_the_list(site, administrator, address):
    editor = sign_in(site, "editor")
    proof = csrf_token(editor.get("/me"))

    assert (
        editor.post(address, data={"csrf_token": proof, "text": "甲方 = 乙方"}).status_code == 403
    )
    assert editor.get(PAGE).status_code == 403
    with site.app_context():
        assert not synonyms.is_edited()
