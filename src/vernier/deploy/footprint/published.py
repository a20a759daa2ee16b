"""What STMicroelectronics publishes of networks on a device, beside what Vernier counts of the same networks.

Facts from the tables of the STM32 model zoo: 8-bit integers, X-CUBE-AI 10.0.0 with inputs and outputs among the
activations, times on the STM32H747I-DISCO with one Cortex-M7 at 400 MHz.
"""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Work:
    """What of a network decides about its runtime.

    Attributes:
        operators: that compute; views do not.
        biases: of all layers: one for each output channel, which has a scale of its own too.
        macs: multiplications.
        values: numbers that are written.
        separate: bytes of activations where every output has its own place.
        line_buffers: bytes of activations where convolutions write over their input.
    """

    operators: int
    biases: int
    macs: int
    values: int
    separate: int
    line_buffers: int


@final
@dataclass(frozen=True)
class Published:
    """A network as ST publishes it.

    Attributes:
        family: networks much alike have the same.
        name: of the network, with its image and number of classes.
        work: counted by Vernier.
        activations: KiB of RAM.
        runtime: KiB of RAM of the runtime.
        weights: KiB of flash.
        code: KiB of flash of the runtime.
        ms: for an image.
    """

    family: str
    name: str
    work: Work
    activations: float
    runtime: float
    weights: float
    code: float
    ms: float


def _row(
    family: str, name: str, work: tuple[int, int, int, int, int, int], kib: tuple[float, float, float, float], ms: float
) -> Published:
    return Published(family, name, Work(*work), *kib, ms)


PUBLISHED = (
    _row(
        "mobilenet v1",
        "mobilenet v1 0.25, 224 px, 5 classes",
        (29, 2_741, 40_775_552, 1_260_933, 301_056, 202_496),
        (272.96, 16.38, 214.69, 68.05),
        163.78,
    ),
    _row(
        "mobilenet v1",
        "mobilenet v1 0.5, 224 px, 5 classes",
        (29, 5_477, 148_987_648, 2_521_861, 602_112, 404_992),
        (449.58, 16.38, 812.61, 81.46),
        485.79,
    ),
    _row(
        "mobilenet v1",
        "mobilenet v1 0.25, 96 px, 5 classes",
        (29, 2_741, 7_490_432, 231_813, 55_296, 37_632),
        (66.96, 16.33, 214.69, 68.0),
        29.94,
    ),
    _row(
        "mobilenet v1",
        "mobilenet v1 0.25, 96 px grey, 5 classes",
        (29, 2_741, 7_158_656, 231_813, 55_296, 37_632),
        (52.8, 16.33, 214.55, 70.27),
        28.34,
    ),
    _row(
        "mobilenet v1",
        "mobilenet v1 0.25, 224 px, 1000 classes",
        (29, 3_736, 41_030_272, 1_261_928, 301_056, 202_496),
        (272.96, 16.43, 467.33, 70.02),
        166.75,
    ),
    _row(
        "mobilenet v1",
        "mobilenet v1 0.5, 224 px, 1000 classes",
        (29, 6_472, 149_497_088, 2_522_856, 602_112, 404_992),
        (431.07, 16.43, 1314.0, 83.38),
        504.37,
    ),
    _row(
        "mobilenet v1",
        "mobilenet v1 1.0, 224 px, 1000 classes",
        (29, 11_944, 568_740_352, 5_044_712, 1_204_224, 809_984),
        (1331.13, 16.48, 4157.09, 110.11),
        1641.84,
    ),
    _row(
        "mobilenet v2",
        "mobilenet v2 0.35, 128 px, 5 classes",
        (64, 7_045, 18_947_072, 962_949, 245_760, 199_680),
        (237.32, 30.14, 406.86, 108.29),
        94.34,
    ),
    _row(
        "mobilenet v2",
        "mobilenet v2 0.35, 224 px, 5 classes",
        (64, 7_045, 58_012_208, 2_946_381, 752_640, 607_488),
        (832.64, 30.19, 406.86, 108.4),
        290.75,
    ),
    _row(
        "mobilenet v2",
        "mobilenet v2 0.35, 128 px, 1000 classes",
        (64, 8_040, 20_220_672, 963_944, 245_760, 199_680),
        (237.32, 30.14, 1654.5, 108.29),
        116.13,
    ),
    _row(
        "mobilenet v2",
        "mobilenet v2 0.35, 224 px, 1000 classes",
        (64, 8_040, 59_285_808, 2_947_376, 752_640, 607_488),
        (832.64, 30.19, 1654.5, 108.4),
        313.92,
    ),
    _row(
        "mobilenet v2",
        "mobilenet v2 1.0, 224 px, 1000 classes",
        (64, 18_056, 300_774_272, 6_896_776, 1_505_280, 1_214_976),
        (1727.02, 30.19, 3458.97, 157.37),
        1106.64,
    ),
    _row(
        "mobilenet v2",
        "mobilenet v2 1.4, 224 px, 1000 classes",
        (64, 24_968, 582_195_824, 9_878_840, 2_257_920, 1_822_464),
        (2332.2, 30.19, 6015.34, 191.16),
        2010.66,
    ),
    _row(
        "fdmobilenet",
        "fdmobilenet 0.25, 128 px, 5 classes",
        (25, 1_973, 3_848_448, 126_213, 81_920, 49_664),
        (56.16, 14.2, 128.32, 58.16),
        17.73,
    ),
    _row(
        "fdmobilenet",
        "fdmobilenet 0.25, 224 px, 5 classes",
        (25, 1_973, 11_783_232, 385_989, 250_880, 151_424),
        (157.03, 14.25, 128.32, 58.66),
        53.52,
    ),
    _row(
        "fdmobilenet",
        "st_fdmobilenet v1, 128 px, 5 classes",
        (25, 2_277, 7_977_216, 247_045, 114_688, 66_560),
        (74.23, 14.2, 144.93, 60.12),
        32.14,
    ),
    _row(
        "fdmobilenet",
        "st_fdmobilenet v1, 224 px, 5 classes",
        (25, 2_277, 24_427_584, 756_037, 351_232, 202_496),
        (211.64, 14.25, 144.93, 60.17),
        102,
    ),
    _row(
        "squeezenet",
        "squeezenet v1.1, 128 px, 5 classes",
        (38, 2_949, 80_217_280, 1_311_290, 315_520, 258_048),
        (271.84, 16.47, 716.71, 78.24),
        216.67,
    ),
    _row(
        "squeezenet",
        "squeezenet v1.1, 224 px, 5 classes",
        (38, 2_949, 263_056_576, 4_201_874, 982_144, 795_648),
        (816.86, 16.51, 716.71, 71.42),
        693.3,
    ),
    _row(
        "efficientnet",
        "st_efficientnet_lc v1, 128 px, 5 classes",
        (140, 7_993, 19_831_552, 994_153, 131_072, 99_840),
        (166.78, 57.86, 505.41, 157.68),
        144.96,
    ),
    _row(
        "efficientnet",
        "st_efficientnet_lc v1, 224 px, 5 classes",
        (140, 7_993, 60_590_512, 3_029_857, 401_408, 303_744),
        (430.78, 58.19, 505.41, 158.4),
        438.33,
    ),
    _row(
        "resnet",
        "resnet v1 8, 32 px, 10 classes",
        (14, 346, 12_501_632, 114_762, 49_152, 33_792),
        (62.51, 7.21, 76.9, 56.45),
        28.67,
    ),
    _row(
        "resnet",
        "resnet v1 32, 32 px, 100 classes",
        (50, 1_332, 69_130_496, 458_916, 49_152, 33_792),
        (45.41, 24.98, 464.38, 78.65),
        177.7,
    ),
    _row(
        "stmnist",
        "stmnist, 28 px grey, 36 classes",
        (7, 196, 1_076_384, 17_348, 9_408, 6_720),
        (17.21, 4.49, 10.08, 46.8),
        3.41,
    ),
)
"""All rows for which Vernier has the same network."""
