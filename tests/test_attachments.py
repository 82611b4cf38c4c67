"""What `-a` reads, what it refuses in one line, and what of it a provider and the ledger get."""

import io
import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimodel_magic import attachments
from multimodel_magic.attachments import attached, attachment
from multimodel_magic.catalogue import Catalogue
from multimodel_magic.client import UnifiedLLMClient
from multimodel_magic.errors import Misconfigured, UsageError
from multimodel_magic.ledger import Ledger
from multimodel_magic.notebook.attaching import chosen, files
from multimodel_magic.notebook.completion import Vocabulary, offer
from multimodel_magic.notebook.options import parse_cell, request_from
from multimodel_magic.notebook.plan import plan
from multimodel_magic.providers.scripted import Echo, ScriptedProvider
from multimodel_magic.session import Session
from multimodel_magic.types import Attachment, Message, Request

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PICTURES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(20),
    "image/gif": b"GIF89a" + bytes(20),
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 " + bytes(20),
}


def one_line(caught):
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize(("kind", "data"), PICTURES.items())
def test_a_picture_is_known_by_its_bytes_whatever_its_name(kind, data, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(data)
    found = attachment(path)
    assert (found.name, found.media_type, found.data) == ("notes.txt", kind, data)
    assert found.sha256 == sha256(data).hexdigest()


def test_a_text_is_read_byte_for_byte(tmp_path):
    data = "\ufeffa,ü\r\n```x\t1\n\n".encode()
    (tmp_path / "a.csv").write_bytes(data)
    found = attachment(str(tmp_path / "a.csv"))
    assert (found.media_type, found.data) == ("text/plain", data)
    sent = Request("Sum up.", attachments=(found,)).spelled_out()
    assert sent.attachments == ()
    assert sent.prompt == f"Sum up.\n\na.csv:\n````\n{data.decode()}````"


@given(st.text(min_size=1))
def test_no_text_can_end_its_own_fence(text):
    sent = Request("?", attachments=(Attachment("a", "text/plain", text.encode()),)).spelled_out()
    fence = sent.prompt.split("\n")[3]
    assert set(fence) == {"`"}
    inside = sent.prompt.removeprefix(f"?\n\na:\n{fence}\n").removesuffix(fence)
    assert inside in {text, text + "\n"}
    assert fence not in inside


def test_one_thing_alone_is_attached_whole(tmp_path):
    file = tmp_path / "note.txt"
    file.write_text("read me")
    for alone in (str(file), file, b"read me"):
        assert [one.data for one in attached(alone)] == [b"read me"]


def test_what_cannot_be_attached_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7 ...")
    (tmp_path / "data.bin").write_bytes(b"\x00\x01\xfe")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for thing, said in {
        "paper.pdf": "paper.pdf: PDFs are not sent; attach the text, or the pages as pictures",
        "data.bin": "data.bin: is neither a picture (png, jpeg, gif, webp) nor UTF-8 text",
        "empty.txt": "empty.txt: is empty",
        "folder": "folder: is a folder; name its files one by one",
        "none.png": "none.png: no such file",
        "*.png": "*.png: no such file (patterns are not followed)",
        "https://x.org/a.png": (
            "https://x.org/a.png: addresses are not fetched; save it as a file first"
        ),
    }.items():
        with pytest.raises(UsageError) as caught:
            attachment(thing)
        assert one_line(caught) == said
    for thing in (3, None, {"a": 1}, "a\0b", "line\nline", "x" * 5000):
        with pytest.raises(UsageError) as caught:
            attachment(thing)
        assert len(one_line(caught)) < 300


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is no regular file"):
        attachment(tmp_path / "pipe")


def test_what_is_too_large_says_how_large_it_may_be(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_bytes(b"x" * (attachments.MOST_TEXT_BYTES + 1))
    (tmp_path / "a.png").write_bytes(PNG + bytes(attachments.MOST_PICTURE_BYTES))
    limits = "a picture may have 3.9 MB, a text 1 MB"
    with pytest.raises(UsageError, match=rf"a\.txt: is 1\.0 MB; {limits}"):
        attachment(tmp_path / "a.txt")
    with pytest.raises(UsageError, match=rf"a\.png: is 3\.9 MB; {limits}"):
        attachment(tmp_path / "a.png")
    monkeypatch.setattr(attachments, "MOST_ALL_BYTES", 300)
    with pytest.raises(UsageError, match="together"):
        attached([PNG, PNG])


def test_images_of_pil_and_figures_of_matplotlib_become_pngs():
    image = pytest.importorskip("PIL.Image").new("RGB", (4, 3), "red")
    found = attachment(image, "img")
    assert (found.name, found.media_type) == ("img", "image/png")
    figures = pytest.importorskip("matplotlib.figure")
    assert attachment(figures.Figure(), "fig").media_type == "image/png"

    class Saver:  # anything else with `save` is not called
        def save(self, *_args, **_more):
            raise AssertionError

    with pytest.raises(UsageError, match="is Saver, which cannot be attached"):
        attachment(Saver(), "x")


# --- what a word on the line means


def test_a_word_is_a_variable_or_a_file_and_both_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("1", encoding="utf-8")
    Path("data").write_text("2", encoding="utf-8")
    names = {"png": PNG, "where": Path("a.csv"), "also": "a.csv", "data": b"3"}
    found = chosen(["png", "@where", "also", "a.csv", "@data", "./data"], names)
    assert [(one.name, one.data[:1]) for one in found] == [
        ("png", b"\x89"),
        ("a.csv", b"1"),
        ("a.csv", b"1"),
        ("a.csv", b"1"),
        ("data", b"3"),
        ("data", b"2"),
    ]
    with pytest.raises(UsageError) as caught:
        chosen(["data"], names)
    assert one_line(caught) == ("--attach: data is a variable and a file: write @data or ./data")
    with pytest.raises(UsageError, match=r"--attach: there is no variable 'pgn'; did you mean 'pn"):
        chosen(["@pgn"], names)


def test_completion_lists_files_as_they_are_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "b.png", ".hidden", "sub/c.png"):
        (tmp_path / name).write_bytes(PNG)
    assert files("") == ["a.png", "b.png", "sub/"]
    assert files("sub/") == ["sub/c.png"]
    assert files(".h") == [".hidden"]
    assert files("none/") == []


def test_the_option_completes_variables_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chart.png").write_bytes(PNG)
    vocabulary = Vocabulary(namespace={"cities": [], "_hidden": 1})
    line = "%%llm fast -a c"
    found = offer(line, 0, len(line), lambda: vocabulary)
    assert found.words == ("cities", "chart.png")
    line = "%%llm fast -a chart.png --on-break "
    assert offer(line, 0, len(line), Vocabulary).words == ("restart", "keep", "fail")


def test_the_option_may_be_given_again():
    options = parse_cell("fast -a a.png --attach 'my file.csv' --max-tokens 5")
    assert (options.attach, options.max_tokens) == (("a.png", "my file.csv"), 5)


# --- on its way


def picture(name="a.png"):
    return attachment(PNG, name)


def test_a_picture_needs_vision_by_itself_also_in_the_history():
    assert Request("?", attachments=(picture(),)).needs == {"vision"}
    turn = Message("user", "?", (picture(),))
    assert Request("?", history=(turn,), needs=frozenset({"json"})).needs == {"json", "vision"}
    assert Request("?", attachments=(attachment(b"text"),)).needs == frozenset()


def test_attachments_count_in_the_estimate():
    plain = Request("?").estimated_input_tokens()
    seen = Request("?", attachments=(picture(), attachment(b"x" * 400))).estimated_input_tokens()
    assert seen == plain + 1600 + 100


async def test_who_sees_nothing_is_left_out_with_the_reason():
    client = UnifiedLLMClient({"scripted": ScriptedProvider()})
    request = Request("?", models=("local:smollm2", "scripted:echo"), attachments=(picture(),))
    route = await client.route(request)
    assert route.models == ("scripted:echo",)
    assert ("local:smollm2", "no vision") in [(out.model, out.why) for out in route.left_out]
    with pytest.raises(Misconfigured, match="local:smollm2: no vision"):
        await client.route(Request("?", models=("local:smollm2",), attachments=(picture(),)))


def session():
    provider = ScriptedProvider({"m": [[Echo("")]]}, name="a")
    client = UnifiedLLMClient({"a": provider}, catalogue=Catalogue(providers=frozenset({"a"})))
    return Session(client, ledger=Ledger(":memory:")), provider


def test_the_ledger_keeps_name_type_size_and_hash_and_no_bytes():
    llm, provider = session()
    text = attachment(b"secret,canary-4711", "a.csv")
    response = llm.client.generate_sync("Sum up.", "a:m", attachments=[text, picture()])
    sent = provider.requests[0][1]
    assert sent.prompt.endswith("a.csv:\n```\nsecret,canary-4711\n```")
    assert [one.data for one in sent.attachments] == [PNG]
    assert response.request.prompt == "Sum up."
    row = llm.ledger.request(response.request_id).request
    assert row.prompt == "Sum up."
    kept = json.loads(json.loads(row.labels)["attachments"])
    assert kept == [
        {
            "name": one.name,
            "media_type": one.media_type,
            "bytes": len(one.data),
            "sha256": sha256(one.data).hexdigest(),
        }
        for one in (text, picture())
    ]
    everything = io.StringIO()
    llm.df.to_csv(everything)
    assert "canary-4711" not in everything.getvalue().replace(response.text, "")
    assert "canary-4711" not in repr(response.request)


def test_a_conversation_goes_on_with_what_was_attached():
    llm, provider = session()
    request = Request("What is it?", models=("a:m",), attachments=(picture(), attachment(b"note")))
    llm.remember(llm.client.generate_sync(request), thread="t")
    llm.client.generate_sync(Request("And now?", models=("a:m",), history=llm.thread("t")))
    turn = provider.requests[-1][1].history[0]
    assert turn.text == "What is it?\n\nbytes:\n```\nnote\n```"
    assert [one.data for one in turn.attachments] == [PNG]


async def test_a_dry_run_names_what_is_attached_and_what_the_budget_says():
    llm, _ = session()
    options = parse_cell("-m a:m --budget $0.05 -a png")
    request = request_from(options, "?", attachments=chosen(options.attach, {"png": PNG}))
    said = str(await plan(llm.client, request))
    assert "png" in said
    assert "image/png" in said
    assert "about 1,600" in said
    assert "the price of a:m is unknown, so the budget per call does not allow it" in said
