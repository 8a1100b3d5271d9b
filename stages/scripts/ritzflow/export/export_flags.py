"""The flags of export_products.py."""

import json
from argparse import BooleanOptionalAction, Namespace
from pathlib import Path

from ritzflow.common import weights_files
from ritzflow.common.script_cli import InputError, Parser
from ritzflow.export.losses import standard_losses
from ritzflow.export.module.logits import AXES
from ritzflow.export.module.precision import DTYPES
from ritzflow.export.trace.split import PRODUCTS


def declare(parser: Parser) -> None:
    parser.add_argument("--module", help="package.module:function that returns the nn.Module")
    parser.add_argument("--kwargs", default="{}", help="the function's keyword arguments, JSON")
    parser.add_argument(
        "--weights", help="of the module: a file or folder of its checkpoint; {step} in it: one for each step"
    )
    parser.add_argument(
        "--steps",
        nargs="+",
        help="with {step} in --weights or --hf: numbers and final, the largest (default: all)",
    )
    parser.add_argument(
        "--weights-key", help="the dictionary of the checkpoint, where several fit: model, ema"
    )
    parser.add_argument("--prefix", help="of the names in the checkpoint, where several fit: model.")
    parser.add_argument(
        "--strict", action=BooleanOptionalAction, default=True, help="refuse tensors the module does not have"
    )
    parser.add_argument(
        "--trainable", action="store_true", help="only parameters with requires_grad; others are constants"
    )
    parser.add_argument(
        "--hf", help="a Hugging Face folder or adapter, instead of --module; {step} in it: one for each step"
    )
    parser.add_argument(
        "--hf-base", type=Path, help="the base model's folder, where --hf is an adapter of peft"
    )
    parser.add_argument("--data", type=Path, required=True, help="data.h5: shapes, and samples to verify on")
    parser.add_argument(
        "--loss",
        help="cross_entropy, mse, bce, huber, language_modeling (default: by the task), or "
        "package.module:function of (outputs, targets) that returns the losses of the samples",
    )
    standard_losses.declare(parser)
    parser.add_argument(
        "--loss-is-convex", action="store_true", help="in the outputs: its ggn is positive semi-definite"
    )
    parser.add_argument(
        "--objective",
        help="package.module:function of (module, inputs, targets) that returns the losses of the samples, "
        "where they are no function of the outputs: hessian and empirical_fisher",
    )
    parser.add_argument(
        "--class-axis", choices=AXES, help="of logits [N, C, ...] or [N, ..., C] (default: by the shapes)"
    )
    parser.add_argument("--micro-batch", type=int, help="samples of one product (default: about 512 rows)")
    parser.add_argument(
        "--whole-batch", action="store_true", help="all samples as one batch: they may depend on one another"
    )
    parser.add_argument(
        "--products", nargs="+", choices=PRODUCTS, default=list(PRODUCTS), help="what is exported; always ggn"
    )
    parser.add_argument(
        "--dtype-compute", nargs="+", choices=DTYPES, default=["float32"], help="types to export products in"
    )
    parser.add_argument(
        "--verify",
        choices=DTYPES,
        default="float64",
        help="float32: half the memory, to 1e-4 instead of 1e-8",
    )
    parser.add_argument(
        "--compile",
        choices=["auto", "aoti", "none"],
        default="auto",
        help="aoti: compiled, in minutes; none: at eager speed; auto: compiled where that pays",
    )
    parser.add_argument(
        "--packages", type=Path, default=Path("results/.packages"), help="folder of the packages"
    )
    parser.add_argument("--out", type=Path, required=True, help="the model.h5 to write")


def check(options: Namespace) -> None:
    """Parses `kwargs`. Raises InputError for what says nothing, or what contradicts itself."""
    try:
        options.kwargs = json.loads(options.kwargs)
    except json.JSONDecodeError as error:
        raise InputError(f"--kwargs: not JSON: {error}") from None
    if not isinstance(options.kwargs, dict):
        raise InputError(f"--kwargs: '{options.kwargs}' is no JSON object of keyword arguments")
    if options.hf is None and (options.module is None or options.weights is None):
        raise InputError("expected --module and --weights, or --hf FOLDER")
    if options.hf is not None and (options.module or options.weights):
        raise InputError("--hf names a whole model; leave --module and --weights out")
    if options.hf is not None and (options.weights_key or options.prefix is not None or not options.strict):
        raise InputError("--weights-key, --prefix and --no-strict are for --weights; leave them out")
    check_steps(options)
    if options.hf_base is not None and options.hf is None:
        raise InputError("--hf-base is the base of an adapter that --hf names; leave it out")
    if options.objective and (options.loss or options.loss_is_convex):
        raise InputError("--objective stands in the place of --loss; leave --loss out")
    if options.loss_is_convex and ":" not in (options.loss or ""):
        raise InputError("--loss-is-convex is about --loss package.module:function; ours are all convex")
    if options.micro_batch is not None and options.micro_batch < 1:
        raise InputError(f"--micro-batch: {options.micro_batch} is below 1")
    if options.verify == "float32" and options.dtype_compute != ["float32"]:
        raise InputError("--verify float32 is not a check of float64 products; leave --verify out")
    if not options.out.parent.is_dir():
        raise InputError(f"--out: {options.out.parent}: no such folder")


def place_of_weights(options: Namespace) -> tuple[str, str]:
    """Which flag says where the weights are, and what it says."""
    return ("--weights", options.weights) if options.hf is None else ("--hf", options.hf)


def check_steps(options: Namespace) -> None:
    """Makes numbers of `steps`. Raises InputError for one that is none, or without a place in a name."""
    flag, name = place_of_weights(options)
    if weights_files.STEP not in name:
        if options.steps is not None:
            raise InputError(f"--steps: {flag} has no {{step}}, which the number of each would stand for")
        return
    words = options.steps or [weights_files.ALL]
    if words == [weights_files.ALL]:
        options.steps = weights_files.ALL
        return
    for word in words:
        if word != weights_files.FINAL and not (word.isdecimal() and len(word) <= 8):
            raise InputError(
                f"--steps: '{word}' is not a step; expected numbers of at most 8 digits, final, or all"
            )
    options.steps = [word if word == weights_files.FINAL else int(word) for word in words]
