"""Reports as pages for a browser: `blocks.py`, what a report consists of; `page.py`, the page that
shows it; `charts.py`, its charts; `text.py`, its figures and words."""
