"""One module at one size of micro-batch: traced, verified, written as packages."""

import math
import sys
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ritzflow.common.script_cli import Refusal, listed
from ritzflow.export.losses import losses
from ritzflow.export.module import data
from ritzflow.export.module.inputs import Slots, samples_in, typed
from ritzflow.export.module.logits import layout_of, tensor_of
from ritzflow.export.module.modules import Model
from ritzflow.export.module.precision import DTYPES
from ritzflow.export.module.tensors import check_input
from ritzflow.export.package import compile_choice, package
from ritzflow.export.package.loss_export import LossExport, verified_loss
from ritzflow.export.package.shared import CallsRunner, Shared
from ritzflow.export.summary import summary
from ritzflow.export.taps.taps import Axes, sample_axes
from ritzflow.export.trace import verify
from ritzflow.export.trace.independence import require_independent
from ritzflow.export.trace.soundness import require_sound
from ritzflow.export.trace.split import BASE, PRODUCTS, Function, Splitter
from ritzflow.export.trace.tap_choice import TapChoice
from ritzflow.export.trace.trace import Trace, example_slots, trace

# Why parameters have no Kronecker factors.
WITHOUT_FACTORS = "not all that they do is the weight or bias of a layer that K-FAC knows, sample by sample"


def told(line: str) -> None:
    """Says a line where there is one."""
    if line:
        say(line)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def logits_shape(model: Model, x: Slots, samples: data.Samples, options: Namespace) -> torch.Size:
    """Shape [rows, C] of the logits of a micro-batch, after one forward pass that shows what it changes and
    where the module puts the classes."""
    before = {name: b.clone() for name, b in model.buffers.items()}
    with model.places.of_module(model.module):
        output = seeded_output(model, x)
    for name, value in model.buffers.items():
        if not torch.equal(value, before[name]):
            raise Refusal(f"{model.origin}: buffer '{name}' changes in a forward pass in evaluation mode")
    if not torch.allclose(seeded_output(model, x), output, equal_nan=True):
        raise Refusal(
            f"{model.origin}: gives another output when it is called again with the same inputs: it keeps a "
            "state from one call to the next; let it begin anew in each"
        )
    if options.loss == "bce" and samples.outputs == 2 and output.numel() == samples_in(x):
        samples = replace(samples, outputs=1)  # labels 0 and 1 with one logit
    if isinstance(options.loss, str):  # a traced loss has laid the outputs out
        model.layout = layout_of(output.shape, samples, samples_in(x), options.class_axis, model.origin)
    return model.layout.rows(output).shape


def seeded_output(model: Model, x: Slots) -> torch.Tensor:
    """The logits as the module returns them; what it draws at random, it draws again at the next call."""
    torch.manual_seed(0)
    return tensor_of(model.output_of(x)).detach()


class Exporter:
    """One model and micro-batch: traced, verified, written in every type that is wanted."""

    def __init__(self, model: Model, samples: data.Samples, options: Namespace) -> None:
        self.model, self.samples, self.options = model, samples, options
        self.x, self.y, self.weights = samples.batch(options.micro_batch)
        self.loss: LossExport | None = None
        self.stored_inputs = {} if samples.plain else self.x
        self.constants: dict[str, torch.Tensor] = {}
        self.axes: Axes = {}
        self.taps: dict[int, bool] = {}
        self.traces: dict[torch.dtype, Trace] = {}
        self.shared = Shared()

    def traced(self, dtype: torch.dtype) -> Trace:
        """All products in a type, with every layer tapped; traced once."""
        if dtype not in self.traces:
            start = time.monotonic()
            second = "hessian" in self.options.products
            self.traces[dtype] = trace(self.model, typed(self.x, dtype), self.shape, second, self.axes)
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
        x = self.at_work(dtype)
        if "kfac" in self.options.products:
            self.axes = sample_axes(self.model, x)
            self.taps = dict.fromkeys(range(len(self.traced(dtype).taps)), False)
        found, functions, runner = self.split(dtype)
        tolerance = verify.tolerance_of(found)
        self.shared.add(self.options.verify, functions, found.constants, tolerance)
        errors = self.compared(runner, found.constants, tolerance)
        y, weights = self.terms(dtype)
        second = "hessian" in self.options.products
        require_sound(self.model, self.options.loss, x, y, weights, tolerance, second)
        if not self.options.whole_batch:
            require_independent(self.model, x, tolerance)
        self.say_verified(errors)
        if "kfac" in self.options.products:
            self.choose_taps(found, runner)
            runner.forget()
        return self.check_values(runner)

    def at_work(self, dtype: torch.dtype) -> Slots:
        """Moves the model to a type; the inputs in it."""
        self.model.to(dtype)
        x = typed(self.x, dtype)
        self.shape = logits_shape(self.model, x, self.samples, self.options)
        return x

    def terms(self, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """Targets and weights of the micro-batch in a type."""
        y, weights = (t.to(dtype) if t.is_floating_point() else t for t in (self.y, self.weights))
        return y, weights

    def compared(
        self, runner: verify.Runner, constants: dict[str, Any], tolerance: float
    ) -> dict[str, float]:
        """Errors of the functions, and of a loss of the user's own, against eager autograd."""
        self.constants, loss = constants, self.options.loss
        if isinstance(loss, losses.CustomLoss):
            self.loss = verified_loss(self.model, loss, self.samples, self.options.micro_batch)
            self.constants = self.constants | self.loss.constants
        dtype = DTYPES[self.options.verify]
        y, weights = self.terms(dtype)
        return verify.verify(self.model, runner, loss, typed(self.x, dtype), y, weights, tolerance)

    def say_verified(self, errors: dict[str, float]) -> None:
        text = ", ".join(f"{name} {error:.0e}" for name, error in errors.items())
        say(f"verified in {self.options.verify} against eager autograd: {text}")

    def training(self) -> dict[str, Any]:
        """What the spec of model.h5 says of the loss."""
        loss = self.loss or self.options.loss
        return {"loss": loss} if isinstance(loss, str) else loss.training()

    def choose_taps(self, found: Trace, runner: verify.Runner) -> None:
        """Taps the layers that have Kronecker factors; names the parameters that have none."""
        if found.taps:
            choice = TapChoice(runner, found.taps, self.options.micro_batch, verify.tolerance_of(found))
            self.taps = choice.chosen()
        covered = {name for i in self.taps for name in found.taps[i].parameters}
        missing = [name for name in self.model.parameters if name not in covered]
        if missing:
            say(f"no Kronecker factors for {listed(missing, most=12)}: {WITHOUT_FACTORS}")

    def write(self, dtype: str, check: dict[str, list[float]]) -> str:
        """The digest of the package of this type, made unless it exists."""
        found, functions, runner = self.split(DTYPES[dtype])
        wanted = set(BASE).union(*(PRODUCTS[product] for product in self.options.products))
        functions = {name: function for name, function in functions.items() if name in wanted}
        runner.functions = functions
        tolerance = verify.tolerance_of(found)
        self.require_check(runner, check, tolerance, dtype)
        self.shared.add(dtype, functions, found.constants, tolerance)
        self.shared.compiled = compiled = self.compiles(functions)
        self.write_loss(dtype)
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
        self.shared.keys[dtype] = writer.key
        if writer.exists():
            say(f"package {writer.key[:12]} ({dtype}): found in {self.options.packages}")
            return writer.key

        def of_compiled(folder: Path) -> None:
            made = verify.CompiledRunner(functions, runner.slots, folder)
            self.require_check(made, check, tolerance, f"compiled {dtype}")

        writer.write(functions, of_compiled if compiled else None)
        say(f"package {writer.key[:12]} ({dtype}): written to {self.options.packages}")
        return writer.key

    def compiles(self, functions: dict[str, Function]) -> bool:
        """Whether the packages are compiled; `auto` decides by what is traced first."""
        if self.options.compile == "auto":
            batches = math.ceil(len(self.samples.targets) / self.options.micro_batch)
            pays, reason = compile_choice.pays(functions, batches)
            self.options.compile = "aoti" if pays else "none"
            say(f"--compile auto: {self.options.compile}: {reason}")
        return self.options.compile == "aoti"

    def write_loss(self, dtype: str) -> None:
        """The package of a loss of the user's own, where there is one."""
        if self.loss:
            options, compiled = self.options, self.shared.compiled
            self.loss.write(DTYPES[dtype], options.packages, options.micro_batch, compiled)

    def require_check(
        self, runner: verify.Runner, check: dict[str, Any], tolerance: float, what: str
    ) -> None:
        """Raises Refusal unless the functions reproduce the check values."""
        values = verify.check_values(runner, self.check_inputs())
        verify.require_check(values, check, tolerance, f"{self.model.origin} in {what}")


class AtOtherWeights(Exporter):
    """The functions of an earlier export with other weights: nothing is traced or compiled."""

    def __init__(self, model: Model, samples: data.Samples, options: Namespace, shared: Shared) -> None:
        super().__init__(model, samples, options)
        self.shared = shared

    def runner(self, dtype: str) -> CallsRunner:
        x = self.at_work(DTYPES[dtype])
        return CallsRunner(self.shared.types[dtype], example_slots(self.model, x, self.shape))

    def verified(self) -> dict[str, list[float]]:
        """Check values, after the functions agreed with eager autograd at these weights."""
        kept, runner = self.shared.types[self.options.verify], self.runner(self.options.verify)
        self.say_verified(self.compared(runner, kept.constants, kept.tolerance))
        return self.check_values(runner)

    def write(self, dtype: str, check: dict[str, list[float]]) -> str:
        """The digest of the package that is there."""
        self.require_check(self.runner(dtype), check, self.shared.types[dtype].tolerance, dtype)
        self.write_loss(dtype)
        return self.shared.keys[dtype]
