"""Figures that were computed elsewhere, as `report.json` and as one self-contained HTML page.

`figures`, `distances` and `schema` say what a report holds and turn it into JSON and back. `tables`, `asking` and
`bills` define its columns once for the command line and the page, `pictures`, `strips` and `examples` draw in `colors`,
`page` puts the page together, and `card` writes a model card. No module here knows a run directory or touches a file:
they return text or bytes.
"""
