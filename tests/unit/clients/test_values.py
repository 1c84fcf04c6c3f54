import pytest

from serinus.clients import values
from serinus.errors import UsageError


def test_merge_is_deep_and_keeps_null():
    low = {"a": {"b": 1, "c": [1]}, "d": 1}
    assert values.merge(low, {"a": {"b": None, "c": [2]}}, {"d": {"e": 2}}) == {
        "a": {"b": None, "c": [2]},
        "d": {"e": 2},
    }
    assert low == {"a": {"b": 1, "c": [1]}, "d": 1}


def test_a_null_stays_only_where_it_removes_a_default():
    assert values.pruned(
        {"a": {"b": None, "c": None, "d": 1}, "e": {"f": None}, "g": None},
        {"a": {"b": 1}, "e": 2, "g": {"h": 1}},
    ) == {"a": {"b": None, "d": 1}, "e": {}, "g": None}


def test_values_files(tmp_path):
    file = tmp_path / "v.yaml"
    file.write_text("a: 1\n")
    assert values.read(file) == {"a": 1}
    file.write_text("")
    assert values.read(file) == {}
    for text, told in (("- 1\n", "must be a mapping"), ("a: [\n", "is no YAML: yaml: line 1")):
        file.write_text(text)
        with pytest.raises(UsageError, match=rf"v\.yaml: {told}"):
            values.read(file)
    file.write_bytes("café: 1".encode("latin-1"))
    with pytest.raises(UsageError, match=r"not UTF-8 at byte 3[\s\S]*save it"):
        values.read(file)
    with pytest.raises(UsageError, match="No such file"):
        values.read(tmp_path / "absent")


def test_a_file_means_what_it_means_to_helm(tmp_path):
    file = tmp_path / "v.yaml"
    file.write_text("a: 12:30\nb: 1e3\nc: 0o17\nd: 2024-01-01\ne: !!binary aGk=\nf: yes\n1: x\n")
    assert values.read(file) == {
        "a": "12:30", "b": 1000, "c": 15, "d": "2024-01-01", "e": "hi", "f": True, "1": "x",
    }  # fmt: skip


def test_set_expressions_lie_over_files_in_their_order(tmp_path):
    file = tmp_path / "v.yaml"
    file.write_text("a: {b: 2, e: 1}\n")
    assert values.given([file], ["a.b=1,c[0]=x", "a.d=true", "a.e=null"]) == {
        "a": {"b": 1, "d": True, "e": None},
        "c": ["x"],
    }
    with pytest.raises(UsageError, match="--set a"):
        values.given([], ["a"])


def test_an_index_changes_one_item_and_a_list_replaces_all(tmp_path):
    file = tmp_path / "v.yaml"
    file.write_text("l: [{name: a, x: 1}, {name: b}]\n")
    assert values.given([file], ["l[1].name=c", "l[2].name=d"])["l"] == [
        {"name": "a", "x": 1},
        {"name": "c"},
        {"name": "d"},
    ]
    assert values.given([file], ["l={x,y}"]) == {"l": ["x", "y"]}
    # Each list for itself, whatever else the expression says.
    assert values.given([file], ["l={x},m[0]=y"]) == {"l": ["x"], "m": ["y"]}
    assert values.given([file], ["l={[x]}"]) == {"l": ["[x]"]}
    assert values.given([], ["p[0].name=a", "p[1].name=b"]) == {"p": [{"name": "a"}, {"name": "b"}]}
