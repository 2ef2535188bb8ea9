"""A report as the flow leaves it, and a floorplan as nextpnr draws it."""

from __future__ import annotations

LAYER = {"inputs": 4, "outputs": 2, "interval": 4, "latency": 5}
VALUES = {
    "design": "tiny-icebreaker", "model": "tiny", "board": "icebreaker", "part": "up5k-sg48", "target": "throughput",
    "accuracy": 0.9375, "samples": 16, "mismatches": 0, "stage": "route",
    "levels": {"model": {"samples": 16, "mismatches": 0, "seconds": 0.5},
               "rtl": {"samples": 16, "mismatches": 0, "seconds": 12.25},
               "top": {"status": "failed", "samples": 7, "mismatches": 3, "seconds": 1},
               "netlist": {"status": "unavailable", "reason": "no model of <SB_FOO>"}},
    "interval_cycles": 64, "latency_cycles": 233, "clock_mhz": 12, "throughput_fps": 187500, "latency_us": 19.4,
    "lut": 2829, "ff": 790, "bram": 24, "dsp": 0, "fmax_mhz": 67.5,
    "predicted": {"interval_cycles": 64, "latency_cycles": 233, "lut": 1415, "ff": 790, "bram": 24},
    "layers": [{"name": "fc1", "template": "MatVec", "pe": 4, "simd": 16, "memory": "weights 64×192 block", "lut": 812,
                **LAYER, "interval": 64},
               {"name": "act1", "template": "Threshold", "pe": 2, "simd": 2, **LAYER}],
    "utilization": {"ICESTORM_LC": {"used": 2829, "available": 5280}, "ICESTORM_DSP": {"used": 0, "available": 8}},
    "critical_path": [
        {"kind": "clk-to-q", "delay_ns": 1.39, "cell": "accelerator.fc1.a_LC"},
        {"kind": "routing", "delay_ns": 2.61, "net": "accelerator.fc1.n<1>", "cell": "accelerator.fc1.b_LC"},
        {"kind": "setup", "delay_ns": 1.0, "cell": "accelerator.fc1.b_LC"}],
    "seconds": {"synthesis": 6.5, "place and route": 14.25}, "tools": {"amaranth": "0.5.10"},
}


def rectangle(x: float, y: float, width: float = 6, height: float = 2.5, used: bool = True) -> str:
    """A rectangle as nextpnr draws it."""
    colours = 'stroke="#FF3030" fill="#FF8080"' if used else 'stroke="#808080" fill="none"'
    return f'<rect x="{x:.6f}" y="{y:.6f}" width="{width:.6f}" height="{height:.6f}" {colours}/>'


def drawing(*rectangles: str, columns: int = 10, rows: int = 8) -> str:
    """A drawing as nextpnr writes it, of a device of ``columns`` × ``rows`` tiles."""
    size = f"{columns * 50 - 1}.5", f"{rows * 50 - 2}.25"
    return "\n".join([
        f'<svg viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" height="{size[1]}" xmlns="http://www.w3.org/2000/svg">',
        '<rect x="0" y="0" width="100%" height="100%" stroke="#fff" fill="#fff"/>', *rectangles, "</svg>"])
