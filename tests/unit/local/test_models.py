import pytest

from serinus.errors import ModelError
from serinus.local import models
from serinus.local.plan import Template


@pytest.fixture
def plan(make_plan, make_workload, tmp_path):
    env = {
        "MODEL_REGISTRY": str(tmp_path / "registry"),
        "MODEL_NAME": "reviews",
        "MODEL_VERSION": "v1",
        "MODEL_CACHE": str(tmp_path / "volumes" / "cache"),
    }
    template = Template(argv=("x",), env=env, ports={})
    return make_plan(
        make_workload("model-stable", template=template), make_workload("front-stable")
    )


@pytest.fixture
def ensure(monkeypatch, plan, tmp_path):
    reviews = tmp_path / "reviews.tsv"
    rows = [
        f"{text}\t{liked}"
        for number in range(30)
        for text, liked in ((f"Great soup {number}", 1), (f"Awful soup {number}", 0))
    ]
    reviews.write_text("Review\tLiked\n" + "\n".join(rows) + "\n")
    monkeypatch.setattr(models, "data", lambda: [reviews])

    def ensure(**more):
        said = []
        models.ensure(plan, said.append, **{"check": True, **more})
        return said

    return ensure


def test_a_missing_model_is_trained_once(ensure, tmp_path):
    assert ensure() == ["training model reviews v1, once"]
    assert (tmp_path / "registry" / "reviews" / "v1" / "manifest.json").exists()
    assert ensure() == []


def test_a_model_that_is_unusable_is_trained_again_with_its_cache(ensure, tmp_path, monkeypatch):
    ensure()
    cached = tmp_path / "volumes" / "cache" / "reviews" / "v1"
    cached.mkdir(parents=True)

    def refuse(folder):
        raise ModelError("trained for another text handling")

    monkeypatch.setattr(models.engine, "load", refuse)
    assert ensure(check=False) == []
    assert [line.split(":")[0] for line in ensure()] == ["training model reviews v1 again"]
    assert not cached.exists()


def test_somebody_elses_model_is_left_alone(ensure, tmp_path, monkeypatch):
    ensure()
    (tmp_path / models.RECORD).unlink()
    monkeypatch.setattr(models, "_usable", lambda folder: False)
    assert ensure() == []


def test_a_registry_elsewhere_is_left_alone(make_plan, make_workload, tmp_path):
    env = {"MODEL_REGISTRY": "/elsewhere", "MODEL_NAME": "a", "MODEL_VERSION": "b"}
    plan = make_plan(make_workload("m-stable", template=Template(argv=("x",), env=env, ports={})))
    models.ensure(plan, pytest.fail, check=True)


def test_the_projects_data_set_is_found():
    assert models.data()
