import pytest

from serinus.errors import ManifestError
from serinus.local import effects
from serinus.manifests import Index

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: x, annotations: {a.b/c: d}}
spec:
  replicas: 1
  revisionHistoryLimit: 3
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}
  template:
    metadata: {labels: {app: x}}
    spec:
      containers:
        - name: a
          image: x
          resources: {limits: {memory: 1Gi}}
          env: [{name: A, value: b}]
"""


def test_fields_without_effect_are_told_once_with_their_reason():
    found = effects.without_effect(Index.parse(DEPLOYMENT))
    assert [item.path for item in found] == [
        "metadata.annotations",
        "spec.revisionHistoryLimit",
        "spec.strategy.rollingUpdate",
        "spec.template.spec.containers[].image",
        "spec.template.spec.containers[].resources",
    ]
    assert all(item.reason for item in found)


def test_a_whole_kind_can_be_without_effect():
    text = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x}\nspec: {a: 1}\n"
    (found,) = effects.without_effect(Index.parse(text))
    assert (found.kind, found.path) == ("PodDisruptionBudget", "")


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("replicas: 1", "replicas: 1\n  paused: true", "spec.paused"),
        ("name: a\n", "name: a\n          stdin: true\n", "spec.template.spec.containers[0].stdin"),
        ("value: b", "valueFrom: {resourceFieldRef: {resource: x}}", "env[0].valueFrom"),
        (
            "spec:\n      c",
            "spec:\n      initContainers: [{name: i}]\n      c",
            "spec.template.spec.initContainers",
        ),
    ],
)
def test_an_unknown_field_is_an_error_with_object_and_path(old, new, path):
    assert old in DEPLOYMENT
    with pytest.raises(ManifestError) as caught:
        effects.without_effect(Index.parse(DEPLOYMENT.replace(old, new)))
    assert f"Deployment x {path}" in caught.value.what or path in caught.value.what
    assert "rendered line" in caught.value.what


def test_everything_unknown_is_listed_at_once():
    text = DEPLOYMENT.replace("replicas: 1", "paused: true") + (
        "---\napiVersion: x/v1\nkind: Widget\nmetadata: {name: w}\n"
        "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\n"
    )
    with pytest.raises(ManifestError) as caught:
        effects.without_effect(Index.parse(text))
    for part in ("spec.paused", "Widget w", "StatefulSet s", "use store.sqlite"):
        assert part in caught.value.what


def test_empty_values_need_no_effect():
    text = DEPLOYMENT.replace("replicas: 1", "replicas: 1\n  other: {}\n  more: []\n  none: null")
    assert effects.without_effect(Index.parse(text))
