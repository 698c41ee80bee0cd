"""Training: from a spec and a table to weights, a record of how they came about, and predictions.

    symgrad.train("specs/iris.toml", "data/iris.csv", into="runs/iris")      Run
    symgrad.resume("runs/iris")                    goes on with one that was interrupted, or killed
    symgrad.cross_validate("specs/iris.toml", "data/iris.csv", folds=5)      Folds
    symgrad.Run.load("runs/iris").predict("new.csv")                         Predictions

What trains is the emitted module; it is known here by its contract alone (`module.py`). Below each
file stand those that it imports from.

    train.py        what a user calls: train, cross_validate, resume; callback.py: told how it goes
    notebook.py     what a notebook shows meanwhile; curve.py: losses as they come
    cross_validation.py   a fit a fold, and one record of all
    runner.py       one fit with all around it; monitor.py: its checkpoints and pictures
    fit_task.py     one fit, prepared
    run.py          what comes out; predict.py: what it says of new data; plot.py: how it looks
    regions.py      which class is given where
    experiment.py   what is trained on what; dataset.py: samples as the network takes them
    fit.py          the epochs, in compiled code; whole_batch.py: the iterations, in SciPy
    folder.py       a run's folder; checkpoint.py: where a fit stands; atomic.py: files, or none
    data/           tables into samples; evaluate.py: weights on them; metrics.py: by which figures
    caller.py       how messages name what can be given: as Python has it, or the command line
    consistency.py  whether weights fit together with all they need; trained.py: these
"""
