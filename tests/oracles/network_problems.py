"""Small problems with each kind of network and loss, by name."""

from problems import Problem

FLOAT64 = ("--dtype-compute", "float64")


def mlp(loss, **options):
    architecture = {"kind": "mlp", "hidden": [6, 5], "activation": "tanh"} | options.pop("architecture", {})
    task = "regression" if loss == "mse" else "classification"
    return Problem(architecture, task, (4,), 3, loss=loss, **options)


def cnn(loss, norm, pooling, activation):
    architecture = {"kind": "cnn", "channels": [4, 4], "norm": norm, "groups": 2}
    architecture |= {"pooling": pooling, "activation": activation}
    task = "regression" if loss == "mse" else "classification"
    return Problem(architecture, task, (2, 6, 5), 3, loss=loss)


def transformer(loss="cross_entropy", tied=True, **options):
    architecture = {"kind": "transformer", "layers": 1, "heads": 2, "d_model": 4, "mlp_ratio": 2}
    architecture["tie_embeddings"] = tied
    return Problem(architecture, "language_modeling", (5,), 6, loss=loss, **options)


PROBLEMS = {
    "mlp_cross_entropy": lambda: mlp("cross_entropy"),
    "mlp_mse": lambda: mlp("mse"),
    "mlp_gelu_without_bias": lambda: mlp("cross_entropy", architecture={"activation": "gelu", "bias": False}),
    "mlp_silu": lambda: mlp("mse", architecture={"activation": "silu"}),
    "mlp_bce": lambda: mlp("bce"),
    "linear": lambda: mlp("cross_entropy", architecture={"hidden": []}),
    "cnn_group_max_cross_entropy": lambda: cnn("cross_entropy", "group", "max", "relu"),
    "cnn_group_avg_mse": lambda: cnn("mse", "group", "avg", "gelu"),
    "cnn_plain_max_mse": lambda: cnn("mse", "none", "max", "tanh"),
    "cnn_plain_no_pooling": lambda: cnn("cross_entropy", "none", "none", "silu"),
    "transformer_tied": lambda: transformer(),
    "transformer_untied": lambda: transformer(tied=False),
    "transformer_mse": lambda: transformer("mse"),
    "transformer_bce": lambda: transformer("bce"),
    "cnn_bce": lambda: cnn("bce", "group", "avg", "tanh"),
}
