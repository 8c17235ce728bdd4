"""Collecting: whose a file is, which of several counts, and what no file of a hostile folder or zip can do."""

import os
import shutil
import stat
import struct
import warnings
import zipfile
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncourse.grading import collect as module
from rnncourse.grading import sources
from rnncourse.grading.collect import collect, report
from rnncourse.grading.gradebook import Class
from rnncourse.grading.labs import COURSE
from rnncourse.grading.roster import SAFE, ClassList, roster, safe, words

LAB, GATES = (SimpleNamespace(name=name, folder=COURSE / "solutions" / name) for name in ("unfold", "gates"))
OWN = """student,first_name,last_name,email,lms_user_id
s1,Ada,Lovelace,ada.l@uni.edu,4711
s2,Béla,Ó Briain,bela@uni.edu,4712
s3,Jean-Marie,Łukasz,jml@uni.edu,4713
s4,Ann,Lee,ann@uni.edu,4714
s5,Ann,Lee Smith,als@uni.edu,4715
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A new gradebook: nbgrader takes three seconds to make one."""
    group = Class.at(tmp_path_factory.mktemp("empty") / "class")
    with group.book():
        return group.folder / "gradebook.db"


@pytest.fixture
def group(tmp_path, empty):
    group = Class.at(tmp_path / "class")
    shutil.copy(empty, group.folder)
    return group


@pytest.fixture
def own(tmp_path):
    return text(tmp_path / "own.csv", OWN)


def text(path, content):
    path.write_text(content, "utf8")
    return path


def folder(path, files):
    path.mkdir()
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def packed(path, files, times=None):
    """A zip; `files` from names or ZipInfos to bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings(action="ignore"):  # of equal names
        for name, data in files.items():
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, (times or {}).get(name, (2026, 11, 20, 10, 0, 0)))
            archive.writestr(info, data)
    return path


def handed(group):
    root = group.folder / "submitted"
    return {path.parent.parent.name: path.read_bytes() for path in root.glob("*/unfold/unfold.ipynb")}


# Whose a file is


@pytest.mark.parametrize("path,student", [
    ("Ada Lovelace_123456_assignsubmission_file_/unfold.ipynb", "s1"),
    ("Group 2-LOVELACE Ada_123456_assignsubmission_file_/mine/unfold.ipynb", "s1"),
    ("Ada Lovelace_123456_assignsubmission_file_unfold.ipynb", "s1"),
    ("lovelaceada_4711_98765_unfold-2.ipynb", "s1"),
    ("lovelaceada_LATE_4711_98765_unfold.ipynb", "s1"),
    ("ukaszjeanmarie_4713_98765_unfold.ipynb", "s3"),
    ("s1/unfold/unfold.ipynb", "s1"), ("submissions/s2/unfold.ipynb", "s2"), ("s1_unfold.ipynb", "s1"), ("unfold-S1.ipynb", "s1"),
    ("ada.l@uni.edu.ipynb", "s1"), ("ada_l unfold.ipynb", "s1"), ("4711 unfold.ipynb", "s1"),
    ("bela o'briain.ipynb", "s2"), ("O BRIAIN, BÉLA.ipynb", "s2"), ("lukasz_jean_marie.ipynb", "s3"),
    ("Ann Lee_1_assignsubmission_file_/a.ipynb", "s4"), ("Ann Lee-Smith_1_assignsubmission_file_/a.ipynb", "s5"),
    ("Group-Jean-Marie Łukasz_1_assignsubmission_file_/a.ipynb", "s3"), ("ann@uni.edu_1_assignsubmission_file_/a.ipynb", "s4"),
    ("ann/unfold.ipynb", "s4"), ("ann.ipynb", "s4"), ("unfold_ann.ipynb", "s4"), ("ann unfold final (2).ipynb", "s4"), ("Ada Lovelace s1 Lab1.ipynb", "s1"),
    ("s4/Ann Smith_1_assignsubmission_file_/unfold.ipynb", "s4"),
])  # fmt: skip
def test_a_path_names_its_student(own, path, student):
    assert ClassList(roster(own)).authors(path, "unfold") == {student}


@pytest.mark.parametrize("path", ["unfold.ipynb", "ada.ipynb", "Grace Hopper s1.ipynb", "adalovelacexx.ipynb", "Grace Hopper_123456_assignsubmission_file_/unfold.ipynb", "2026_11_20_unfold.ipynb"])
def test_a_path_of_nobody_names_nobody(own, path):
    assert ClassList(roster(own)).authors(path, "unfold") == set()


MIXED = {"s4": ("Ann", "Lee", "ann@uni.edu"), "weber": ("Max", "Weber", "weber@uni.edu"), "s6": ("Li", "Na", "na@uni.edu"), "s7": ("Marie", "Lee", "ml@uni.edu"),
         "s8": ("Eva Maria", "Roth", "eva@uni.edu")}  # fmt: skip


@pytest.mark.parametrize("name", ["Ann Smith", "Karl Weber", "Na Kim", "Ann Marie Lee", "Anne-Marie Lee", "Group 2-Anne-Marie Lee", "Group 2-Ann Smith", "Weber Karl", "Lee", "Ann",
                                  "Eva Roth"])  # fmt: skip
@pytest.mark.parametrize("path", ["{}_123456_assignsubmission_file_/unfold.ipynb", "{}_123456_assignsubmission_file_unfold.ipynb", "{}/unfold.ipynb", "{} unfold.ipynb", "unfold_{}.ipynb"])
def test_attack_part_of_a_name_and_a_login_name_nobody(name, path):
    people = ClassList({student: dict(zip(("first_name", "last_name", "email"), told)) for student, told in MIXED.items()})
    if name == "Ann" and "assign" not in path:  # a file or folder of nothing but a login
        assert people.authors(path.format(name), "unfold") == {"s4"}
    else:
        assert people.authors(path.format(name), "unfold") == people.authors(path.format(name.replace(" ", "_").replace("-", "_")), "unfold") == set()


@given(st.sampled_from(sorted(MIXED)), st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=9))
def test_attack_another_word_beside_a_name_or_login_makes_it_another_persons(student, word):
    people = ClassList({student: dict(zip(("first_name", "last_name", "email"), told)) for student, told in MIXED.items()})
    first, last, email = MIXED[student]
    if word in words(f"{MIXED} lab final copy"):
        return
    for name in (f"{first} {last} {word}", f"{word} {last}", f"{first} {word}", f"{email.partition('@')[0]} {word}"):
        assert people.authors(f"{name}_1_assignsubmission_file_/unfold.ipynb") == people.authors(f"{name}.ipynb") == people.authors(f"{name}/a.ipynb") == set()


def test_a_long_id_counts_beside_other_words_unless_these_name_another():
    people = ClassList({"m2024117": {"first_name": "Ada", "last_name": "Lee"}, "m2024118": {"first_name": "Bo", "last_name": "Kim"}})
    assert people.authors("INF3 tutorial m2024117.ipynb") == {"m2024117"}
    assert people.authors("Bo Kim m2024117.ipynb") == {"m2024117", "m2024118"}


def test_canvas_names_nobody_whose_number_is_another(own):
    assert ClassList(roster(own)).authors("leeann_99_98765_unfold.ipynb") == set()
    assert ClassList({"s4": {"first_name": "Ann", "last_name": "Lee"}}).authors("leeann_99_98765_unfold.ipynb") == {"s4"}


@pytest.mark.parametrize("path,known", [
    ("Ann Lee_1_assignsubmission_file_/Ada Lovelace.ipynb", {"s4"}), ("Ann Lee_1_assignsubmission_file_/Ada Lovelace_2_assignsubmission_file_/s1.ipynb", {"s4"}),
    ("leeann_4714_4711_ada_lovelace.ipynb", {"s4"}), ("Mallory_1_assignsubmission_file_/s1.ipynb", set()), ("mallory_99_4711_s1.ipynb", set()),
    ("lovelaceada_4714_98765_unfold.ipynb", {"s1", "s4"}),
])  # fmt: skip
def test_attack_a_file_that_is_called_like_another_student_is_not_theirs(own, path, known):
    assert ClassList(roster(own)).authors(path) == known


def test_students_of_one_name_are_told_apart_by_the_number_or_not_at_all():
    twins = ClassList({"a": {"first_name": "Ada", "last_name": "Lee", "lms_user_id": "1001"}, "b": {"first_name": "Ada", "last_name": "Lee", "lms_user_id": "1002"}})
    assert twins.authors("leeada_1002_98765_unfold.ipynb") == {"b"}
    assert twins.authors("Ada Lee_55_assignsubmission_file_/unfold.ipynb") == {"a", "b"}
    assert twins.authors("Ada Lee_1002_assignsubmission_file_/unfold.ipynb") == {"a", "b"}  # Moodle's number is the submission's


def test_a_short_number_names_a_student_only_where_it_stands_alone():
    people = ClassList({"2": {}, "ada": {}})
    assert (people.authors("ada_unfold-2.ipynb", "unfold"), people.authors("2/unfold.ipynb", "unfold")) == ({"ada"}, {"2"})


def test_an_id_that_looks_like_the_words_of_an_lms_is_still_an_id():
    assert ClassList({"m_2024_17_a": {}}).authors("m_2024_17_a/unfold.ipynb") == {"m_2024_17_a"}


@given(st.text(max_size=20), st.text(max_size=20))
def test_words_do_not_depend_on_case_or_signs(a, b):
    assert words(f"{a} {b}") == words(f"{a}_{b}") == words(a) + words(b)
    assert [*words(" ".join(words(a)))] == words(a)


# Class lists


@pytest.mark.parametrize("content,student,about", [
    (OWN, "s1", ("Ada", "Lovelace", "ada.l@uni.edu", "4711")),
    ("\ufeffFirst name,Surname,ID number,Email address,Groups\nAda, Lovelace ,20261,ada@uni.edu,1\n", "20261", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("Prénom;Nom;Numéro d'identification;Adresse de courriel\nAda;Lovelace;20261;ada@uni.edu\n", "20261", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("Prénom\tNom\tNuméro d’identification\tAdresse de courriel\nAda\tLovelace\t\tada@uni.edu\n", "ada@uni.edu", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("Vorname;Nachname;ID-Nummer;E-Mail-Adresse;Gruppen\nAda;Lovelace;20261;ada@uni.edu;1\n", "20261", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("\ufeffVorname,Nachname,E-Mail-Adresse\nAda,Lovelace,ada@uni.edu\n", "ada@uni.edu", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("Name;Vorname;Matrikelnummer\nLovelace;Ada;20261\n", "20261", ("Ada", "Lovelace", None, None)),
    ("Nombre;Apellido(s);Número de ID;Dirección de correo\nAda;Lovelace;20261;ada@uni.edu\n", "20261", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("Nombre,Apellidos,Direccion de correo\nAda,Lovelace,ada@uni.edu\n", "ada@uni.edu", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("Nome,Cognome,Codice identificativo,Indirizzo email\nAda,Lovelace,20261,ada@uni.edu\n", "20261", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("Nome,Apelido,Número de identificação (ID),Endereço de e-mail\nAda,Lovelace,20261,ada@uni.edu\n", "20261", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ("Nome,Sobrenome,Endereço de email\nAda,Lovelace,ada@uni.edu\n", "ada@uni.edu", ("Ada", "Lovelace", "ada@uni.edu", None)),
    ('Student,ID,SIS User ID,SIS Login ID,Section,Lab (1)\n,,,,,Manual Posting\n    Points Possible,,,,,8\n"Lovelace, Ada",4711,20261,ada@uni.edu,A,\n', "20261",
     ("Ada", "Lovelace", "ada@uni.edu", "4711")),
    ("Student,ID,SIS Login ID,Section\nAda Augusta Lovelace,4711,ada7,A\n", "ada7", ("Ada Augusta", "Lovelace", None, "4711")),
])  # fmt: skip
def test_a_class_list_of_each_lms_is_read(tmp_path, content, student, about):
    keys = ("first_name", "last_name", "email", "lms_user_id")
    assert roster(text(tmp_path / "list.csv", content))[student] == {key: value for key, value in zip(keys, about) if value}


def test_a_student_of_canvas_is_entered_and_none_of_its_other_lines(tmp_path):
    assert [*roster(text(tmp_path / "c.csv", "Student,ID,SIS User ID\n    Points Possible,,\n\"Lee, Ann\",1,7\n"))] == ["7"]


@pytest.mark.parametrize("content,says", [
    (f"student\n{'x' * 101}\n", "names a folder"), ("student\nada\nADA\n", "two students"), ("student\na/b\na b\n", "'a/b' and 'a b' would both get the folder a-b"),
    ("student\nada\nada\n", "line 3.*there already"),
    ("first_name,last_name\nAda,Lovelace\n", "line 2.*no id"), ("", "holds no students"), ("what,ever\n", "holds no students"),
])  # fmt: skip
def test_a_class_list_that_cannot_be_used_is_refused_by_name_and_line(tmp_path, group, content, says):
    with pytest.raises(ValueError, match=says):
        collect(group, LAB, tmp_path, text(tmp_path / "list.csv", content))


def test_ids_that_cannot_name_a_folder_are_written_differently_and_told(tmp_path, group):
    people = text(tmp_path / "list.csv", "student,first_name,last_name,email\nsean.o'brien@u.e,Seán,O'Brien,sean.o'brien@u.e\n20 26/1,Ada,Lee,\n../x,Eve,Fox,\nrené,René,Roy,\ns5,Bo,Kim,\n")
    files = {"sean.o'brien@u.e/unfold.ipynb", "2026_1 unfold.ipynb", "20 26-1/unfold.ipynb", "René Roy_7_assignsubmission_file_/unfold.ipynb"}
    done = collect(group, LAB, packed(tmp_path / "lms.zip", dict.fromkeys(sorted(files), b"x")), people)
    assert set(handed(group)) == {"sean.o-brien@u.e", "20-26-1", "rene"} and [path for path, _ in done.unmatched] == ["2026_1 unfold.ipynb"]
    assert done.renamed == [("sean.o'brien@u.e", "sean.o-brien@u.e"), ("20 26/1", "20-26-1"), ("../x", "-.-x"), ("rené", "rene")]
    assert "ids that cannot name a folder, and what stands for them: 4\n  sean.o'brien@u.e: sean.o-brien@u.e\n" in report(done)


@given(st.text(min_size=1, max_size=60))
def test_attack_whatever_an_id_is_called_its_folder_is_safe(student):
    (folder,) = safe([student]).values()
    assert not folder or SAFE.fullmatch(folder[:100]) and Path(folder).name == folder


def test_a_list_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "list.csv").write_bytes("Prénom;Nom\n".encode("latin1"))
    with pytest.raises(ValueError, match="UTF-8"):
        roster(tmp_path / "list.csv")


# Collecting


def test_what_is_found_is_copied_and_the_rest_is_listed(tmp_path, group, own):
    source = packed(tmp_path / "lms.zip", {"Ada Lovelace_1_assignsubmission_file_/unfold.ipynb": b"ada", "Grace Hopper_2_assignsubmission_file_/unfold.ipynb": b"grace",
                                           "s2/unfold.ipynb": b"bela", "s4/unfold.zip": b"PK", "s5/unfold.ipynb.txt": b"{}", "s2/notes.pdf": b"x"})  # fmt: skip
    done = collect(group, LAB, source, own)
    assert handed(group) == {"s1": b"ada", "s2": b"bela"} and set(done.taken) == {"s1", "s2"}
    assert done.missing == [("s3", "Jean-Marie Łukasz"), ("s4", "Ann Lee"), ("s5", "Ann Lee Smith")]
    assert [path for path, _ in done.unmatched] == ["Grace Hopper_2_assignsubmission_file_/unfold.ipynb"]
    assert [path for path, _ in done.refused] == ["s4/unfold.zip", "s5/unfold.ipynb.txt"]
    assert "files of 2 of 5 students" in report(done) and "Grace Hopper" in report(done) and "notes.pdf" not in report(done)
    with group.book() as book:
        assert book.find_student("s3").last_name == "Łukasz" and len(book.students) == 5


def test_without_a_class_list_the_students_of_the_gradebook_are_the_class(tmp_path, group, own):
    collect(group, LAB, folder(tmp_path / "a", {}), own)
    done = collect(group, LAB, folder(tmp_path / "b", {"lovelace ada.ipynb": b"ada", "eve.ipynb": b"eve"}))
    assert handed(group) == {"s1": b"ada"} and [path for path, _ in done.unmatched] == ["eve.ipynb"]


def test_a_class_list_is_the_class_also_where_the_gradebook_knows_others(tmp_path, group, own):
    source = folder(tmp_path / "a", {"s1.ipynb": b"x", "s2.ipynb": b"x"})
    collect(group, LAB, source, own)
    done = collect(group, LAB, source, text(tmp_path / "new.csv", "student\ns1\n"))
    assert set(done.taken) == {"s1"} and done.missing == [] and [path for path, _ in done.unmatched] == ["s2.ipynb"]


def test_another_lab_of_the_same_folder_is_left_alone(tmp_path, group, own):
    done = collect(group, LAB, folder(tmp_path / "a", {"s1/gates/gates.ipynb": b"x", "s2/mine/gates.ipynb": b"y"}), own)
    assert handed(group) == {"s2": b"y"} and done.unmatched == done.refused == []


@pytest.mark.parametrize("files,students", [
    ({"ada_unfold.ipynb", "unfold-bob.ipynb", "Eve.L unfold (1).ipynb"}, {"ada", "bob", "Eve.L"}),
    ({"ada/unfold/unfold.ipynb", "bob/unfold/unfold.ipynb", "bob/gates/gates.ipynb"}, {"ada", "bob"}),
    ({"all/ada/unfold.ipynb", "all/bob/final.ipynb"}, {"ada", "bob"}),
    ({"ada/unfold.ipynb"}, {"ada"}),
    ({"Ada Lovelace_12_assignsubmission_file_/unfold.ipynb", "Group 3-Émile Zola_13_assignsubmission_file_/x.ipynb"}, {"ada-lovelace", "emile-zola"}),
    ({"lovelaceada_4711_98765_unfold.ipynb", "leeann_LATE_4712_98766_unfold.ipynb"}, {"lovelaceada_4711", "leeann_4712"}),
    ({"unfold.ipynb"}, set()),
])  # fmt: skip
def test_without_any_list_the_paths_give_the_ids(tmp_path, group, files, students):
    done = collect(group, LAB, packed(tmp_path / "lms.zip", dict.fromkeys(sorted(files), b"x")))
    assert set(done.taken) == set(handed(group)) == students and bool(done.unmatched) == (not students)


@pytest.mark.parametrize("first,second", [("Ada Lovelace_12_assignsubmission_file_/", "Ada Lovelace_97_assignsubmission_file_/"), ("lovelaceada_4711_12_", "lovelaceada_4711_97_")])
def test_without_any_list_the_next_labs_files_are_the_same_students(tmp_path, group, first, second):
    (student,) = collect(group, LAB, packed(tmp_path / "1.zip", {f"{first}unfold.ipynb": b"x"})).taken
    with group.book() as book:
        book.add_student(student)  # as grading does
    done = collect(group, GATES, packed(tmp_path / "2.zip", {f"{second}gates.ipynb": b"x", "Eve Fox_98_assignsubmission_file_/gates.ipynb": b"x"}))
    assert set(done.taken) == {student} and [path for path, _ in done.unmatched] == ["Eve Fox_98_assignsubmission_file_/gates.ipynb"]


@pytest.mark.parametrize("listed", [True, False])
def test_two_of_moodles_folders_with_one_name_are_nobodys(tmp_path, group, own, listed):
    files = ["Ann Lee_1_assignsubmission_file_/a.ipynb", "Ann Lee_1_assignsubmission_file_/b.ipynb", "Ann Lee_2_assignsubmission_file_/a.ipynb", "Ada Lovelace_3_assignsubmission_file_/a.ipynb"]
    done = collect(group, LAB, packed(tmp_path / "lms.zip", dict.fromkeys(files, b"x")), own if listed else None)
    assert done.unmatched == [(path, "two of Moodle's folders have this name, so it is two students'") for path in files[:3]] and [*done.taken.values()] == files[3:]
    apart = collect(group, LAB, folder(tmp_path / "in", {f"s4/{files[0]}": b"x", f"s5/{files[2]}": b"y", files[3]: b"z"}), own)
    assert set(apart.taken) == {"s1", "s4"} and apart.unmatched == [(f"s5/{files[2]}", "it may be of s4 or s5")]


def test_missing_is_of_whom_there_is_nothing_at_all(tmp_path, group, own):
    collect(group, LAB, folder(tmp_path / "a", {"s1.ipynb": b"x", "s2.ipynb": b"x"}), own)
    done = collect(group, LAB, folder(tmp_path / "b", {"s3.ipynb": b"x", "s2.ipynb": b"y"}), own)
    assert [student for student, _ in done.missing] == ["s4", "s5"] and done.earlier == ["s1"]
    assert report(done).startswith("unfold: files of 2 of 5 students; of 1 there is nothing new, but an earlier file\nmissing: 2\n")
    (again,) = report(collect(group, LAB, folder(tmp_path / "c", {}), text(tmp_path / "new.csv", "student\ns1\n"))).splitlines()
    assert again == "unfold: files of 0 of 1 students; of 1 there is nothing new, but an earlier file"


# Times


@pytest.mark.parametrize("told,hour", [("2026-12-01 10:00:00 UTC\n", 10), ("2026-12-01 10:00:00", 10), ("2026-12-01T10:00", 10), ("2026-12-01T10:00:00Z", 10), ("2026-12-01 10:00Z", 10),
                                       ("2026-12-01 10:00:00+01:00", 9), ("2026-12-01 10:00:00 +0100", 9), ("2026-12-01T10:00:00-02", 12), ("\ufeff2026-12-01 10:00 UTC\r\n", 10)])  # fmt: skip
def test_a_time_is_read_in_utc(told, hour):
    assert sources.when(told) == datetime(2026, 12, 1, hour)


def test_no_text_is_no_time_and_fractions_count():
    assert sources.when(" \n") is None and sources.when("2026-12-01 10:00:00.25 UTC") == datetime(2026, 12, 1, 10, 0, 0, 250_000)


@pytest.mark.parametrize("told", ["2026-12-01 10:00:00 CEST", "2026-12-01 10:00 PST", "tomorrow", "2026-12-01", "01.12.2026 10:00", "12/01/2026 10:00", "2026-13-01 10:00", "2026-12-01 25:00",
                                  "0001-01-01 00:00+23:00", "2026-12-01 10:00+99:00", "1795000000", "2026-12-01 10:00 UTC UTC", "2026-12-01 10:00 UTC+01:00", "2026-12-01\n10:00", "٢٠٢٦-12-01 10:00"])  # fmt: skip
def test_what_is_no_time_is_refused_with_an_example(told):
    with pytest.raises(ValueError, match="is no time.*write it like 2026-12-01 10:00:00 UTC"):
        sources.when(told)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_a_time_is_read_as_it_is_written(time):
    assert sources.when(f"{time:%Y-%m-%d %H:%M:%S} UTC") == time.replace(microsecond=0)


def test_the_latest_file_counts_and_all_are_listed(tmp_path, group, own):
    times = {"s1/unfold.ipynb": (2026, 11, 20, 9, 0, 0), "s1/unfold_new.ipynb": (2026, 11, 21, 9, 0, 0), "s1/other.ipynb": (2026, 11, 22, 9, 0, 0)}
    done = collect(group, LAB, packed(tmp_path / "lms.zip", {name: name.encode() for name in times}, times), own)
    assert handed(group) == {"s1": b"s1/unfold_new.ipynb"}
    assert done.double == {"s1": ["s1/unfold_new.ipynb", "s1/unfold.ipynb", "s1/other.ipynb"]}


def test_of_equal_times_the_later_attempt_of_canvas_counts(tmp_path, group, own):
    names = ["lovelaceada_4711_3_unfold-9.ipynb", "lovelaceada_4711_1_unfold-10.ipynb", "lovelaceada_4711_2_unfold.ipynb"]
    collect(group, LAB, packed(tmp_path / "lms.zip", {name: name.encode() for name in names}), own)
    assert handed(group) == {"s1": names[1].encode()}


def test_the_file_of_one_of_a_pair_is_the_file_of_both(tmp_path, group, own):
    pairs = text(tmp_path / "pairs.csv", "s1;Ann Lee\nbela@uni.edu;s5\n")
    times = {"s1/unfold.ipynb": (2026, 11, 20, 9, 0, 0), "s4/unfold.ipynb": (2026, 11, 21, 9, 0, 0)}
    done = collect(group, LAB, packed(tmp_path / "lms.zip", {name: name.encode() for name in times}, times), own, pairs)
    assert handed(group) == dict.fromkeys(["s1", "s4"], b"s4/unfold.ipynb") and [student for student, _ in done.missing] == ["s2", "s3", "s5"]
    assert [*done.double] == ["s1, s4"]


@pytest.mark.parametrize("line,says", [("s1,zoe", "line 1.*'zoe' is nobody"), ("s1,s2\ns2,s3", "line 2.*s2 is in another pair"), ("s1,Ann Lee 20261", "line 1.*'Ann Lee 20261' may be s2 or s4"),
                                       ("s1,Ann Smith", "line 1.*'Ann Smith' is nobody")])
def test_a_list_of_pairs_that_cannot_be_used_is_refused_by_line(tmp_path, group, line, says):
    own = text(tmp_path / "own.csv", OWN.replace("4712", "20261"))
    with pytest.raises(ValueError, match=says):
        collect(group, LAB, folder(tmp_path / "a", {}), own, text(tmp_path / "pairs.csv", line))


def test_what_is_the_same_is_left_alone_and_what_is_new_replaces_it(tmp_path, group, own):
    source = folder(tmp_path / "in", {"s1/unfold.ipynb": b"one"})
    os.utime(source / "s1/unfold.ipynb", (1_795_000_000, 1_795_000_000))
    collect(group, LAB, source, own)
    here = group.folder / "submitted" / "s1" / "unfold"
    before = {path.name: path.stat().st_ino for path in here.iterdir()}
    assert (here / "timestamp.txt").read_text() == "2026-11-18 11:06:40 UTC\n"
    os.utime(source / "s1/unfold.ipynb", (1_795_009_999, 1_795_009_999))
    collect(group, LAB, source, own)
    assert {path.name: path.stat().st_ino for path in here.iterdir()} == before
    (source / "s1/unfold.ipynb").write_bytes(b"two")
    collect(group, LAB, source, own)
    assert handed(group) == {"s1": b"two"} and {path.name for path in here.iterdir()} == {"unfold.ipynb", "timestamp.txt"}


# Hostile files


def all_files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["../../x.ipynb", "s1/../../s2/unfold.ipynb", "/s1/unfold.ipynb", "C:\\s1\\unfold.ipynb", "..\\s1.ipynb"])
def test_attack_a_path_that_leads_out_is_listed_and_writes_nothing(tmp_path, group, own, name):
    before = all_files(tmp_path)
    done = collect(group, LAB, packed(tmp_path / "lms.zip", {name: b"x"}), own)
    assert done.taken == {} and done.refused == [(name.replace("\\", "/"), sources.LEAVES)]
    assert all_files(tmp_path) - before == {"lms.zip"}


def test_attack_a_bomb_is_not_unpacked(tmp_path, group, own, monkeypatch):
    monkeypatch.setattr(sources, "BIGGEST", 1 << 20)
    source = packed(tmp_path / "lms.zip", {"s1/unfold.ipynb": bytes(2 << 20), "s2/unfold.ipynb": bytes(2 << 20), "s4/unfold.ipynb": b"x"})
    data = bytearray(source.read_bytes())
    place = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)  # the second entry of the directory says that it has ten bytes
    data[place + 24 : place + 28] = struct.pack("<I", 10)
    source.write_bytes(data)
    with sources.files(source) as (honest, liar, small):
        assert ("MB" in honest.why, liar.why, small.read()) == (True, "", b"x")
        with pytest.raises(sources.Unreadable):
            liar.read()
        with pytest.raises(sources.Unreadable, match="more than 1 MB"):
            honest.read()
    done = collect(group, LAB, source, own)
    assert set(done.taken) == {"s4"} and [path for path, _ in done.refused] == ["s1/unfold.ipynb", "s2/unfold.ipynb"]


def test_attack_all_files_together_are_capped(tmp_path, group, own, monkeypatch):
    monkeypatch.setattr(module, "TOTAL", 15)
    done = collect(group, LAB, packed(tmp_path / "lms.zip", {"s1.ipynb": bytes(10), "s2.ipynb": bytes(10)}), own)
    assert set(done.taken) == {"s1"} and "all files together" in done.refused[0][1]


@pytest.mark.slow
def test_attack_too_many_files_are_refused(tmp_path, group, own):
    with pytest.raises(ValueError, match="more than 20000 files"):
        collect(group, LAB, packed(tmp_path / "lms.zip", {f"{i}.ipynb": b"" for i in range(100_000)}), own)


def odd(name, mode=0, compression=zipfile.ZIP_DEFLATED):
    info = zipfile.ZipInfo(name, (2026, 11, 20, 10, 0, 0))
    info.external_attr, info.compress_type = mode << 16, compression
    return info


@pytest.mark.parametrize("info,data,says", [(odd("s1.ipynb", stat.S_IFLNK | 0o777), b"/etc/passwd", "link"), (odd("s1.ipynb", stat.S_IFIFO), b"x", "plain file"),
                                            (odd("s1.ipynb"), b"", "empty"), (odd("s1.ipynb", 0, zipfile.ZIP_LZMA), b"x", "compressed")])  # fmt: skip
def test_attack_what_is_no_plain_file_in_a_zip_is_listed(tmp_path, group, own, info, data, says):
    done = collect(group, LAB, packed(tmp_path / "lms.zip", {info: data}), own)
    assert handed(group) == {} and says in done.refused[0][1]


def test_attack_an_encrypted_or_broken_member_is_listed_and_stops_no_other(tmp_path, group, own):
    source = packed(tmp_path / "lms.zip", {"s1.ipynb": b"secret", "s2.ipynb": b"broken" * 50, "s4.ipynb": b"good"})
    data = bytearray(source.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    data[data.index(b"s2.ipynb") + 10] ^= 255
    source.write_bytes(data)
    done = collect(group, LAB, source, own)
    assert handed(group) == {"s4": b"good"} and dict(done.refused)["s1.ipynb"] == "it is encrypted" and "cannot be unpacked" in dict(done.refused)["s2.ipynb"]


def test_attack_links_and_pipes_of_a_folder_are_listed_and_not_followed(tmp_path, group, own):
    secret, source = folder(tmp_path / "secret", {"unfold.ipynb": b"secret"}), folder(tmp_path / "in", {"s4/unfold.ipynb": b"good"})
    (source / "s1.ipynb").symlink_to(secret / "unfold.ipynb")
    (source / "s2").symlink_to(secret)
    os.mkfifo(source / "s3.ipynb")
    done = collect(group, LAB, source, own)
    assert handed(group) == {"s4": b"good"}
    assert dict(done.refused) == {"s1.ipynb": "it is a link", "s2": "it is a link", "s3.ipynb": "it is no plain file"}


def test_attack_a_file_that_becomes_a_link_before_it_is_read_is_not_followed(tmp_path):
    source, secret = folder(tmp_path / "in", {"s1/unfold.ipynb": b"good"}), folder(tmp_path / "secret", {"unfold.ipynb": b"secret"})
    with sources.files(source) as (file,):
        (source / "s1").rename(tmp_path / "old")
        (source / "s1").symlink_to(secret)
        with pytest.raises(sources.Unreadable):
            file.read()


def test_attack_names_are_shown_escaped_and_short(tmp_path, group, own):
    names = ["con.ipynb", "x\n\x1b[2J\u202emissing: 5.ipynb", "y" * 5000 + ".ipynb"]
    lines = report(collect(group, LAB, packed(tmp_path / "lms.zip", dict.fromkeys(names, b"x")), own)).splitlines()
    assert any(line.startswith(r"  x\n\x1b[2J\u202emissing: 5.ipynb: ") for line in lines)
    assert max(map(len, lines)) < 350 and all(line.isprintable() for line in lines)


@pytest.mark.parametrize("name,content,says", [("lms.zip", b"not a zip", "neither a folder nor"), ("lms.zip", b"PK\5\6" + bytes(18), None), ("none.zip", None, "there is no")])
def test_a_source_that_is_none_is_refused(tmp_path, group, own, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    if says is None:
        assert collect(group, LAB, tmp_path / name, own).taken == {}
        return
    with pytest.raises(ValueError, match=says):
        collect(group, LAB, tmp_path / name, own)


def test_hidden_files_of_jupyter_and_macos_are_passed_over(tmp_path, group, own):
    files = {"s1/.ipynb_checkpoints/unfold-checkpoint.ipynb": b"x", "__MACOSX/s1/._unfold.ipynb": b"x", "s1/unfold.ipynb": b"y"}
    done = collect(group, LAB, packed(tmp_path / "lms.zip", files), own)
    assert handed(group) == {"s1": b"y"} and not done.double and not done.refused


@given(st.text(max_size=60))
def test_attack_whatever_a_path_is_called_the_id_that_it_gives_is_a_safe_folder(name):
    file = sources.File(name, sources.moment(0), lambda: b"")
    for students in module.own_names([file], "unfold").values():
        assert all(SAFE.fullmatch(student) and Path(student).name == student for student in students)
