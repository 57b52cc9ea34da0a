"""Nothing about a unit with too few persons may leave, in no list, name or weight; what cannot be made safe is refused."""

import json

import numpy as np
import pytest

from evaluation.errors import DisclosureError
from evaluation.result import to_json
from evaluation.run import evaluate

SPEC = """
question = "Did it work?"
[data]
path = "data.csv"
unit = "unit"
time = "year"
outcome = "y"
size = "persons"
[treatment]
units = ["Nordby"]
start = 2015
[headline]
method = "synthetic_control"
[[estimator]]
name = "did"
"""


def write(folder, spec=SPEC, small=("Lilleby",), treated_persons=500):
    rng = np.random.default_rng(5)
    names = ["Nordby", "Lilleby", *(f"By{index:02d}" for index in range(24))]
    rows = ["unit,year,y,persons"]
    for name in names:
        level = rng.normal(40, 5)
        for year in range(2008, 2019):
            persons = 3 if name in small and year == 2012 else treated_persons if name == "Nordby" else 400
            rows.append(f"{name},{year},{level + rng.normal():.3f},{persons}")
    (folder / "data.csv").write_text("\n".join(rows))
    (folder / "spec.toml").write_text(spec)
    return folder / "spec.toml"


def test_a_small_unit_is_named_nowhere(tmp_path):
    result = evaluate(write(tmp_path))
    text = json.loads(to_json(result))
    text.pop("provenance")  # the spec's own text is the user's
    assert "Lilleby" not in json.dumps(text, ensure_ascii=False)
    assert result.disclosure.suppressed_units == 1
    assert result.disclosure.actions[0].code == "small_units_hidden"
    placebo = result.headline.details["placebo"]
    assert len(placebo["units"]) == len(placebo["effects"]) == len(placebo["gaps"]) == 24


def test_remarks_do_not_name_it_either(tmp_path):
    path = write(tmp_path)
    rows = (tmp_path / "data.csv").read_text().splitlines()
    (tmp_path / "data.csv").write_text("\n".join(row for row in rows if not row.startswith("Lilleby,2016")))
    result = evaluate(path)
    text = json.loads(to_json(result))
    text.pop("provenance")
    assert any(note.code == "incomplete_units_dropped" for note in result.headline.notes)
    assert "Lilleby" not in json.dumps(text, ensure_ascii=False)


def test_a_small_treated_unit_is_refused(tmp_path):
    with pytest.raises(DisclosureError, match="rests on fewer than 5 persons"):
        evaluate(write(tmp_path, treated_persons=4))


def test_sizes_that_are_not_known_are_refused_with_the_way_out(tmp_path):
    with pytest.raises(DisclosureError, match="public = true"):
        evaluate(write(tmp_path, SPEC.replace('size = "persons"\n', "")))


def test_public_data_lose_nothing(tmp_path):
    result = evaluate(write(tmp_path, SPEC.replace("[data]", "[data]\npublic = true")))
    assert "Lilleby" in result.design.controls
    assert result.disclosure.public


def test_the_default_with_sizes_rescales_placebos(tmp_path):
    assert evaluate(write(tmp_path)).headline.inference == "ferman_pinto"
