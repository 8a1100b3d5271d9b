"""Where each artifact of a sweep lies, below the results folder; names in braces are the axes of a cell."""

DATA = "data/{model}.h5"
RUN = "{model}/seed{seed}"
MATRIX = RUN + "/step{step}/{operator}{block}"
MODE = MATRIX + "/{reorth_mode}{variant}"
CELL = MODE + "/probe{probe}"

TRAINING = f"cells/{RUN}/training.json"  # of a module whose weights a command of the user's makes
MODEL = f"cells/{RUN}/model.h5"  # trained here, or exported from a module with its weights
KFAC = f"cells/{MATRIX}/kfac.h5"
OPERATOR = f"cells/{MATRIX}/operator.h5"
COMPARISON = f"cells/{MATRIX}/comparison.json"
DENSITY = f"cells/{MODE}/density.h5"
LANCZOS = f"cells/{CELL}/lanczos.h5"
RITZ = f"cells/{CELL}/ritz.h5"
METRICS = f"cells/{CELL}/metrics.json"
