"""Stage `tokenizer`: frames as 90 tokens of a learnt codebook (VQ-VAE), and back."""

from emurl_core.tokenizer.configuration import TokenizerConfig
from emurl_core.tokenizer.frame_encoder import FrameEncoder
from emurl_core.tokenizer.loading import load_encoder, load_tokenizer, require_same_codebook
from emurl_core.tokenizer.model import Tokenizer, codebook_sha256
from emurl_core.tokenizer.token_table import token_table
from emurl_core.tokenizer.training import train_tokenizer

__all__ = [
    "FrameEncoder",
    "Tokenizer",
    "TokenizerConfig",
    "codebook_sha256",
    "load_encoder",
    "load_tokenizer",
    "require_same_codebook",
    "token_table",
    "train_tokenizer",
]
