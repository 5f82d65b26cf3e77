"""Everything the training package raises.

TrainingError
├── RecipeError     a recipe that is missing, has unknown fields or values out of range
├── DataError       a data set that is missing, damaged or not what it says it is
├── CheckpointError a checkpoint that is damaged, or of another run
├── ProducerError   the process that prepares batches has ended before its time
├── GateError       a candidate that cannot be judged, or not be promoted any more
└── DivergedError   a loss that is no number any more

Messages name the file and the field and end with what to do about it.
"""


class TrainingError(Exception):
    """Base of every error of this package."""


class RecipeError(TrainingError):
    """A recipe that is missing, has unknown fields or values out of range."""


class DataError(TrainingError):
    """A data set that is missing, damaged or not what it says it is."""


class CheckpointError(TrainingError):
    """A checkpoint that is damaged, or of another run."""


class ProducerError(TrainingError):
    """The process that prepares batches has ended before its time."""


class GateError(TrainingError):
    """A candidate that cannot be judged, or not be promoted any more."""


class DivergedError(TrainingError):
    """A loss that is no number any more."""
