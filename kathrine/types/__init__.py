"""The frozen dataclasses that flow through a run, in the order in which they appear.

Shapes: F frames of one utterance, Q codebooks, H width of the talker's hidden state, N target rows of a batch
(every frame of every utterance, and the end of speech), M target frames of a batch, V codec vocabulary.
This module imports no torch: tensors are annotated by name only.
"""

from kathrine.types.data import Example, Part, PromptedExample, Split, Utterance
from kathrine.types.model import (
    Body,
    Fingerprints,
    Generated,
    LossTerm,
    ModelFacts,
    ParameterSpec,
    RowMeaning,
    Sampling,
    SelfCheck,
    SpeechRequest,
    Stop,
    TalkerOutputs,
)
from kathrine.types.run import (
    AdapterFacts,
    Checkpoint,
    Claim,
    DataSize,
    ExportResult,
    RunInfo,
    RunOutcome,
    SamplesReport,
    Spoken,
    Stage,
    StepReport,
    ValidationReport,
)

__all__ = [
    "AdapterFacts",
    "Body",
    "Checkpoint",
    "Claim",
    "DataSize",
    "Example",
    "ExportResult",
    "Fingerprints",
    "Generated",
    "LossTerm",
    "ModelFacts",
    "ParameterSpec",
    "Part",
    "PromptedExample",
    "RowMeaning",
    "RunInfo",
    "RunOutcome",
    "SamplesReport",
    "Sampling",
    "SelfCheck",
    "SpeechRequest",
    "Split",
    "Spoken",
    "Stage",
    "StepReport",
    "Stop",
    "TalkerOutputs",
    "Utterance",
    "ValidationReport",
]
