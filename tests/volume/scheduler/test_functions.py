"""The formulas of filter_function and goodness_function."""

import pytest

from celaje.volume.scheduler import functions

NAMES = {
    "stats": {"free_capacity_gb": 60, "total_capacity_gb": "100", "volume_backend_name": "fast", "n": None},
    "capabilities": {"QoS_support": True, "deep": {"er": 3}},
    "volume": {"size": 5},
    "extra": {"level": "gold"},
    "qos": {},
}


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("2 ^ 3 ^ 2", 512),
        ("-2 + 5", 3),
        ("7 - 2 - 1", 4),
        ("8 / 2 / 2", 2),
        ("volume.size >= 5 and volume.size <= 80", True),
        ("volume.size < 5 or not (stats.free_capacity_gb > 50)", False),
        ("volume.size == 5 & 1 == 1", True),
        ("!(1 == 1) | 2 <> 3", True),
        ("not 1 == 1", False),
        ("stats.total_capacity_gb < 500", True),
        ("(volume.size < 5) ? 100 : 50", 50),
        ("volume.size > 1 ? volume.size > 4 ? 3 : 2 : 1", 3),
        ("max(abs(-3), min(2, 9))", 3),
        ('extra.level == "gold"', True),
        ("stats.volume_backend_name != 'slow'", True),
        ("capabilities.QoS_support == True", True),
        ("capabilities.deep.er", 3),
        (".5 * 4", 2),
        ("100 - 100 * (volume.size / stats.free_capacity_gb)", 100 - 100 * 5 / 60),
        ("true and false", False),
    ],
)
def test_worth(formula, value):
    assert functions.evaluate(formula, NAMES) == pytest.approx(value)


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "1 +",
        "(1",
        "1 2",
        "volume.size ?",
        "volume.size ? 1",
        "stats.nothing > 1",
        "nobody.knows",
        "volume",
        "stats.n + 1",
        "1 / 0",
        "10 ^ 10000",
        "2 ^ 1024",
        "(0 - 8) ^ .5",
        "abs(1, 2)",
        "min(1)",
        "exec(1)",
        "__import__('os')",
        "'open",
        "a; b",
        "1" + " + 1" * 4000,
        "(" * 5000 + "1" + ")" * 5000,
        "2" + " ^ 2" * 100,
    ],
)
def test_what_cannot_be_worked_out_is_an_error_and_nothing_else(formula):
    with pytest.raises(functions.FormulaError):
        functions.evaluate(formula, NAMES)
