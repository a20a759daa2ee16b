"""The README's table of networks is the code's."""

from pathlib import Path

from vernier.models.catalog_text import markdown_table

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- models -->", "<!-- /models -->"


def test_the_readmes_table_is_up_to_date():
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1, f"README.md needs {BEGIN} and {END} around the table"
    block = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert block == markdown_table(), "print vernier.models.catalog_text.markdown_table() between the markers"
