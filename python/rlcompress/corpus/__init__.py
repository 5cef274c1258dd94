"""Random dense networks trained on many data sets: what an agent that narrows networks learns from and is judged on."""

from __future__ import annotations

from rlcompress.corpus.architectures import Architecture, random_architecture
from rlcompress.corpus.base_networks import train_base, train_bases
from rlcompress.corpus.build import Corpus, CorpusItem, CorpusSettings, build_corpus, stored_items
from rlcompress.corpus.cache import BaseNetworkCache
from rlcompress.corpus.families import KNOWN_FAMILIES, detect_families, family, folds
from rlcompress.corpus.folder import DataSet, data_set, data_set_files, data_sets

__all__ = [
    "KNOWN_FAMILIES",
    "Architecture",
    "BaseNetworkCache",
    "Corpus",
    "CorpusItem",
    "CorpusSettings",
    "DataSet",
    "build_corpus",
    "data_set",
    "data_set_files",
    "data_sets",
    "detect_families",
    "family",
    "folds",
    "random_architecture",
    "stored_items",
    "train_base",
    "train_bases",
]
