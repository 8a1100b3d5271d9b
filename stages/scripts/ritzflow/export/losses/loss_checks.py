"""What is asked of a loss of the user's own before it is exported.

Each loss is a function of its own row, l_i(z_i, y_i); traced values and derivatives are those of eager
autograd; those are derivatives of the value, by finite differences; a loss said to be convex is so on the
data.
"""

from collections.abc import Iterable

import torch

from ritzflow.common.script_cli import Refusal
from ritzflow.export.losses.loss_trace import derivatives
from ritzflow.export.losses.losses import CustomLoss, coupled_rows
from ritzflow.export.module.autograd import gradients
from ritzflow.export.trace.verify import Runner, relative_error

SCALES = (0, 1e-2, 1, 10)  # of random changes of the outputs, relative to their size


def require_rows_apart(
    loss: CustomLoss, z: torch.Tensor, y: torch.Tensor, others: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """Raises Refusal where a row's loss depends on the rest of its batch; `others`: more (z, y)."""
    all_z, all_y = torch.cat([z, others[0]]), torch.cat([y, others[1]])
    alone, beside = loss(z, y), loss(all_z, all_y)[: len(z)]
    if coupled_rows(loss, all_z, all_y) or (alone - beside).abs().max() > 1e-6 * alone.abs().max():
        raise Refusal(
            f"--loss: {loss.origin}: the loss of a sample depends on other samples of its batch (a mean over "
            f"the batch, or statistics of it{broadcast(loss, z, y)}); a loss of whole batches is an "
            "--objective"
        )


def broadcast(loss: CustomLoss, z: torch.Tensor, y: torch.Tensor) -> str:
    """A hint where outputs [N, 1] beside targets [N] may have become [N, N]."""
    outputs = loss.layout.outputs(z)
    shape = (len(z) // loss.layout.terms, *loss.target_shape)
    if not isinstance(outputs, torch.Tensor) or outputs.shape == shape or outputs.numel() != y.numel():
        return ""
    return f", or outputs {list(outputs.shape)} and targets {list(shape)} broadcast to one another"


def require_finite(loss: CustomLoss, losses: torch.Tensor) -> None:
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        row = int(bad[0])
        raise Refusal(f"--loss: {loss.origin}: the loss of row {row} of the data is {float(losses[row])}")


def eager_errors(
    loss: CustomLoss, runner: Runner, z: torch.Tensor, y: torch.Tensor, u: torch.Tensor
) -> dict[str, float]:
    """Of the traced functions against eager autograd of the function as it stands."""
    leaf = z.detach().requires_grad_()
    losses = loss.as_it_stands(leaf, y)
    r = gradient_of(losses, leaf)
    *_, s = derivatives(loss, z, y, u)
    found = runner.run("loss") + runner.run("loss_curvature", u=u)
    return {
        name: relative_error([a], [b.detach()])
        for name, a, b in zip(("value", "gradient", "curvature"), found, (losses, r, s))
    }


def gradient_of(losses: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return gradients(losses.sum(), [z])[0]


def difference_errors(
    loss: CustomLoss, runner: Runner, z: torch.Tensor, y: torch.Tensor, u: torch.Tensor
) -> dict[str, float]:
    """Largest errors of r'u and s against differences of l and r, where one-sided differences agree:
    elsewhere a kink lies in between."""
    scale = z.abs().amax().clamp(min=1e-3)
    step = float(1e-5 * scale / u.abs().amax())
    at = {}
    for side in (-1, 0, 1):
        runner.slots["z"] = z + side * step * u
        at[side] = [t.detach() for t in runner.run("loss")]
    runner.slots["z"] = z
    s = runner.run("loss_curvature", u=u)[0]
    slope = (at[0][1] * u).sum(1)
    return {
        "gradient": worst(at, 0, step, slope),
        "curvature": worst(at, 1, step, s),
    }


def worst(at: dict[int, list[torch.Tensor]], index: int, step: float, expected: torch.Tensor) -> float:
    backward, forward = ((at[0][index] - at[-1][index]) / step, (at[1][index] - at[0][index]) / step)
    central = (forward + backward) / 2
    size = torch.stack([central.abs(), expected.abs()]).amax(0)
    rounding = 1e-3 * float(size.mean()) + 1e-14 * at[0][index].abs() / step
    smooth = (forward - backward).abs() <= 1e-2 * size + rounding
    gaps = ((central - expected).abs() - rounding).clamp(min=0) / size.clamp(min=1e-300)
    return float(gaps[smooth].max()) if smooth.any() else 0.0


def curvature_of(
    loss: CustomLoss, runner: Runner, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]
) -> str:
    """`convex`, `unknown` or `zero`. Raises Refusal where a loss that is said to be convex is not."""
    torch.manual_seed(1)
    zero = True
    for z, y in batches:
        for scale in SCALES:
            near = z + scale * z.abs().mean().clamp(min=1e-3) * torch.randn_like(z) if scale else z
            runner.slots |= {"z": near, "y": y}
            try:
                curvatures, largest = extremes(runner, near)
            except RuntimeError:  # no output that the loss can take
                continue
            zero = zero and largest == 0
            if loss.convex and scale == 0 and curvatures.min() < -1e-8 * largest:
                row = int(curvatures.argmin())
                raise Refusal(
                    f"--loss-is-convex: {loss.origin} has a negative curvature in the outputs, "
                    f"{float(curvatures.min()):.3g} on row {row} of the data (largest: {largest:.3g}); leave "
                    "the flag out"
                )
    if zero:
        return "zero"
    return "convex" if loss.convex else "unknown"


def extremes(runner: Runner, z: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The least curvature of every row and the largest absolute one: eigenvalues of the Hessians in few
    outputs, else along random directions."""
    outputs = z.shape[1]
    if outputs <= 32:
        columns = []
        for c in range(outputs):
            unit = torch.zeros_like(z)
            unit[:, c] = 1
            columns.append(runner.run("loss_curvature", u=unit)[0])
        h = torch.stack(columns, 2)
        found = torch.linalg.eigvalsh((h + h.mT) / 2) if torch.isfinite(h).all() else torch.zeros(len(z), 1)
        return found.amin(1), float(found.abs().max())
    values = []
    for _ in range(16):
        u = torch.randn_like(z)
        s = runner.run("loss_curvature", u=u)[0]
        values.append((u * s).sum(1) / (u * u).sum(1))
    found = torch.stack(values, 1)
    return found.amin(1), float(found.abs().max())


def verify_loss(
    loss: CustomLoss,
    runner: Runner,
    z: torch.Tensor,
    y: torch.Tensor,
    others: tuple[torch.Tensor, torch.Tensor],
    tolerance: float,
) -> str:
    """One line on the errors. Raises Refusal above the tolerances."""
    torch.manual_seed(0)
    require_finite(loss, loss(z, y))
    require_rows_apart(loss, z, y, others)
    u = torch.randn_like(z)
    runner.slots |= {"z": z, "y": y}
    errors = eager_errors(loss, runner, z, y, u)
    for name, error in errors.items():
        if not error <= tolerance:
            raise Refusal(
                f"--loss: {loss.origin}: the traced {name} differs from eager autograd by {error:.1e}"
            )
    for name, error in difference_errors(loss, runner, z, y, u).items():
        if not error <= 1e-2:
            raise Refusal(
                f"--loss: {loss.origin}: autograd's {name} differs from finite differences by {error:.1e}: a "
                "part is cut off from it (detach(), .data, no_grad), or an operation has no right derivative"
            )
    return ", ".join(f"{name} {error:.0e}" for name, error in errors.items())
