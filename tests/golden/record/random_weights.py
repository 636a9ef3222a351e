"""Fills models with random weights that depend on a seed alone."""
import torch


def randomise(model: torch.nn.Module, seed: int) -> None:
    """A larger spread than training starts from, biases and norms included, so that every part shows in the outputs."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if "LayerNorm.weight" in name or "layer_norm.weight" in name or name.endswith("ln.weight"):
                weight.copy_(1 + 0.2 * noise)
            else:
                weight.copy_((0.5 if "embeddings" in name else 0.3) * noise)
