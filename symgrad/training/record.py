"""record: what run.json must hold, for it is text that anyone may edit.

    run.json ──json──▶ plain data ──checked──▶ Record

Only what is read again is checked; a record may say more.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from symgrad.training.labels import not_text

Record = dict[str, Any]

OVER = ("finished", "stopped early", "diverged")

_Count = Annotated[int, Field(ge=0)]


def _text(value: str) -> str:
    if wrong := not_text(value):
        raise ValueError(wrong)
    return value


_Text = Annotated[str, AfterValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, defer_build=True)  # most runs read no record


class _Figures(_Part):
    """As `Figures`, null for what is not finite."""

    model_config = ConfigDict(extra="forbid")

    samples: _Count
    loss: float | None
    accuracy: float | None = None
    log_loss: float | None = None
    confusion: list[list[_Count]] | None = None
    rmse: float | None = None
    r2: float | None = None
    rmse_by_output: list[float | None] | None = None
    r2_by_output: list[float | None] | None = None
    terms: dict[str, float | None] | None = None
    largest_by_output: list[float | None] | None = None  # absent from older records, as the rest
    roc_area_by_class: list[float | None] | None = None
    mae_by_output: list[float | None] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        outputs = (
            self.rmse_by_output, self.r2_by_output, self.largest_by_output, self.mae_by_output
        )  # fmt: skip
        if len({len(each) for each in outputs if each is not None}) > 1:
            raise ValueError("figures by output are of different numbers of outputs")
        if any(len(row) != len(self.confusion or ()) for row in self.confusion or ()):
            raise ValueError("a confusion matrix has as many rows as columns")
        return self


class _Training(_Part):
    epochs: _Count


class _Spec(_Part):
    training: _Training


class _Options(_Part):
    folds: Annotated[int, Field(ge=2)] | None = None


_Files = _Text | Annotated[list[_Text], Field(min_length=2)]


class _Data(_Part):
    path: _Files | dict[_Text, _Files] | None  # of a term of the loss by its name
    sha256: _Text


class _Initial(_Part):
    path: _Text | None
    sha256: _Text


class _Begun(_Part):
    id: _Text | None = None
    status: Literal["running", "interrupted", "finished", "stopped early", "diverged"]
    started: _Text
    spec: _Spec
    spec_file: _Text | None
    options: _Options
    data: _Data
    fold: Annotated[int, Field(ge=1)] | None = None
    initial: _Initial | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.fold is not None and self.fold > (self.options.folds or 0):
            raise ValueError(f"there is no fold {self.fold}")
        return self


class _Over(_Begun):
    """A run that is over, and not one of folds, which has none of this itself."""

    epochs: _Count
    kept_epoch: _Count
    figures: dict[str, _Figures]
    notes: list[_Text]

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.fold is not None and "validation" not in self.figures:
            raise ValueError("a fold has figures of what was held out")
        return self


def problem(record: object) -> str:
    """Why plain data is no record of a run, where it says what it shouldn't; empty if it is one."""
    try:
        begun = _Begun.model_validate(record)
        if begun.status in OVER and (begun.fold is not None or begun.options.folds is None):
            _Over.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else first["msg"]
    return ""
