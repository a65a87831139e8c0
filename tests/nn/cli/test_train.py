"""What `python -m nn train` says about its options, its target and its folder."""

import pytest

from nn.__main__ import main
from nn.cli.options import arguments, widths
from nn.cli.training import make_folder


def test_output_is_an_alias_of_out():
    parse = arguments().parse_args
    assert parse(["train", "x.csv", "--output", "there"]) == parse(["train", "x.csv", "--out", "there"])
    assert parse(["train", "x.csv"]).hidden == [64, 64]


def test_widths_reject_gaps_and_accept_none():
    assert widths("16,8") == [16, 8]
    assert widths("") == []
    for text in ("16,,8", "16,", ","):
        with pytest.raises(Exception, match="not a list of widths such as 16,16"):
            widths(text)


def test_out_that_is_a_file_is_reported_before_reading_the_table(tmp_path, capsys):
    taken = tmp_path / "README.md"
    taken.write_text("mine", encoding="utf-8")
    assert main(["train", str(tmp_path / "no table at all"), "--out", str(taken)]) == 2
    assert capsys.readouterr().err == f"error: --out {taken} is a file; pass the name of a folder, as in --out run\n"
    with pytest.raises(ValueError, match="cannot create the folder --out"):
        make_folder(taken / "deeper")
    assert taken.read_text(encoding="utf-8") == "mine"
