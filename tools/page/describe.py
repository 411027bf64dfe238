"""Writes the description of the review page's API, against which the page's types are checked, as JSON to a file.

python tools/page/describe.py FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fastapi import FastAPI

from unmingle.review import app as page

app = FastAPI()
for router in page.ROUTERS:
    app.include_router(router)
file = Path(sys.argv[1])
file.parent.mkdir(exist_ok=True)
file.write_text(json.dumps(app.openapi()), encoding="utf-8")
