#!/usr/bin/env python3
"""Trace the curvature products of a PyTorch module once, for the C++ stages to run.

    export_products.py --module mine:resnet --weights resnet.pt --data data.h5 --out model.h5
    build-operator --model model.h5 --data data.h5 --operator ggn --out operator.h5

`mine.resnet()` returns the module; it is taken in evaluation mode: dropout off, batch normalisation with its
running statistics. The products are packages under --packages, one for each shape and type and machine, made
once and found again by digest; model.h5 holds the weights and names them. Every traced product is compared
with eager autograd in float64 before anything is written (--verify float32: in half the memory, to 1e-4).
"""

import json
import math
import os
import sys
import time
from argparse import BooleanOptionalAction
from dataclasses import replace
from pathlib import Path

import environment  # noqa: F401
import made_with
import torch
from artifact_digest import digest_of
from products import data, eager, losses, model_file, objectives, package, standard_losses, verify
from products.evaluation import evaluation_mode, refuse_batch_statistics
from products.independence import require_independent
from products.inputs import Slots, arguments, described, samples_in, typed
from products.logits import AXES, layout_of, tensor_of
from products.loss_export import LossExport, fitted, verified_loss
from products.modules import Model, load_module
from products.places import line_of
from products.precision import exact
from products.sample_axis import keeps_samples_apart
from products.soundness import require_sound
from products.split import BASE, PRODUCTS, Function, Splitter
from products.summary import summary
from products.tensors import check_input
from products.trace import Trace, example_slots, trace
from products.weights import load_weights, refuse_not_finite
from script_cli import InputError, Parser, Refusal, run

ALGORITHM = 2
DTYPES = {"float32": torch.float32, "float64": torch.float64}


def parse():
    parser = Parser("export_products", ALGORITHM, "Trace the curvature products of a PyTorch module.")
    parser.add_argument("--module", help="package.module:function that returns the nn.Module")
    parser.add_argument("--kwargs", default="{}", help="the function's keyword arguments, JSON")
    parser.add_argument("--weights", type=Path, help="of the module: a file or folder of its checkpoint")
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
    parser.add_argument("--hf", type=Path, help="a Hugging Face folder or adapter, instead of --module")
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
        "--compile", choices=["aoti", "none"], default="aoti", help="compiled, or at eager speed"
    )
    parser.add_argument(
        "--packages", type=Path, default=Path("results/.packages"), help="folder of the packages"
    )
    parser.add_argument("--out", type=Path, required=True, help="the model.h5 to write")
    options = parser.parse_args()
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
    if options.hf_base is not None and options.hf is None:
        raise InputError("--hf-base is the base of an adapter that --hf names; leave it out")
    if options.objective and (options.loss or options.loss_is_convex):
        raise InputError("--objective stands in the place of --loss; leave --loss out")
    if options.loss_is_convex and ":" not in (options.loss or ""):
        raise InputError("--loss-is-convex is about --loss package.module:function; ours are all convex")
    if options.micro_batch is not None and options.micro_batch < 1:
        raise InputError(f"--micro-batch: {options.micro_batch} is below 1")
    if options.verify == "float32" and options.dtype_compute != ["float32"]:
        raise InputError("--verify float32 is no check of float64 products; leave --verify out")
    if not options.out.parent.is_dir():
        raise InputError(f"--out: {options.out.parent}: no such folder")
    return options


def loaded(options) -> Model:
    """The module with its weights, in evaluation mode."""
    if options.hf:
        from products.huggingface import load_folder

        model, line = load_folder(options.hf, options.hf_base)
        say(line)
    else:
        model = load_module(options.module, options.kwargs)
        told(model.widen())
        told(load_weights(model, options.weights, options.weights_key, options.prefix, options.strict))
    refuse_not_finite(model)
    told(model.choose_variables(options.trainable))
    told(evaluation_mode(model.module))
    if not options.whole_batch:
        refuse_batch_statistics(model.module, model.origin)
    return model


def choose_micro_batch(options, samples: data.Samples) -> None:
    count = len(samples.targets)
    if not options.whole_batch:
        options.micro_batch = options.micro_batch or samples.usual_micro_batch
        return
    if options.micro_batch not in (None, count):
        raise InputError(f"--micro-batch: --whole-batch takes all {count} samples as one; leave it out")
    options.micro_batch = count
    if "kfac" in options.products:
        options.products.remove("kfac")
        say("no Kronecker factors with --whole-batch: they are of samples that do not depend on one another")


def told(line: str) -> None:
    """Says a line where there is one."""
    if line:
        say(line)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def logits_shape(model: Model, x: Slots, samples: data.Samples, options) -> torch.Size:
    """Shape [rows, C] of the logits of a micro-batch, after one forward pass that shows what it changes and
    where the module puts the classes."""
    before = {name: b.clone() for name, b in model.buffers.items()}
    positional, named = arguments(x)
    try:
        with model.places.of_module(model.module), exact(model.dtype):
            output = tensor_of(model.module(*positional, **named)).detach()
    except Refusal:
        raise
    except Exception as error:  # whatever the user's code raises
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        place = f"{described(x)} of the data{line_of(error)}"
        raise InputError(f"{model.origin}: fails on {place}: {line}") from None
    for name, value in model.buffers.items():
        if not torch.equal(value, before[name]):
            raise Refusal(f"{model.origin}: buffer '{name}' changes in a forward pass in evaluation mode")
    if options.loss == "bce" and samples.outputs == 2 and output.numel() == samples_in(x):
        samples = replace(samples, outputs=1)  # labels 0 and 1 with one logit
    if isinstance(options.loss, str):  # a traced loss has laid the outputs out
        model.layout = layout_of(output.shape, samples, samples_in(x), options.class_axis, model.origin)
    return model.layout.rows(output).shape


class Exporter:
    """One model and micro-batch: traced, verified, written in every type that is wanted."""

    def __init__(self, model: Model, samples: data.Samples, options):
        self.model, self.samples, self.options = model, samples, options
        self.x, self.y, self.weights = samples.batch(options.micro_batch)
        self.loss: LossExport | None = None
        self.stored_inputs = {} if samples.plain else self.x
        self.constants: dict[str, torch.Tensor] = {}
        self.taps: dict[int, bool] = {}
        self.traces: dict[torch.dtype, Trace] = {}

    def traced(self, dtype: torch.dtype) -> Trace:
        """All products in a type, with every layer tapped; traced once."""
        if dtype not in self.traces:
            start = time.monotonic()
            second = "hessian" in self.options.products
            self.traces[dtype] = trace(self.model, typed(self.x, dtype), self.shape, second)
            operations, name = len(self.traces[dtype].graph.nodes), str(dtype).removeprefix("torch.")
            say(f"traced in {name}: {operations} operations, {time.monotonic() - start:.0f} s")
        return self.traces[dtype]

    def split(self, dtype: torch.dtype) -> tuple[Trace, dict[str, Function], verify.Runner]:
        """The products in a type, split with the layers that are tapped now; moves the model there."""
        self.model.to(dtype)
        found = self.traced(dtype).with_taps(self.taps)
        functions = Splitter(found).split()
        slots = example_slots(self.model, typed(self.x, dtype), self.shape)
        slots |= {f"buffer:{name}": value for name, value in found.constants.items()}
        return found, functions, verify.Runner(functions, slots)

    def check_inputs(self) -> Slots:
        """At which check values are taken: fixed ones, or, where the module may not take those, the first
        samples, which model.h5 then holds."""
        if self.stored_inputs:
            return self.stored_inputs
        shape = (self.options.micro_batch, *self.samples.input_shape)
        tokens = self.samples.outputs if self.samples.tokens else 0
        return {"x": check_input(shape, tokens, torch.float64)}

    def check_values(self, runner: verify.Runner) -> dict[str, list[float]]:
        """Check values; the samples are their inputs where the module cannot take the fixed ones."""
        try:
            values = verify.check_values(runner, self.check_inputs())
        except (RuntimeError, IndexError):  # such as an index out of range
            values = {}
        if values and all(math.isfinite(number) for sketch in values.values() for number in sketch):
            return values
        self.stored_inputs = self.x
        runner.forget()
        return verify.check_values(runner, self.check_inputs())

    def summary(self) -> str:
        """Loss and accuracy on the data, in the type that the model came in."""
        x = typed(self.x, self.model.dtype)
        logits_shape(self.model, x, self.samples, self.options)
        return summary(self.model, self.samples, self.options.loss, self.options.micro_batch)

    def verified(self) -> dict[str, list[float]]:
        """Check values, after the products agreed with eager autograd; chooses the layers tapped."""
        dtype = DTYPES[self.options.verify]
        self.model.to(dtype)
        x = typed(self.x, dtype)
        self.shape = logits_shape(self.model, x, self.samples, self.options)
        if "kfac" in self.options.products:
            self.taps = dict.fromkeys(range(len(self.traced(dtype).taps)), False)
        found, _, runner = self.split(dtype)
        self.constants = found.constants
        tolerance = verify.tolerance_of(found)
        y, weights = (t.to(dtype) if t.is_floating_point() else t for t in (self.y, self.weights))
        loss = self.options.loss
        if isinstance(loss, losses.CustomLoss):
            self.loss = verified_loss(self.model, loss, self.samples, self.options.micro_batch)
            self.constants = self.constants | self.loss.constants
        errors = verify.verify(self.model, runner, loss, x, y, weights, tolerance)
        second = "hessian" in self.options.products
        require_sound(self.model, loss, x, y, weights, tolerance, second)
        if not self.options.whole_batch:
            require_independent(self.model, x, tolerance)
        text = ", ".join(f"{name} {error:.0e}" for name, error in errors.items())
        say(f"verified in {self.options.verify} against eager autograd: {text}")
        if "kfac" in self.options.products:
            self.choose_taps(found, runner)
            runner.forget()
        return self.check_values(runner)

    def training(self) -> dict:
        """What the spec of model.h5 says of the loss."""
        loss = self.loss or self.options.loss
        return {"loss": loss} if isinstance(loss, str) else loss.training()

    def choose_taps(self, found: Trace, runner: verify.Runner) -> None:
        if not found.taps:
            say("no Kronecker factors: the module has no layer of a kind that K-FAC knows")
            return
        complete = verify.complete_taps(runner, found.taps, verify.tolerance_of(found))
        apart = keeps_samples_apart(runner, self.options.micro_batch)
        self.taps, dropped = found.distinct_taps([c and a for c, a in zip(complete, apart)])
        if dropped:
            say(
                "no Kronecker factors for weights that are used more than once, or by a layer that does not "
                f"see one sample behind the other: {', '.join(dropped)}"
            )

    def write(self, dtype: str, check: dict[str, list[float]]) -> str:
        """The digest of the package of this type, made unless it exists."""
        found, functions, runner = self.split(DTYPES[dtype])
        wanted = set(BASE).union(*(PRODUCTS[product] for product in self.options.products))
        functions = {name: function for name, function in functions.items() if name in wanted}
        runner.functions = functions
        self.require_check(runner, check, found, dtype)
        compiled = self.options.compile == "aoti"
        if self.loss:
            self.loss.write(DTYPES[dtype], self.options.packages, self.options.micro_batch, compiled)
        facts = {
            "dtype": dtype,
            "computes_in_float32": found.computes_in(torch.float32),
            "micro_batch": self.options.micro_batch,
            "input_shape": self.samples.input_shape,
            "tokens": self.samples.tokens,
            "outputs": self.samples.outputs,
            "tied": [names for names in self.model.tied() if names[0] not in self.model.constants],
        }
        writer = package.Writer(self.options.packages, package.manifest(found, functions, facts, compiled))
        if writer.exists():
            say(f"package {writer.key[:12]} ({dtype}): found in {self.options.packages}")
            return writer.key
        writer.write(functions, compiled)
        say(f"package {writer.key[:12]} ({dtype}): written to {self.options.packages}")
        if compiled:
            runner = verify.CompiledRunner(functions, runner.slots, writer.folder)
            self.require_check(runner, check, found, f"compiled {dtype}")
        return writer.key

    def require_check(self, runner: verify.Runner, check: dict, found: Trace, what: str) -> None:
        """Raises Refusal unless the functions reproduce the check values."""
        values = verify.check_values(runner, self.check_inputs())
        verify.require_check(values, check, verify.tolerance_of(found), f"{self.model.origin} in {what}")


def main():
    options = parse()
    torch.set_num_threads(1)  # traced kernels then hold no parallel region: no bit depends on threads
    samples = data.load(options.data)
    if options.objective:
        standard_losses.refuse_options(options, "an objective")
        objective = objectives.load(options.objective)
        options.loss = objectives.Identity(options.objective)
        options.products = [product for product in options.products if product != "kfac"]
    elif ":" in (options.loss or ""):
        standard_losses.refuse_options(options, "a loss of your own")
        options.loss = losses.load(options.loss, options.loss_is_convex, data.target_shape(options.data))
    else:
        name = eager.loss_name(options.loss or samples.usual_loss)
        shape = data.target_shape(options.data)
        options.loss = standard_losses.chosen(name, options, samples, shape) or name
    choose_micro_batch(options, samples)
    model = loaded(options)
    weights = model_file.Weights(model)
    if options.objective:
        one_input = not isinstance(samples.inputs, dict)
        model.module = objectives.Losses(model.module, objective, options.objective, one_input)
        samples = objectives.with_targets(samples, options.data)
    elif isinstance(options.loss, losses.CustomLoss):
        samples = fitted(options.loss, model, samples, options.micro_batch)
    exporter = Exporter(model, samples, options)
    say(exporter.summary())
    check = exporter.verified()
    keys = {dtype: exporter.write(dtype, check) for dtype in options.dtype_compute}
    architecture = {"kind": "compiled", "module": model.origin, "kwargs": options.kwargs, "packages": keys}
    if options.whole_batch:
        architecture["whole_batch"] = True
    spec = {"architecture": architecture, "training": exporter.training()}
    more = exporter.loss.datasets() if exporter.loss else {}
    place = os.path.relpath(options.packages, options.out.parent)
    facts = {"packages_path": place} | made_with.provenance("export_products", ALGORITHM)
    model_file.write_model(
        options.out,
        weights,
        exporter.constants,
        check,
        exporter.stored_inputs,
        more,
        spec,
        digest_of(options.data),
        facts,
    )


if __name__ == "__main__":
    run(main)
