"""Figures that were computed elsewhere, as `report.json` and as one self-contained HTML page.

`schema` says what a report holds and turns it into JSON and back; its parts about searches and explorations are
`searches` and `exploration`. `tables` defines its columns once for the command line and the page, `pictures` and
`examples` draw, `page` puts the page together and `summary` condenses the distances of a labelling. No module here
knows a run directory or touches a file: they return text.
"""
