#!/usr/bin/env python3
"""Trace the curvature products of a PyTorch module once, for the C++ stages to run.

    export_products.py --module mine:resnet --weights resnet.pt --data data.h5 --out model.h5
    build-operator --model model.h5 --data data.h5 --operator ggn --out operator.h5

`mine.resnet()` returns the module; it is taken in evaluation mode: dropout off, batch normalisation with its
running statistics. The products are packages under --packages, one for each shape and type and machine, made
once and found again by digest; model.h5 holds the weights and names them. Every traced product is compared
with eager autograd in float64 before anything is written (--verify float32: in half the memory, to 1e-4).
"""

import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ritzflow.common import environment  # noqa: F401

# isort: split
import torch

from ritzflow.common import made_with, weights_files
from ritzflow.common.artifact_digest import digest_of
from ritzflow.common.script_cli import InputError, Parser, Refusal, run
from ritzflow.export import export_flags
from ritzflow.export.exporter import AtOtherWeights, Exporter, say, told
from ritzflow.export.losses import losses, objectives, standard_losses
from ritzflow.export.module import data
from ritzflow.export.module.evaluation import evaluation_mode, refuse_batch_statistics
from ritzflow.export.module.modules import Model, load_module
from ritzflow.export.package import model_file, shared
from ritzflow.export.package.loss_export import fitted
from ritzflow.export.trace import eager
from ritzflow.export.weights.weights import load_weights, refuse_not_finite

ALGORITHM = 5


def parse() -> Namespace:
    parser = Parser("export_products", ALGORITHM, "Trace the curvature products of a PyTorch module.")
    export_flags.declare(parser)
    options = parser.parse_args()
    export_flags.check(options)
    return options


def loaded(options: Namespace, weights: Path) -> Model:
    """The module with its weights, a Hugging Face folder where that is asked for, in evaluation mode."""
    if options.hf:
        from ritzflow.export.weights.huggingface import load_folder

        model, line = load_folder(weights, options.hf_base)
        say(line)
    else:
        model = load_module(options.module, options.kwargs)
        told(model.widen())
        told(load_weights(model, weights, options.weights_key, options.prefix, options.strict))
    refuse_not_finite(model)
    told(model.choose_variables(options.trainable))
    told(evaluation_mode(model.module))
    if not options.whole_batch:
        refuse_batch_statistics(model.module, model.origin)
    return model


def choose_micro_batch(options: Namespace, samples: data.Samples) -> None:
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


def choose_loss(options: Namespace, samples: data.Samples) -> Callable[..., Any] | None:
    """Makes `options.loss` a loss; the objective, where there is one."""
    if options.objective:
        standard_losses.refuse_options(options, "an objective")
        objective = objectives.load(options.objective)
        options.loss = objectives.Identity(options.objective)
        options.products = [product for product in options.products if product != "kfac"]
        return objective
    if ":" in (options.loss or ""):
        standard_losses.refuse_options(options, "a loss of your own")
        options.loss = losses.load(options.loss, options.loss_is_convex, data.target_shape(options.data))
    else:
        name = eager.loss_name(options.loss or samples.usual_loss)
        shape = data.target_shape(options.data)
        options.loss = standard_losses.chosen(name, options, samples, shape) or name
    return None


def files_of_steps(options: Namespace) -> dict[int, Path]:
    """The weights, or Hugging Face folders, by step; of a single one the step is 0."""
    flag, name = export_flags.place_of_weights(options)
    if options.steps is None:
        return {0: Path(name)}
    try:
        return weights_files.chosen(name, options.steps)
    except InputError as error:
        raise InputError(f"{flag}: {error}") from None


class Exports:
    """A module with the weights of several steps: traced with the first, or by an earlier export."""

    def __init__(self, options: Namespace) -> None:
        self.asked = dict(vars(options))
        self.options, self.samples = options, data.load(options.data)
        self.objective = choose_loss(options, self.samples)
        choose_micro_batch(options, self.samples)
        self.shared: shared.Shared | None = None
        self.key = ""
        self.trainings: list[dict[str, Any]] = []

    def point(self, weights: Path) -> model_file.Point:
        """What model.h5 holds of one file of weights."""
        model = loaded(self.options, weights)
        self.origin, values = model.origin, model_file.Weights(model)
        self.key = self.key or shared.key(self.asked, self.samples, model)
        with shared.alone(self.options.packages, self.key):
            exporter, check = self.exported(model)
        self.trainings.append(exporter.training())
        more = exporter.loss.datasets() if exporter.loss else {}
        return model_file.Point(values, exporter.constants, check, exporter.stored_inputs, more)

    def exported(self, model: Model) -> tuple[Exporter, dict[str, Any]]:
        """The module, verified and with its packages, and check values."""
        samples, packages = self.fitted(model), self.options.packages
        if kept := self.shared or shared.load(packages, self.key):
            say(f"traced before, in {packages}: the same functions for these weights")
            try:
                return self.carried_out(AtOtherWeights(model, samples, self.options, kept))
            except Refusal as refusal:
                say(f"traced again: {refusal}")
        exporter, check = self.carried_out(Exporter(model, samples, self.options))
        shared.save(packages, self.key, exporter.shared)
        return exporter, check

    def carried_out(self, exporter: Exporter) -> tuple[Exporter, dict[str, Any]]:
        say(exporter.summary())
        check = exporter.verified()
        for dtype in self.options.dtype_compute:
            exporter.write(dtype, check)
        self.shared = self.shared or exporter.shared
        if exporter.shared.keys != self.shared.keys:
            raise Refusal(f"{self.origin}: its functions differ from step to step; export each by itself")
        return exporter, check

    def fitted(self, model: Model) -> data.Samples:
        """The samples as the loss takes them; lets the module return what the loss is of."""
        options = self.options
        if self.objective:
            one_input = not isinstance(self.samples.inputs, dict)
            model.module = objectives.Losses(model.module, self.objective, options.objective, one_input)
            return objectives.with_targets(self.samples, options.data)
        if isinstance(options.loss, losses.CustomLoss):
            return fitted(options.loss, model, self.samples, options.micro_batch)
        return self.samples

    def spec(self) -> dict[str, Any]:
        """What model.h5 says of module and loss; of the loss's curvature what holds at every step."""
        assert self.shared is not None, "after a point"
        architecture = {"kind": "compiled", "module": self.origin, "kwargs": self.options.kwargs}
        architecture["packages"] = self.shared.keys
        if self.options.whole_batch:
            architecture["whole_batch"] = True
        training = dict(self.trainings[0])
        if any(other != training for other in self.trainings):
            training["loss_curvature"] = "unknown"
        return {"architecture": architecture, "training": training}


def main() -> None:
    options = parse()
    torch.set_num_threads(1)  # traced kernels then hold no parallel region: no bit depends on threads
    exports = Exports(options)
    points = {step: exports.point(weights) for step, weights in files_of_steps(options).items()}
    place = os.path.relpath(options.packages, options.out.parent)
    facts = {"packages_path": place} | made_with.provenance("export_products", ALGORITHM)
    model_file.write_model(options.out, points, exports.spec(), digest_of(options.data), facts)


if __name__ == "__main__":
    run(main)
