"""The reference holds every key, kind and operation with its default."""

from vernier.config.augment import AugmentConfig
from vernier.config.fields import all_fields, item_type, kind_names, section_classes
from vernier.config.reference import reference_markdown

TEXT = reference_markdown()


def test_every_key_has_a_row():
    keys = [key for key, field in all_fields().items() if not section_classes(field.annotation)]
    kinds = ("optimizer.name", "schedule.name", "loss.name")
    assert [key for key in keys if f"\n| `{key}` | " not in TEXT and key not in kinds] == []


def test_every_operation_has_a_heading_and_the_probability_in_its_table():
    operations = section_classes(item_type(AugmentConfig.model_fields["train"].annotation))
    text = TEXT.partition("\n## Operations\n")[2]
    for operation in operations:
        _, _, below = text.partition(f"### {' or '.join(f'`{name}`' for name in kind_names(operation))}\n")
        assert "| `p` | a number from 0 to 1 |" in below.partition("\n###")[0]


def test_rows_are_in_plain_words_with_defaults_and_meaning():
    assert "| `train.epochs` | a whole number, at least 1 | `10` |" in TEXT
    assert "| `optimizer.betas` | a list of 2 (each a number, at least 0 and below 1) | `[0.9, 0.999]` |" in TEXT
    assert "| `data.store` | auto, disk, memory or off | `auto` | Where decoded images are kept" in TEXT
    assert "| `train.ema.decay` | a number, above 0 and below 1, or auto | `auto` | Share of the average" in TEXT


def test_tables_are_well_formed():
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {5}
    assert TEXT.endswith("\n")
