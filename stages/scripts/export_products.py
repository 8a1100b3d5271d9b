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

import environment  # noqa: F401
import made_with
import torch
from artifact_digest import digest_of
from products import data, eager, export_flags, losses, model_file, objectives, standard_losses
from products.evaluation import evaluation_mode, refuse_batch_statistics
from products.exporter import Exporter, say, told
from products.loss_export import fitted
from products.modules import Model, load_module
from products.weights import load_weights, refuse_not_finite
from script_cli import InputError, Parser, run

ALGORITHM = 3


def parse():
    parser = Parser("export_products", ALGORITHM, "Trace the curvature products of a PyTorch module.")
    export_flags.declare(parser)
    options = parser.parse_args()
    export_flags.check(options)
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
