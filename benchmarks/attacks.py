"""Attacks and training steps: ours against torchattacks, foolbox and the textbook path, in one run.

PGD-10: images a second and the mean loss reached, with the same model, batch, number and size of
steps, and a random start. Training: seconds of one step (attack and SGD) of the textbook path
(`loss.backward()` for the attack's gradient, NCHW) and of ours. Times are medians of interleaved
repeats on one thread; bfloat16 is skipped where the processor emulates it. Peers are optional: pip
install --no-deps --target /tmp/peers torchattacks foolbox eagerpy GitPython gitdb smmap requests
urllib3 idna certifi charset_normalizer, then PYTHONPATH=/tmp/peers:.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import nn

from constructions import Ball
from training import fgsm, pgd
from training.attacks.objectives import classification_loss
from training.internal import batch_norm
from training.trainer.models import build_model

NETS = {"lenet5": ((1, 28, 28), 0.1), "resnet9": ((3, 32, 32), 8 / 255)}
Step = Callable[[], object]


def medians(runs: dict[str, Step], repeats: int) -> dict[str, float]:
    """The median seconds of each call; all are called in turn, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for k in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name] += [time.perf_counter() - start] if k else []
    return {name: statistics.median(taken) for name, taken in times.items()}


def network(name: str, form: str) -> tuple[nn.Module, Callable]:
    """A network, and what brings its inputs in its memory format."""
    layout = torch.contiguous_format if form == "float32 NCHW" else torch.channels_last
    model = build_model(name, NETS[name][0], 10).to(memory_format=layout)
    with torch.no_grad():  # untrained, so outputs are made large enough for losses to differ
        [m for m in model.modules() if isinstance(m, nn.Linear)][-1].weight.mul_(100.0)
    return model, lambda x: torch.empty_like(x, memory_format=layout).copy_(x)


def cast(form: str) -> torch.autocast | nullcontext[None]:
    return torch.autocast("cpu", torch.bfloat16) if form.startswith("bfloat16") else nullcontext()


def attacks(name: str, batch: int, forms: list[str], repeats: int) -> None:
    shape, radius = NETS[name]
    ball, x, y = Ball("inf", radius), torch.rand(batch, *shape), torch.randint(10, (batch,))
    found: dict[str, torch.Tensor] = {}
    runs: dict[str, Step] = {}

    def ours(form: str) -> Step:
        model, layout = network(name, form)
        model.eval()

        def run() -> None:
            with cast(form):
                found[f"ours, {form}"] = pgd(
                    model,
                    layout(x),
                    y,
                    ball,
                    classification_loss,
                    steps=10,
                    step_size=radius / 4,
                    keep="last",
                )

        return run

    plain = network(name, "float32 NCHW")[0].eval()
    try:
        import torchattacks

        attack = torchattacks.PGD(plain, eps=radius, alpha=radius / 4, steps=10)
        runs["torchattacks"] = lambda: found.update(torchattacks=attack(x, y))
    except ImportError as error:
        print(f"torchattacks: skipped ({error})")
    try:
        import foolbox

        wrapped = foolbox.PyTorchModel(plain, bounds=(0, 1), device="cpu")
        peer = foolbox.attacks.LinfPGD(abs_stepsize=radius / 4, steps=10, random_start=True)
        runs["foolbox"] = lambda: found.update(foolbox=peer(wrapped, x, y, epsilons=radius)[1])
    except ImportError as error:
        print(f"foolbox: skipped ({error})")
    runs |= {f"ours, {form}": ours(form) for form in forms}
    taken = medians(runs, repeats)
    print(f"PGD-10, {name}, batch {batch}")
    for run, seconds in taken.items():
        with torch.no_grad():
            loss = float(classification_loss(plain(found[run]), y).mean())
        ratios = " ".join(
            f"{taken[p] / seconds:5.2f} x {p}" for p in ("torchattacks", "foolbox") if p in taken
        )
        print(f"  {run:28} {batch / seconds:8.1f} images/s  loss {loss:.4f}  {ratios}", flush=True)


def training(name: str, batch: int, steps: int, forms: list[str], repeats: int) -> None:
    shape, radius = NETS[name]
    ball, x, y = Ball("inf", radius), torch.rand(batch, *shape), torch.randint(10, (batch,))
    size = 1.25 * radius if steps == 1 else 2.5 * radius / steps

    def textbook() -> Step:
        model = network(name, "float32 NCHW")[0].train()
        optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)

        def run() -> None:
            delta = torch.empty_like(x).uniform_(-radius, radius)
            for _ in range(steps):
                delta.requires_grad_(True)
                nn.functional.cross_entropy(model(x + delta), y).backward()
                delta = (delta.detach() + size * delta.grad.sign()).clamp(-radius, radius)
                delta = (x + delta).clamp(0, 1) - x
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x + delta), y).backward()
            optimizer.step()

        return run

    def ours(form: str) -> Step:
        model, layout = network(name, form)
        model.train()
        optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)

        def run() -> None:
            inputs = layout(x)
            with batch_norm(model, "batch"), cast(form):
                if steps == 1:
                    attacked = fgsm(model, inputs, y, ball, classification_loss)
                else:
                    attacked = pgd(
                        model, inputs, y, ball, classification_loss, steps=steps, keep="last"
                    )
            with cast(form):
                loss = classification_loss(model(attacked).float(), y).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return run

    taken = medians(
        {"textbook": textbook(), **{f"ours, {form}": ours(form) for form in forms}}, repeats
    )
    print(f"training step, {'FGSM' if steps == 1 else f'PGD-{steps}'}, {name}, batch {batch}")
    for run, seconds in taken.items():
        print(
            f"  {run:28} {seconds:8.4f} s  {taken['textbook'] / seconds:5.2f} x textbook",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # of the peers
    forms = ["float32 NCHW", "float32 channels_last"]
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        forms.append("bfloat16 channels_last")
    else:
        print("bfloat16: skipped (this processor emulates it)")
    attacks("lenet5", 256, forms, 4 * repeats)
    attacks("resnet9", 16, forms, repeats)
    for steps in (7, 1):
        training("lenet5", 100, steps, forms, 4 * repeats)
        training("resnet9", 32, steps, forms, repeats)


if __name__ == "__main__":
    main()
