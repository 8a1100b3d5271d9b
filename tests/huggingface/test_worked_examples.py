"""The guide's examples with text, from small random models in the folders that they name."""

import shutil
from dataclasses import asdict

import pytest
import torch
from small_models import lora, saved, transformers
from worked_examples import ROOT, converged, run

from tests.models import gpt

WORDS = ["the", "film", "was", "good", "bad", "very", "a", "plot", "and", "dull", "bright"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("examples")
    torch.manual_seed(0)
    (place / "vocab.txt").write_text("\n".join(VOCABULARY))
    transformers.BertTokenizer(str(place / "vocab.txt")).save_pretrained(place / "my-bert")
    settings = {"vocab_size": len(VOCABULARY), "max_position_embeddings": 32, "num_labels": 3}
    base = transformers.BertForSequenceClassification(transformers.BertConfig(**settings, **SIZES))
    saved(base, place / "my-bert")
    saved(lora(base, "SEQ_CLS", ["query", "value"]), place / "my-lora")
    words = [WORDS[i] for i in torch.randint(len(WORDS), (1200,)).tolist()]
    rows = [f"{' '.join(words[8 * i : 8 * i + 3 + i % 6])},{1 + i % 3}" for i in range(24)]
    (place / "reviews.csv").write_text("\n".join(["review,stars", *rows]))
    (place / "book.txt").write_text(" ".join(words))
    shutil.copy(ROOT / "tests" / "models" / "gpt.py", place)
    config = gpt.GPTConfig(vocab_size=len(VOCABULARY))
    weights = {f"_orig_mod.{name}": value for name, value in gpt.GPT(config).state_dict().items()}
    torch.save({"model": weights, "model_args": asdict(config), "iter_num": 10}, place / "ckpt.pt")
    return place


@pytest.mark.parametrize(
    "title", ["A text classifier of Hugging Face", "Its adapter by LoRA", "A GPT of your own"]
)
def test_a_worked_example_runs_as_it_is_printed(title, folder):
    assert len(converged(run(title, folder))) >= 5
