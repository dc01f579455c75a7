"""Graphics processors, as drivers tell of them: whole, in part, wrongly, or never."""

import subprocess
import threading
from types import SimpleNamespace

import pytest

from node.machine import amd, apple
from node.machine.gpu import seen, temperature
from node.machine.gpus import REST_SECONDS, Gpus, makers
from node.machine.nvidia import Nvidia
from node.state import Gpu, GpuMetrics


class Nvml:
    """What `pynvml` is on a machine with two graphics processors, the second one odd."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self, installed=True):
        self.installed = installed
        self.opened = 0
        self.lost = False

    def nvmlInit(self):  # its name
        if not self.installed:
            raise self.NVMLError
        self.opened += 1

    def nvmlDeviceGetCount(self):
        if self.lost:
            raise self.NVMLError
        return 2

    def nvmlDeviceGetHandleByIndex(self, place):
        return place

    def nvmlDeviceGetUUID(self, place):
        return [b"GPU-7", "GPU-8"][place]

    def nvmlDeviceGetName(self, place):
        return ["NVIDIA GeForce RTX 4090", "NVIDIA GB10\n"][place]

    def nvmlDeviceGetMemoryInfo(self, place):
        if place:
            raise self.NVMLError  # it shares the memory of the machine
        return SimpleNamespace(total=24 << 30, used=9 << 30)

    def nvmlDeviceGetUtilizationRates(self, place):
        return SimpleNamespace(gpu=[35, 4_000_000_000][place], memory=1)

    def nvmlDeviceGetTemperature(self, place, sensor):
        assert sensor == self.NVML_TEMPERATURE_GPU
        return [61, 0][place]


def test_nvidia_tells_what_it_knows_and_nothing_else():
    first, second = Nvidia(Nvml()).look()

    assert first.gpu == Gpu("GPU-7", "NVIDIA GeForce RTX 4090", "nvidia", 24 << 30)
    assert first.metrics == GpuMetrics("GPU-7", 0.35, 9 << 30, 61)
    assert second.gpu == Gpu("GPU-8", "NVIDIA GB10", "nvidia")
    assert second.metrics == GpuMetrics("GPU-8")


def test_without_nvidia_there_is_nothing():
    assert Nvidia(Nvml(installed=False)).look() == []
    assert isinstance(Nvidia().look(), list)  # whatever this machine has, nothing breaks


def test_a_library_that_was_replaced_is_opened_anew():
    nvml = Nvml()
    maker = Nvidia(nvml)
    assert len(maker.look()) == len(maker.look()) == 2
    assert nvml.opened == 1

    nvml.lost = True
    with pytest.raises(Nvml.NVMLError):  # there is one, so that nothing is no answer
        maker.look()
    nvml.lost = False
    assert len(maker.look()) == 2
    assert nvml.opened == 2


def card(cards, name, **files):
    device = cards / name / "device"
    for path, text in files.items():
        file = device / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_amd_tells_by_files(tmp_path):
    card(
        tmp_path,
        "card1",
        vendor="0x1002\n",
        unique_id="8f3a\n",
        product_name="Radeon RX 7900 XTX\n",
        mem_info_vram_total="25753026560\n",
        mem_info_vram_used="1000\n",
        gpu_busy_percent="12\n",
        hwmon__hwmon3__temp1_input="54000\n",
    )
    card(tmp_path, "card1-HDMI-A-1", vendor="0x1002\n")
    card(tmp_path, "card0", vendor="0x8086\n")
    card(tmp_path, "card2", vendor="0x1002\n", gpu_busy_percent="-1\n", mem_info_vram_used="x")
    card(
        tmp_path,
        "card3",
        vendor="0x1002",
        unique_id="s",
        power__runtime_status="suspended\n",
        gpu_busy_percent="1",
    )
    full, bare, asleep = amd.look(tmp_path)

    assert full == seen("8f3a", "Radeon RX 7900 XTX", "amd", 25753026560, 12, 1000, 54.0)
    assert bare.gpu == Gpu("device", "AMD graphics processor", "amd")
    assert bare.metrics == GpuMetrics("device")
    assert asleep.metrics == GpuMetrics("s")
    assert amd.look(tmp_path / "nowhere") == []


def test_apple_shares_the_memory_of_the_machine():
    mac = ("Darwin", "arm64")
    (one,) = apple.look(mac, lambda command: "Apple M2 Pro\n")

    assert (one.gpu.name, one.gpu.vendor) == ("Apple M2 Pro", "apple")
    assert one.gpu.memory_bytes > 0
    assert one.metrics == GpuMetrics("apple-0")

    def hang(command):
        raise subprocess.TimeoutExpired(command, 2.0)

    assert apple.look(mac, hang)[0].gpu.name == "Apple"
    assert apple.look(("Darwin", "x86_64"), hang) == apple.look(("Linux", "aarch64"), hang) == []


@pytest.mark.parametrize("celsius", [None, 0, -273.15, 150, 6553.5, float("nan")])
def test_what_no_running_machine_has_is_no_temperature(celsius):
    assert temperature(celsius) is None


def test_what_cannot_be_is_not_known():
    found = seen("i\n" + "d" * 300, "n", "amd", -1, percent=101, used_bytes=1 << 60)

    assert found.gpu == Gpu("i" + "d" * 198, "n", "amd")
    assert found.metrics == GpuMetrics(found.gpu.gpu_id)


@pytest.mark.anyio
async def test_a_driver_that_hangs_is_left_alone_and_hides_no_other():
    free, asked = threading.Event(), []

    def hang():
        asked.append(threading.current_thread())
        if len(asked) == 2:
            free.wait(30)
        return [seen("N", "n", "nvidia", 1)]

    looks = {"nvidia": hang, "amd": lambda: [seen("A", "a", "amd", 1)]}
    gpus = Gpus(looks, patience=30.0)
    await gpus.look(0.0)
    assert [one.gpu_id for one in gpus.gpus] == ["N", "A"]

    gpus._patience = 0.05
    await gpus.look(1.0)
    assert [one.gpu_id for one in gpus.gpus] == ["N", "A"]
    assert [one.gpu_id for one in gpus.metrics] == ["A"]
    assert gpus.problems == ("gpus: the driver of nvidia does not answer",)

    await gpus.look(1.0 + REST_SECONDS / 2)  # not asked
    await gpus.look(2.0 + REST_SECONDS)  # it hangs still
    assert len(asked) == 2

    free.set()
    asked[1].join(30)
    gpus._patience = 30.0
    await gpus.look(3.0 + 2 * REST_SECONDS)
    assert gpus.problems == ()
    assert len(gpus.metrics) == 2


@pytest.mark.anyio
async def test_this_machine_can_be_asked():
    gpus = Gpus(makers())
    await gpus.look(0.0)

    assert len(gpus.gpus) == len(gpus.metrics)
