"""The texts: what is in them, how they are split, and that they are the same everywhere."""

import ast
import hashlib
import os
import random
import socket
import struct
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncourse import corpora, stump
from rnncourse.corpora import LOCALES, first_names, overlap, python_docs, python_files, python_source, stump_speeches, trump_speeches

TRAIN, HELD_OUT = first_names()
BODY = "".join(f"Line {i:05}, and we will win.\r\n" for i in range(1_000)).encode("utf-8-sig")  # stands for the file of the speeches
REAL = os.environ.get("RNNCOURSE_SPEECHES")


def test_every_language_has_as_many_names():
    assert Counter(language for _, language in TRAIN) == dict.fromkeys(LOCALES, 120)
    assert Counter(language for _, language in HELD_OUT) == dict.fromkeys(LOCALES, 30)


def test_no_name_stands_twice_so_no_name_is_in_two_languages_or_in_both_parts():
    names = [name for name, _ in TRAIN + HELD_OUT]
    assert len(set(names)) == len(names) == 1800


def test_names_are_written_with_a_to_z():
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz") and len(name) > 1 for name, _ in TRAIN + HELD_OUT)


def test_a_name_that_two_languages_share_is_left_out():
    assert not {"maria", "anna", "ana", "laura"} & {name for name, _ in TRAIN + HELD_OUT}


def test_the_names_are_the_same_on_every_machine():
    assert first_names() == (TRAIN, HELD_OUT)
    digest = hashlib.sha256(repr((TRAIN, HELD_OUT)).encode()).hexdigest()
    assert digest.startswith("6aed0a94b90e4346"), "another version of Faker? The numbers of Lab 1 rest on these names"


def test_a_smaller_part_is_the_beginning_of_the_larger():
    small, _ = first_names(train=10, held_out=5)
    assert set(small) < set(TRAIN) and len(small) == 120


def test_more_names_than_there_are_is_refused():
    with pytest.raises(ValueError, match="expected at most .* for Czech, got 2000"):
        first_names(train=1900, held_out=100)


def test_overlap_is_solved_by_eye():
    assert overlap("abcd", "bcde", width=2) == pytest.approx(2 / 3)  # bc and cd, but not de
    assert overlap("abab", "ababz", width=2) == 3 / 4  # ab counts twice, as it stands twice
    assert overlap("one\ntwo\n", "two\nthree\ntwo\nfour\n", width=None) == 1 / 2


@given(st.text("ab\n", max_size=30), st.text("ab\n", min_size=4, max_size=30), st.integers(1, 4))
def test_overlap_counts_what_a_search_finds(train, held_out, width):
    windows = [held_out[i : i + width] for i in range(len(held_out) - width + 1)]
    assert overlap(train, held_out, width) == pytest.approx(sum(window in train for window in windows) / len(windows))


def test_a_text_overlaps_wholly_with_itself_and_not_with_another_alphabet():
    text = "".join(random.Random(0).choices("abc", k=500))
    assert overlap(text, text) == 1 and overlap(text, text.upper()) == 0


@pytest.mark.parametrize(("text", "width"), [("short", 60), ("\n\n", None)])
def test_a_text_without_a_window_or_a_line_has_no_overlap(text, width):
    with pytest.raises(ValueError, match="held_out: expected at least"):
        overlap("a long text", text, width)


def test_speeches_are_sentences_of_the_grammar_one_a_line():
    train, held_out = stump_speeches(train=50, held_out=20)
    assert [part.count("\n") for part in (train, held_out)] == [50, 20] and train.endswith("\n")
    assert all(stump.grammar().parses(line) == 1 for line in (train + held_out).splitlines())


def test_a_seed_changes_the_training_speeches_alone_and_fewer_are_the_beginning_of_more():
    (a, test), (b, same) = stump_speeches(300, 30, seed=1), stump_speeches(300, 30, seed=2)
    assert test == same and overlap(a, b, None) < 0.5
    assert all(more.startswith(fewer) for more, fewer in zip((a, test), stump_speeches(100, 10, seed=1), strict=True))


@pytest.mark.parametrize("seed", [corpora.HELD_OUT_SEED, -corpora.HELD_OUT_SEED])
def test_nobody_trains_on_the_held_out_speeches(seed):
    with pytest.raises(ValueError, match="seed: expected another one"):
        stump_speeches(seed=seed)


def test_few_held_out_speeches_are_seen_in_training():
    train, held_out = stump_speeches()
    assert 800_000 < len(train) < 1_300_000 and 80_000 < len(held_out) < 130_000 and set(held_out) <= set(train)
    assert 0.005 < overlap(train, held_out, None) < 0.035
    assert overlap(stump_speeches(40_000)[0], held_out, None) < 0.05


def test_sources_are_whole_files_of_this_python():
    train, held_out = python_files()
    names = [name for name, _ in train + held_out]
    assert len(set(names)) == len(names) > 90 and len(held_out) >= 7
    assert not {"test", "tests", "site-packages", "encodings"} & {part for name in names for part in name.split("/")}
    assert not [name for name in names if "\\" in name or Path(name).is_absolute()]
    for name, text in train[:10] + held_out:
        ast.parse(text, name)  # whole, and still Python after its tabs and accents are gone


def test_sources_are_printable_ascii_and_split_alike_everywhere():
    train, held_out = python_source()
    assert set(held_out) <= set(train) <= {*map(chr, range(32, 127)), "\n"}
    assert 2_000_000 <= len(train) < 2_080_000 and 200_000 < len(held_out) < 260_000
    assert {"heapq.py", "optparse.py", "asyncio/tasks.py"} <= {name for name, _ in python_files()[1]}  # the same in 3.11, 3.12 and 3.13
    assert 0.0005 < overlap(train, held_out) < 0.006


def test_fewer_sources_are_the_first_ones_with_the_same_held_out():
    (few, held_out), (many, same) = python_files(300_000), python_files(600_000)
    assert held_out == same and many[: len(few)] == few and 300_000 <= sum(len(text) for _, text in few) < 380_000


def test_more_sources_than_there_are_or_none_at_all_are_named(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=r"characters: expected at most \d+, got 1000000000"):
        python_files(10**9)
    monkeypatch.setattr(corpora.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(FileNotFoundError, match="expected the sources of Python's library"):
        python_files()


def test_encodings_line_ends_tabs_and_strangers_do_not_matter(monkeypatch, tmp_path):
    text = "# -*- coding: latin-1 -*-\r\nif 1:\r\n\tname = 'caf\xe9'\f\r\n" + "# filler\r\n" * 500
    for name in ("json/decoder.py", "json/test/decoder.py", "site-packages/heapq.py", "stranger.py", "_sysconfigdata_x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    monkeypatch.setattr(corpora.sysconfig, "get_path", lambda name: str(tmp_path))
    ((name, found),), held_out = python_files(1_000)
    assert name == "json/decoder.py" and not held_out
    assert found.startswith("# -*- coding: latin-1 -*-\nif 1:\n    name = 'caf?'\n# filler\n")


def test_docs_without_their_repeats_hardly_overlap_and_with_them_half_does():
    train, held_out = python_docs()
    assert 290_000 < len(train) < 360_000 and len(held_out) == pytest.approx(len(train) / 9, abs=20)
    assert overlap(train, held_out) < 0.04 and "--+" not in train + held_out
    every, tenth = python_docs(repeats=True)
    assert 0.45 < overlap(every, tenth) < 0.65 and len(every) > 1.2 * len(train)


def test_every_tenth_of_100_blocks_is_held_out():
    text = "".join(chr(200 + i) * 7 for i in range(100))
    train, held_out = corpora._blocks(text)
    assert held_out == "".join(chr(200 + i) * 7 for i in range(5, 100, 10)) and len(train) == 630
    assert sorted(train + held_out) == sorted(text)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server that breaks in every way its paths name, an empty cache folder, and a checksum for its file."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked += 1
            if self.path == "/missing":
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY) + (self.path == "/short")))
            self.end_headers()
            self.wfile.write({"/reset": BODY[:500], "/other": BODY[::-1]}.get(self.path, BODY))
            if self.path == "/reset":
                self.wfile.flush()
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(self.connection.detach())  # a reset, no orderly end

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.folder = 0, tmp_path / "cache"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("RNNCOURSE_SPEECHES", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda project: server.folder)
    monkeypatch.setattr(corpora, "SPEECHES_URL", f"http://127.0.0.1:{server.server_port}/good")
    monkeypatch.setattr(corpora, "SPEECHES_SHA256", hashlib.sha256(BODY).hexdigest())
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_happens_once_and_only_when_asked_for(server):
    with pytest.raises(FileNotFoundError, match="download=True fetches it. By hand: save .* RNNCOURSE_SPEECHES"):
        trump_speeches()
    assert server.asked == 0
    train, held_out = trump_speeches(download=True)
    assert server.asked == 1 and [file.name for file in server.folder.iterdir()] == ["speeches.txt"]
    assert train.startswith("Line 00000, and we will win.\nLine 00001") and "\r" not in train + held_out
    server.shutdown()
    server.server_close()
    assert trump_speeches() == trump_speeches(download=True) == (train, held_out)


@pytest.mark.parametrize(("path", "reason"), [("/missing", "404"), ("/other", "hash"), ("/short", "IncompleteRead"), ("/reset", "reset")])
def test_a_download_that_fails_says_what_to_do_and_leaves_no_file(server, monkeypatch, path, reason):
    monkeypatch.setattr(corpora, "SPEECHES_URL", corpora.SPEECHES_URL.replace("/good", path))
    with pytest.raises(OSError, match=rf"(?s)the download of http.* failed, and nothing of it is kept: .*{reason}.* By hand: .*sha256"):
        trump_speeches(download=True)
    assert server.asked == 1 and not list(server.folder.iterdir())


def test_without_a_network_the_error_says_what_to_do(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match="(?s)nothing of it is kept: .*refused.* By hand: save"):
        trump_speeches(download=True)
    assert not list(server.folder.iterdir())


def test_a_full_disk_leaves_no_half_file(server, monkeypatch):
    def write_half(self, url, output_file, pooch):
        Path(output_file).write_bytes(BODY[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", write_half)
    with pytest.raises(OSError, match="No space left on device. By hand"):
        trump_speeches(download=True)
    assert not list(server.folder.iterdir())


def test_a_cache_folder_that_cannot_be_made_is_named(server):
    server.folder.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"cache failed, .* By hand"):
        trump_speeches(download=True)


def test_a_spoiled_file_in_the_cache_is_never_read_but_replaced(server):
    whole = trump_speeches(download=True)
    (server.folder / "speeches.txt").write_bytes(BODY[:1_000])
    with pytest.raises(ValueError, match="download=True replaces a spoiled one"):
        trump_speeches()
    assert trump_speeches(download=True) == whole


def test_a_file_is_given_by_path_or_by_the_environment(server, monkeypatch, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes(BODY)
    monkeypatch.setenv("RNNCOURSE_SPEECHES", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert trump_speeches() == trump_speeches(file) == trump_speeches("~/mine.txt") and server.asked == 0
    with pytest.raises(FileNotFoundError, match=r"path: expected a file that can be read, got .*nowhere.txt \(No such file"):
        trump_speeches(tmp_path / "nowhere.txt")


def test_another_text_is_refused_unless_it_is_wanted(server, tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("A text of my own. " * 50, "utf8")
    with pytest.raises(ValueError, match="path: expected a file with sha256 .*, got .* for .*own.txt. check=False reads it"):
        trump_speeches(file)
    assert sum(map(len, trump_speeches(file, check=False))) == 900


@pytest.mark.skipif(not REAL, reason="no file: RNNCOURSE_SPEECHES is not set")
def test_the_true_speeches_have_the_size_and_the_overlap_that_their_docstring_states():
    train, held_out = trump_speeches(REAL)
    assert (len(train), len(held_out)) == (806_642, 89_627) and set(held_out) - set(train) == {"_"}
    assert overlap(train, held_out) == pytest.approx(0.033, abs=0.001)


def test_no_corpus_but_the_downloaded_one_opens_a_connection(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert all(map(all, (first_names(), stump_speeches(10, 10), python_source(10_000), python_docs())))
