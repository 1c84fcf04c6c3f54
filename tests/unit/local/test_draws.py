from serinus.local import draws

TEXT = """# HELP serinus_assignments_total Draws made at the gateway, seen by app-frontend.
# TYPE serinus_assignments_total counter
serinus_assignments_total{app="app-frontend",epoch="7",track="canary",weight="10"} 12.0
serinus_assignments_total{app="app-frontend",epoch="7",track="canary",weight="25"} 3.0
serinus_assignments_total{app="app-frontend",epoch="6",track="canary",weight="10"} 99.0
serinus_assignments_created{app="app-frontend",epoch="7",track="canary",weight="10"} 1.7e9
serinus_other_total{epoch="7",track="canary"} 5.0
"""


def test_draws_of_one_epoch_whatever_their_weight():
    assert draws.total([TEXT], 7) == {"canary": 15}
    assert draws.total([TEXT], 8) == {}


def test_draws_of_all_pods_are_summed():
    stable = 'serinus_assignments_total{epoch="7",track="stable"} 1.0\n'
    assert draws.total([TEXT, TEXT + stable], 7) == {"canary": 30, "stable": 1}
