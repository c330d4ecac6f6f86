"""The imported networks as PyTorch modules, in their published layouts."""

import torch
from torch import nn
from torch.nn import functional


def randomize(network: nn.Module, seed: int = 0) -> nn.Module:
    """Sets random weights and statistics; returns the network in eval mode."""
    random = torch.Generator().manual_seed(seed)

    def draw(tensor, low, high):
        tensor.data.uniform_(low, high, generator=random)

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            draw(module.running_mean, -0.3, 0.3)
            draw(module.running_var, 0.3, 2.0)
            draw(module.weight, 0.5, 1.5)
            draw(module.bias, -0.5, 0.5)
        elif isinstance(module, nn.LayerNorm):
            draw(module.weight, 0.5, 1.5)
            draw(module.bias, -0.5, 0.5)
        elif isinstance(module, WindowAttention):
            draw(module.relative_position_bias_table, -1, 1)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and (
            module.bias is not None
        ):
            draw(module.bias, -0.2, 0.2)
    return network.eval()


class DnCNN(nn.Module):
    """DnCNN of KAIR (`stem` model) or of cszn/DnCNN (`stem` dncnn, few biases)."""

    def __init__(self, stem, depth, width, channels, norm, bias=True):
        super().__init__()
        self.stem = stem
        parts = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            parts.append(nn.Conv2d(width, width, 3, padding=1, bias=bias))
            if norm:
                parts.append(nn.BatchNorm2d(width, eps=1e-4))
            parts.append(nn.ReLU())
        parts.append(nn.Conv2d(width, channels, 3, padding=1, bias=bias))
        self.add_module(stem, nn.Sequential(*parts))

    def forward(self, x):
        return x - getattr(self, self.stem)(x)


class UNet(nn.Module):
    def __init__(self, widths=(32, 64, 128), channels=3):
        super().__init__()
        self.sides = list(enumerate(widths[:-1], start=1))
        inputs = channels
        for level, width in self.sides:
            self.add_module(f"encoder{level}", self._level(inputs, width))
            inputs = width
        self.bottleneck = self._level(inputs, widths[-1])
        inputs = widths[-1]
        for level, width in reversed(self.sides):
            self.add_module(f"up{level}", nn.ConvTranspose2d(inputs, width, 2, 2))
            self.add_module(f"decoder{level}", self._level(2 * width, width))
            inputs = width
        self.head = nn.Conv2d(inputs, channels, 1)

    def _level(self, inputs, width):
        parts = []
        for before in (inputs, width):
            parts.append(nn.Conv2d(before, width, 3, padding=1))
            parts.append(nn.BatchNorm2d(width))
            parts.append(nn.LeakyReLU(0.1))
        return nn.Sequential(*parts)

    def forward(self, x):
        part = self.get_submodule
        skips = []
        for level, _ in self.sides:
            x = part(f"encoder{level}")(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for level, _ in reversed(self.sides):
            x = torch.cat([part(f"up{level}")(x), skips.pop()], 1)
            x = part(f"decoder{level}")(x)
        return self.head(x)


class VGG16(nn.Module):
    """VGG16 with a smaller classifier, which is not imported."""

    def __init__(self):
        super().__init__()
        parts, inputs = [], 3
        for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 8):
            if width:
                parts += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            else:
                parts.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(nn.Linear(8, 2))

    def forward(self, x):
        mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        return self.features[:16]((x - mean) / deviation)


class WindowAttention(nn.Module):
    def __init__(self, width, heads, window):
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * window - 1) ** 2, heads)
        )
        places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
        offsets = places[:, None] - places[None, :] + window - 1
        self.register_buffer(
            "relative_position_index",
            offsets[..., 0] * (2 * window - 1) + offsets[..., 1],
        )
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x, mask):
        n, pixels, width = x.shape
        qkv = self.qkv(x).view(n, pixels, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index]
        bias = bias.permute(2, 0, 1)
        if mask is not None:
            bias = bias + mask.repeat(n // len(mask), 1, 1).unsqueeze(1)
        x = functional.scaled_dot_product_attention(
            *qkv, attn_mask=bias.expand(n, -1, -1, -1)
        )
        return self.proj(x.transpose(1, 2).reshape(n, pixels, width))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class SwinBlock(nn.Module):
    def __init__(self, width, heads, window, shift, hidden):
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden)
        if shift:
            self.register_buffer("attn_mask", self._mask(4 * window, 4 * window))

    def _cut(self, x):
        """Partitions [b, h, w, c] to [b * windows, window * window, c]."""
        x = x.unfold(1, self.window, self.window).unfold(2, self.window, self.window)
        return x.permute(0, 1, 2, 4, 5, 3).flatten(3, 4).flatten(0, 2)

    def _join(self, x, b, h, w):
        x = x.view(b, (h // self.window) * (w // self.window), -1, x.shape[-1])
        x = x.permute(0, 3, 2, 1).flatten(1, 2)
        x = functional.fold(x, (h, w), self.window, stride=self.window)
        return x.permute(0, 2, 3, 1)

    def _mask(self, h, w):
        regions = torch.zeros(1, h, w, 1)
        starts = (0, -self.window, -self.shift)
        for number in range(9):
            y, x = starts[number // 3], starts[number % 3]
            regions[:, y:, x:] = number
        regions = self._cut(regions).squeeze(-1)
        return -100.0 * (regions[:, :, None] != regions[:, None, :])

    def forward(self, x):
        b, h, w, _ = x.shape
        y = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        y = self.attn(self._cut(y), self._mask(h, w) if self.shift else None)
        y = torch.roll(self._join(y, b, h, w), (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.mlp(self.norm2(x))


class SwinGroup(nn.Module):
    def __init__(self, depth, width, *arguments):
        super().__init__()
        heads, window, hidden = arguments
        self.residual_group = nn.Module()
        self.residual_group.blocks = nn.Sequential(
            *(
                SwinBlock(width, heads, window, window // 2 * (i % 2), hidden)
                for i in range(depth)
            )
        )
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        y = self.residual_group.blocks(x).permute(0, 3, 1, 2)
        return x + self.conv(y).permute(0, 2, 3, 1)


class SwinIR(nn.Module):
    """SwinIR of upscale 1, for sizes that are multiples of the window."""

    def __init__(self, depths, width, heads, window, ratio, channels, img_range=1.0):
        super().__init__()
        self.img_range = img_range
        mean = [0.4488, 0.4371, 0.4040] if channels == 3 else [0.0]
        self.mean = torch.tensor(mean).view(-1, 1, 1)
        self.conv_first = nn.Conv2d(channels, width, 3, padding=1)
        self.patch_embed = nn.Module()
        self.patch_embed.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(
            *(
                SwinGroup(depth, width, group_heads, window, int(width * ratio))
                for depth, group_heads in zip(depths, heads, strict=True)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.conv_after_body = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x):
        x = (x - self.mean) * self.img_range
        first = self.conv_first(x)
        y = self.patch_embed.norm(first.permute(0, 2, 3, 1))
        y = self.norm(self.layers(y)).permute(0, 3, 1, 2)
        x = x + self.conv_last(self.conv_after_body(y) + first)
        return x / self.img_range + self.mean
