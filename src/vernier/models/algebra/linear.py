"""Linear layers over the numbers of an algebra: y = x * W, with x on the left.

A batch of B images is a real tensor (B*N, C, H, W) whose row b*N + n is blade n of image b. Channels and features count
numbers, so a layer has N times the parameters of a real one of its widths. One real layer does the work: its weight is
made of N x N blocks, and block (k, i) is the sum over j of T[i,j,k] W_j, where b_i b_j = sum over k of T[i,j,k] b_k.

Parameters have the rank of a real layer's, so that memory formats, weight decay and the like take them as such: row
n*R + r of a weight is row r of blade n, R being the length of a real layer's; a bias likewise.

Source: C. J. Gaudet, A. S. Maida, Deep Quaternion Networks, 2018, arXiv:1712.04604, for any algebra.
"""

from typing import Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vernier.models.algebra.assembly import AssembledLayer, fill
from vernier.models.algebra.layout import from_blocks, to_blocks
from vernier.models.algebra.structure import Algebra

Size = int | tuple[int, int]
Padding = tuple[int, int] | Literal["same", "valid"]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


@final
class HyperConv2d(AssembledLayer):
    """A convolution of numbers; arguments as for `nn.Conv2d`.

    Parameters: weight (N*out_channels, in_channels/groups, kh, kw), bias (N*out_channels), one for each output blade.
    """

    def __init__(
        self,
        algebra: Algebra,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | Literal["same", "valid"] = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
    ) -> None:
        shape = (out_channels, in_channels // groups, *_pair(kernel_size))
        super().__init__(algebra, algebra.right_factors, shape, out_channels, bias, groups)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
        self.padding = padding if isinstance(padding, str) else _pair(padding)
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, in_channels, H, W) to (B*N, out_channels, H', W'), in the same memory format."""
        image = to_blocks(x, self.algebra.size, self.groups)
        padding: Padding = self.padding
        if self.padding_mode != "zeros":
            image, padding = F.pad(image, self._border(), self.padding_mode), (0, 0)
        weight, bias = self.real_weight(), self.real_bias()
        y = F.conv2d(image, weight, bias, self.stride, padding, self.dilation, self.groups)
        return from_blocks(y, self.algebra.size, self.groups)

    def to_real(self) -> nn.Conv2d:
        """The same as a plain convolution: `from_blocks(to_real()(to_blocks(x, N, groups)), N, groups)` is the layer's.

        Channel g*N*(C/G) + n*(C/G) + c is channel g*(C/G) + c of blade n, on both sides.
        """
        layer = nn.Conv2d(
            self.algebra.size * self.in_channels,
            self.algebra.size * self.out_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            padding_mode=self.padding_mode,
            device="meta",
        )
        return fill(layer, self)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.algebra.name}, {self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={self.bias is not None}, padding_mode={self.padding_mode}"
        )

    def _border(self) -> list[int]:
        """Pixels added left, right, above and below."""
        if self.padding == "valid":
            return [0] * 4
        if self.padding == "same":
            totals = [step * (size - 1) for step, size in zip(self.dilation, self.kernel_size, strict=True)]
            return [pixels for total in reversed(totals) for pixels in (total // 2, total - total // 2)]
        vertical, horizontal = self.padding
        return [horizontal, horizontal, vertical, vertical]


@final
class HyperConvTranspose2d(AssembledLayer):
    """A transposed convolution of numbers; arguments as for `nn.ConvTranspose2d`.

    Parameters: weight (N*in_channels, out_channels/groups, kh, kw), bias (N*out_channels), one for each output blade.
    """

    def __init__(
        self,
        algebra: Algebra,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
    ) -> None:
        shape = (in_channels, out_channels // groups, *_pair(kernel_size))
        rows_of_input = tuple(zip(*algebra.right_factors, strict=True))
        super().__init__(algebra, rows_of_input, shape, out_channels, bias, groups)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
        self.padding, self.output_padding = _pair(padding), _pair(output_padding)

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, in_channels, H, W) to (B*N, out_channels, H', W'), in the same memory format."""
        y = F.conv_transpose2d(
            to_blocks(x, self.algebra.size, self.groups),
            self.real_weight(),
            self.real_bias(),
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )
        return from_blocks(y, self.algebra.size, self.groups)

    def to_real(self) -> nn.ConvTranspose2d:
        """The same as a plain transposed convolution, over channels as for `HyperConv2d.to_real`."""
        layer = nn.ConvTranspose2d(
            self.algebra.size * self.in_channels,
            self.algebra.size * self.out_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            dilation=self.dilation,
            device="meta",
        )
        return fill(layer, self)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.algebra.name}, {self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, output_padding={self.output_padding}, "
            f"groups={self.groups}, bias={self.bias is not None}, dilation={self.dilation}"
        )


@final
class HyperLinear(AssembledLayer):
    """A linear layer of numbers; arguments as for `nn.Linear`.

    Parameters: weight (N*out_features, in_features), bias (N*out_features), one for each output blade.
    """

    def __init__(self, algebra: Algebra, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(algebra, algebra.right_factors, (out_features, in_features), out_features, bias)
        self.in_features, self.out_features = in_features, out_features

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, ..., in_features) to (B*N, ..., out_features)."""
        blades = self.algebra.size
        numbers = torch.unflatten(x, 0, (-1, blades)).movedim(1, -2).flatten(-2)
        y = F.linear(numbers, self.real_weight(), self.real_bias())
        return torch.unflatten(y, -1, (blades, -1)).movedim(-2, 1).flatten(0, 1)

    def to_real(self) -> nn.Linear:
        """The same as a plain linear layer, (B, ..., N*in_features) to (B, ..., N*out_features).

        Feature n*F + f is feature f of blade n, on both sides.
        """
        blades = self.algebra.size
        return fill(nn.Linear(blades * self.in_features, blades * self.out_features, device="meta"), self)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.algebra.name}, {self.in_features}, {self.out_features}, bias={self.bias is not None}"


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
