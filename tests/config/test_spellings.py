"""Names that other systems use."""

from vernier.config.fields import all_fields, item_type, kinds
from vernier.config.spellings import OTHER_SPELLINGS, plain


def test_they_stand_for_kinds_and_are_none():
    known = {name for section in ("optimizer", "schedule", "loss") for name in kinds(all_fields()[section].annotation)}
    known |= set(kinds(item_type(all_fields()["augment.train"].annotation)))
    assert set(OTHER_SPELLINGS.values()) <= known
    assert all(plain(name) == name and name not in known for name in OTHER_SPELLINGS)
