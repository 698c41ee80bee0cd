"""Makes the README's picture of the example page: its counts, as a browser on a desktop shows them.

Needs Chromium, from the system.
"""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 860, "height": 900}, color_scheme="light")
    page.goto((HERE / "explain-iris.html").as_uri())
    page.locator('section[aria-labelledby="counts"]').screenshot(path=HERE / "explain-iris.png")
    browser.close()
