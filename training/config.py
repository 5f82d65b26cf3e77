"""Recipes: one TOML file an experiment, one frozen dataclass in the code.

A recipe is checked when it is built and saved in the artifact as JSON, so a
trained model always says how to train it again.
"""

import math
import re
import tomllib
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from model.architecture import FRAME_SIDE, Architecture
from training import tables
from training.errors import RecipeError
from training.tables import require

LARGEST = 1e6  # of a first parameter: far above any that trains, far below float32's end

SMALLEST_EPSILON = 1e-30  # float32 still tells it from 0

MAX_ROTATION = 45  # degrees; beyond it a 6 is on its way to a 9

RECIPES = Path(__file__).parent / "recipes"

MNIST = "mnist"  # the source that has a test set of its own

NAME = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")


# -- optimizers ---------------------------------------------------------------


@dataclass(frozen=True)
class GradientDescent:
    """Plain gradient descent."""

    learning_rate: float

    def __post_init__(self) -> None:
        _positive("optimizer.learning_rate", self.learning_rate)


@dataclass(frozen=True)
class Momentum(GradientDescent):
    """Gradient descent with momentum."""

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        _decay("optimizer.momentum", self.momentum)


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Gradient descent with Nesterov's momentum."""


@dataclass(frozen=True)
class RMSprop(GradientDescent):
    """Gradient descent divided by a running root mean square."""

    decay: float = 0.9
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        _decay("optimizer.decay", self.decay)
        _epsilon(self.epsilon)


@dataclass(frozen=True)
class Adam(GradientDescent):
    """Adam."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        _decay("optimizer.beta1", self.beta1)
        _decay("optimizer.beta2", self.beta2)
        _epsilon(self.epsilon)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay."""

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        _finite("optimizer.weight_decay", self.weight_decay)


OptimizerConfig: TypeAlias = GradientDescent | Momentum | Nesterov | RMSprop | Adam | AdamW


# -- learning-rate schedules --------------------------------------------------


@dataclass(frozen=True)
class Constant:
    """The optimizer's learning rate throughout."""


@dataclass(frozen=True)
class Step:
    """The learning rate times ``factor`` after every ``epochs``."""

    epochs: int
    factor: float

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "schedule.epochs", "1 or more")
        require(0 < self.factor <= 1, "schedule.factor", "above 0, at most 1")


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from the learning rate to 0."""


@dataclass(frozen=True)
class OneCycle:
    """Up from ``start`` times the learning rate in the share ``rise`` of all steps, then down."""

    rise: float = 0.3
    start: float = 0.04

    def __post_init__(self) -> None:
        require(0 < self.rise < 1, "schedule.rise", "between 0 and 1")
        require(0 < self.start <= 1, "schedule.start", "above 0, at most 1")


ScheduleConfig: TypeAlias = Constant | Step | Cosine | OneCycle


# -- losses -------------------------------------------------------------------


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """Cross-entropy of the softmax of the logits."""

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.label_smoothing < 1, "loss.label_smoothing", "from 0 to below 1")


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Cross-entropy of the sigmoid of each logit, ten yes-or-no questions."""


@dataclass(frozen=True)
class MeanSquaredError:
    """Squared error of the softmax of the logits."""


@dataclass(frozen=True)
class Distillation:
    """Cross-entropy with the softened answers of other models beside the labels.

    teacher: the path of an artifact (``.npz``), or the recipe that makes teachers.
    teachers: how many of that recipe there are, of the seeds from 1 on.
    temperature: both sides are softened by it. weight: the teachers' share of the loss.
    """

    teacher: str
    teachers: int = 1
    temperature: float = 2.0
    weight: float = 0.5

    def __post_init__(self) -> None:
        require(self.teacher != "", "loss.teacher", "the path of an artifact or a recipe")
        require(self.teachers >= 1, "loss.teachers", "1 or more")
        require(
            self.teachers == 1 or not self.from_artifact,
            "loss.teachers",
            "left out where loss.teacher is an artifact",
        )
        _positive("loss.temperature", self.temperature)
        require(0 <= self.weight <= 1, "loss.weight", "from 0 to 1")

    @property
    def from_artifact(self) -> bool:
        """Whether the teacher is an artifact that is there, and not yet to be trained."""
        return self.teacher.endswith(".npz")


LossConfig: TypeAlias = SoftmaxCrossEntropy | BinaryCrossEntropy | MeanSquaredError | Distillation


# -- distributions of the first parameters ------------------------------------


@dataclass(frozen=True)
class He:
    """Normal, variance 2 / fan-in."""


@dataclass(frozen=True)
class Glorot:
    """Uniform, variance 2 / (fan-in + fan-out)."""


@dataclass(frozen=True)
class Lecun:
    """Normal, variance 1 / fan-in."""


@dataclass(frozen=True)
class Uniform:
    """Uniform from ``low`` to ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        require(
            -LARGEST <= self.low <= self.high <= LARGEST,
            "initialization.low",
            f"at most high, and both from -{LARGEST:g} to {LARGEST:g}",
        )


@dataclass(frozen=True)
class Normal:
    """Normal, mean 0, standard deviation ``scale``."""

    scale: float

    def __post_init__(self) -> None:
        require(0 <= self.scale <= LARGEST, "initialization.scale", f"from 0 to {LARGEST:g}")


@dataclass(frozen=True)
class Zeros:
    """All 0."""


Distribution: TypeAlias = He | Glorot | Lecun | Uniform | Normal | Zeros


@dataclass(frozen=True)
class Initialization:
    """Where weights and biases come from. Batch norm starts at scale 1 and shift 0."""

    weights: Distribution = He()
    biases: Uniform | Normal | Zeros = Zeros()


# -- data ---------------------------------------------------------------------


@dataclass(frozen=True)
class AugmentationConfig:
    """Bounds of random changes; each image draws its own amounts, uniformly.

    rotation: degrees either way. scale, shear: fractions either way. shift:
    pixels either way. elastic: amplitude of the displacement in pixels, up to.
    elastic_smoothness: standard deviation in pixels of what smooths it.
    stroke: pixels by which strokes grow or shrink, up to, either way. hollow:
    share of the ink that leaves the strokes, up to; a contour stays. erase: share
    of the frame that one rectangle hides, up to. blur: standard deviation in
    pixels, up to. noise: standard deviation as a share of 255, up to. spared: share
    of the images, drawn anew each time, to which none of the last four happens.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0
    elastic: float = 0.0
    elastic_smoothness: float = 4.0
    stroke: float = 0.0
    hollow: float = 0.0
    erase: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    spared: float = 0.0

    def __post_init__(self) -> None:
        for name, high, unit in (
            ("rotation", MAX_ROTATION, " degrees"),
            ("scale", 0.9, ""),
            ("shear", 0.9, ""),
            ("shift", FRAME_SIDE - 1, " pixels"),
            ("elastic", 10, " pixels"),
            ("stroke", 2, " pixels"),
            ("hollow", 1, ""),
            ("erase", 0.5, ""),
            ("blur", 3, " pixels"),
            ("noise", 1, ""),
            ("spared", 0.99, ""),
        ):
            value = getattr(self, name)
            require(0 <= value <= high, f"augmentation.{name}", f"from 0 to {high}{unit}")
        require(
            1 <= self.elastic_smoothness <= FRAME_SIDE / 2,
            "augmentation.elastic_smoothness",
            f"from 1 to {FRAME_SIDE // 2} pixels",
        )

    @property
    def enabled(self) -> bool:
        """Whether any bound lets an image change."""
        idle = AugmentationConfig(elastic_smoothness=self.elastic_smoothness, spared=self.spared)
        return astuple(self) != astuple(idle)

    @property
    def spoils(self) -> bool:
        """Whether images are hollowed, erased, blurred or made noisy."""
        return any((self.hollow, self.erase, self.blur, self.noise))


@dataclass(frozen=True)
class DataConfig:
    """Which images train, which validate, which test.

    source: "mnist" for the IDX files with their own test set, or the name of a
    CSV file, an .npz file or a folder of images by class. shuffle: whether rows
    change places, by the recipe's seed, before they are divided. test_rows: how
    many rows from the end of a source without a test set of its own are its
    test set. validation_fraction: share of what is left that is held out of
    training, by writers where they are known; 0 for none. outliers: how many pictures
    without a digit join every digit of a batch, on which the network is to be undecided.
    """

    source: str = MNIST
    shuffle: bool = False
    test_rows: int = 0
    validation_fraction: float = 0.1
    outliers: float = 0.0

    def __post_init__(self) -> None:
        require(self.source != "", "data.source", "'mnist' or the name of a file")
        if self.source == MNIST:
            require(self.test_rows == 0, "data.test_rows", "0: MNIST has a test set")
            require(not self.shuffle, "data.shuffle", "false: MNIST's halves stand as they are")
        else:
            require(self.test_rows >= 1, "data.test_rows", "1 or more: the source has no test set")
        require(0 <= self.validation_fraction < 1, "data.validation_fraction", "from 0 to below 1")
        require(0 <= self.outliers <= 1, "data.outliers", "from 0 to 1")


# -- the recipe ---------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """All that decides what a training run computes, but for the data itself.

    version: the integer version of the model it makes. batch_size: images to a
    step; left out, one step takes the whole training set. shuffle_every: epochs
    from one order of the images to the next. warm_up: epochs in which the
    learning rate rises from 0 to the schedule's. average_decay: of the running
    average of the parameters that becomes the model; 0 for none. clip_norm:
    the gradient's length is cut to it. patience: epochs without a better
    validation accuracy after which training stops and the best parameters are
    taken. threads: 2 to spread large steps over two cores; blas_threads: of BLAS
    within each. Both are part of the recipe because the order in which products are
    summed, so the last bit of the result, depends on them; what small products gain
    by a second thread of BLAS is little, what they lose by it beside another
    process is much.
    """

    name: str
    version: int
    seed: int
    architecture: Architecture
    epochs: int
    optimizer: OptimizerConfig
    batch_size: int | None = None
    shuffle_every: int = 1
    loss: LossConfig = SoftmaxCrossEntropy()
    schedule: ScheduleConfig = Constant()
    warm_up: float = 0.0
    average_decay: float = 0.0
    clip_norm: float | None = None
    patience: int | None = None
    initialization: Initialization = Initialization()
    augmentation: AugmentationConfig = AugmentationConfig()
    data: DataConfig = DataConfig()
    threads: int = 1
    blas_threads: int = 1

    def __post_init__(self) -> None:
        require(NAME.fullmatch(self.name) is not None, "name", "words such as 'mlp' or 'tiny-nn'")
        require(self.version >= 1, "version", "1 or more")
        require(self.seed >= 0, "seed", "0 or more")
        require(self.epochs >= 1, "epochs", "1 or more")
        require(self.batch_size is None or self.batch_size >= 1, "batch_size", "1 or more")
        require(self.shuffle_every >= 1, "shuffle_every", "1 or more")
        _finite("warm_up", self.warm_up)
        _decay("average_decay", self.average_decay)
        require(self.clip_norm is None or 0 < self.clip_norm < math.inf, "clip_norm", "above 0")
        require(self.patience is None or self.patience >= 1, "patience", "1 or more")
        require(
            self.patience is None or self.data.validation_fraction > 0,
            "patience",
            "left out where data.validation_fraction is 0",
        )
        require(self.threads in (1, 2), "threads", "1 or 2")
        require(self.blas_threads >= 1, "blas_threads", "1 or more")

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON values; ``Recipe.from_json`` inverts it."""
        return tables.to_json(self)

    @classmethod
    def from_json(cls, value: object) -> "Recipe":
        """The recipe of a table; raises RecipeError naming the field that is wrong."""
        return tables.build(cls, value)


def load_recipe(name: str) -> Recipe:
    """The recipe of that name, or in the TOML file of that path; raises RecipeError."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError:
        known = ", ".join(recipe_names())
        raise RecipeError(f"there is no recipe {name!r}; choose one of: {known}") from None
    # Not TOML, not UTF-8, a number of thousands of digits, or tables in tables without end.
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: is not TOML ({error}); correct it") from None
    try:
        return Recipe.from_json(document)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def _positive(field: str, value: float) -> None:
    require(0 < value < math.inf, field, "above 0 and finite")


def _epsilon(value: float) -> None:
    require(
        SMALLEST_EPSILON <= value < math.inf,
        "optimizer.epsilon",
        f"{SMALLEST_EPSILON:g} or more and finite",
    )


def _finite(field: str, value: float) -> None:
    require(0 <= value < math.inf, field, "0 or more and finite")


def _decay(field: str, value: float) -> None:
    require(0 <= value < 1, field, "from 0 to below 1")
