import pytest

from serinus.cli.deploy import hidden

SECRET = """\
---
# Source: serinus/templates/workloads/secret.yaml
apiVersion: v1
kind: Secret
metadata:
  # Kept on uninstall.
  name: keys
  annotations: {"helm.sh/resource-policy": keep}
type: Opaque
"""


@pytest.mark.parametrize(
    "data",
    [
        "data:\n  key: aHVzaC1odXNo\n",
        "data: {key: aHVzaC1odXNo}\n",
        'stringData:\n  "a: b": |\n    aHVzaC1odXNo\n    second: aHVzaC1odXNo\n  other: x\n',
        "stringData:\n  key: >-\n    some\n    aHVzaC1odXNo\ndata:\n  more: aHVzaC1odXNo\n",
    ],
    ids=["block", "flow", "several lines", "folded"],
)
@pytest.mark.parametrize("kind", ["kind: Secret", 'kind: "Secret"'])
def test_no_form_of_a_secrets_contents_is_shown(data, kind):
    shown = "\n".join(hidden(SECRET.replace("kind: Secret", kind) + data))
    assert "aHVzaC1odXNo" not in shown
    assert "(secret, " in shown
    assert "name: keys" in shown
    assert "# Source: serinus/templates/workloads/secret.yaml" in shown


def test_another_value_is_another_digest_and_the_same_is_the_same():
    one, again, other = (
        list(hidden(f"{SECRET}data:\n  key: {value}\n")) for value in ("YQ==", "YQ==", "Yg==")
    )
    assert one == again
    assert next(line for line in one if line not in other).startswith("  key: (secret, ")


def test_everything_else_is_shown_as_it_is():
    text = "---\nkind: ConfigMap\ndata:\n  key: open\n---\nkind: Deployment\nspec: {secret: a}\n"
    assert list(hidden(text)) == text.splitlines()


def test_space_at_a_documents_end_makes_no_difference():
    three = "---\nkind: ConfigMap\ndata:\n  a: |-\n    x\n    \n\n---\nkind: Pod\n"
    four = "---\nkind: ConfigMap\ndata:\n  a: |-\n    x\n---\nkind: Pod\n"
    assert list(hidden(three)) == list(hidden(four))
