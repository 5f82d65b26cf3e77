"""What a served model is: its network, its file, its eyes and its judgement."""

from model.artifact import Artifact
from model.classifier import Classifier, Explanation, Prediction
from model.errors import ArtifactError, InputError, ModelError, StoreError
from model.network import Network
from model.store import Store, locate

__all__ = [
    "Artifact",
    "ArtifactError",
    "Classifier",
    "Explanation",
    "InputError",
    "ModelError",
    "Network",
    "Prediction",
    "Store",
    "StoreError",
    "locate",
]
