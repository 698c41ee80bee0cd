"""A run told on one page: what was trained on what, how well it does, and what it goes by.

    report.py       the sections in order, of a run's folder
    judged.py       the samples that it is judged by, and what it says of them
    trained.py      what was trained on what, and its losses
    numbers.py      errors of outputs that are numbers
    classes.py      errors of classes: their confusion, ROC and calibration
    importance.py   how much worse it does where an input is shuffled

What a page consists of, and what it looks like, is `symgrad.showing.pages`.
"""
