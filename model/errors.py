"""Everything the model package raises.

ModelError
├── InputError                  an array that is not an image the classifier can take
├── ArtifactError               a file that must not be served
│   ├── ArtifactNotFound
│   ├── UnsupportedFormat       of a format or normalizer version this release does not have
│   ├── NotSigned               by none of the keys that are trusted
│   └── ArtifactCorrupt
│       ├── NotCanonical        not a zip, truncated, or not byte for byte what the writer writes
│       ├── PickledMember       an object array, which only pickle could load
│       ├── UnknownMember
│       ├── MissingMember
│       ├── MemberMismatch      another dtype, shape or size than the architecture requires
│       ├── InvalidManifest     a manifest field that is missing, unknown or out of range
│       ├── UnsoundReference    a drift reference that is no histograms of images
│       ├── DigestMismatch
│       ├── NonFiniteParameter
│       └── GoldenMismatch      the network does not reproduce its own golden logits
├── ExportError                 a model that cannot be written as ONNX
├── KeyUnusable                 a key to sign or to check with that is none, or nothing to do it by
└── StoreError
    ├── VersionNotFound         no such version, or an alias that points nowhere
    ├── VersionExists           versions are immutable
    ├── AliasRefused            an alias that may not go where it was sent
    ├── StoreUnsound            a check of the whole store found something bad
    └── StoreUnusable           no directory, one that cannot be written, or links out of it

Messages name the file or the field and end with what to do about it.
"""


class ModelError(Exception):
    """Base of every error of this package."""


class InputError(ModelError):
    """An array that is not an image the classifier can take."""


class ArtifactError(ModelError):
    """An artifact that must not be served."""


class ArtifactNotFound(ArtifactError):
    """There is no regular file at that path."""


class UnsupportedFormat(ArtifactError):
    """Its format or normalizer version is not one that this release has."""


class NotSigned(ArtifactError):
    """Keys are trusted here, and none of them has signed it."""


class ArtifactCorrupt(ArtifactError):
    """The file is not a sound artifact."""


class NotCanonical(ArtifactCorrupt):
    """Not a zip, truncated, or not byte for byte what the writer writes."""


class PickledMember(ArtifactCorrupt):
    """A member is an object array, which only pickle could load."""


class UnknownMember(ArtifactCorrupt):
    """A member that the architecture does not call for."""


class MissingMember(ArtifactCorrupt):
    """A member that the architecture calls for is not there."""


class MemberMismatch(ArtifactCorrupt):
    """A member has another dtype, shape or size than the architecture requires."""


class InvalidManifest(ArtifactCorrupt):
    """A manifest field is missing, unknown, of the wrong type or out of range."""


class UnsoundReference(ArtifactCorrupt):
    """The drift reference is no histograms of one set of images."""


class DigestMismatch(ArtifactCorrupt):
    """The content is not the one the digest was taken of."""


class NonFiniteParameter(ArtifactCorrupt):
    """A parameter or a golden logit is NaN or infinite."""


class GoldenMismatch(ArtifactCorrupt):
    """The network does not reproduce its own golden logits."""


class ExportError(ModelError):
    """A model cannot be written as ONNX: there is no package for it, or no such file."""


class KeyUnusable(ModelError):
    """A key to sign or to check with is none, or there is no package for it."""


class StoreError(ModelError):
    """A store of versions that cannot do what was asked."""


class VersionNotFound(StoreError):
    """No such version, or an alias that points nowhere."""


class VersionExists(StoreError):
    """Versions are immutable: another artifact has that number."""


class AliasRefused(StoreError):
    """A version that may not have the alias: a champion cannot be its own challenger."""


class StoreUnsound(StoreError):
    """A check of all versions and aliases found bad ones."""


class StoreUnusable(StoreError):
    """No directory, not one to write to, no room in it, or a file in it that is not a plain one."""
