// Pushes beats through module `batch` (a wrapper of the accelerator) and keeps what comes out.
//
//   driver INPUTS OUTPUTS TIMING PROGRESS IN_BYTES OUT_BYTES BEATS_IN BEATS_OUT VECTORS PATIENCE
//
// INPUTS holds VECTORS * BEATS_IN beats of IN_BYTES bytes each, lane 0 in the lowest bits, little-endian; OUTPUTS gets
// VECTORS * BEATS_OUT beats of OUT_BYTES bytes. Input is offered and output taken in every cycle. TIMING gets one line
// per vector: the cycles of its first input and of its first output transfer. PROGRESS gets the vectors done so far.
// Ends with status 3 if no output beat came for PATIENCE cycles.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "Vbatch.h"
#include "verilated.h"

static FILE* open_or_die(const char* path, const char* mode) {
    FILE* file = std::fopen(path, mode);
    if (!file) {
        std::perror(path);
        std::exit(2);
    }
    return file;
}

// A port is an unsigned integer or an array of 32-bit words: both are little-endian bytes here.
template <class Port>
static void put(Port& port, const uint8_t* bytes, size_t count) {
    std::memset(static_cast<void*>(&port), 0, sizeof(port));
    std::memcpy(static_cast<void*>(&port), bytes, count);
}

template <class Port>
static void get(const Port& port, uint8_t* bytes, size_t count) {
    std::memcpy(bytes, static_cast<const void*>(&port), count);
}

int main(int argc, char** argv) {
    if (argc != 11) return 2;
    const size_t in_bytes = std::strtoull(argv[5], nullptr, 10), out_bytes = std::strtoull(argv[6], nullptr, 10);
    const uint64_t beats_in = std::strtoull(argv[7], nullptr, 10), beats_out = std::strtoull(argv[8], nullptr, 10);
    const uint64_t vectors = std::strtoull(argv[9], nullptr, 10), patience = std::strtoull(argv[10], nullptr, 10);
    FILE* inputs = open_or_die(argv[1], "rb");
    FILE* outputs = open_or_die(argv[2], "wb");
    std::vector<uint8_t> in(in_bytes), out(out_bytes);
    std::vector<uint64_t> starts_in(vectors), starts_out(vectors);

    VerilatedContext context;
    Vbatch top{&context};
    top.clk = 0;
    top.rst = 1;
    top.in_valid = 0;
    top.out_ready = 0;
    auto edge = [&] {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    };
    for (int i = 0; i < 4; ++i) edge();
    top.rst = 0;
    edge();  // idle for a cycle: cycles are counted from an idle pipeline
    top.out_ready = 1;

    uint64_t sent = 0, taken = 0, last = 0;
    const uint64_t to_send = vectors * beats_in, to_take = vectors * beats_out;
    bool loaded = false;
    for (uint64_t cycle = 0; taken < to_take; ++cycle) {
        if (!loaded && sent < to_send) {
            if (std::fread(in.data(), 1, in_bytes, inputs) != in_bytes) return 2;
            put(top.in_payload, in.data(), in_bytes);
            loaded = true;
        }
        top.in_valid = loaded;
        top.eval();
        if (loaded && top.in_ready) {
            if (sent % beats_in == 0) starts_in[sent / beats_in] = cycle;
            ++sent;
            loaded = false;
        }
        if (top.out_valid) {
            if (taken % beats_out == 0) starts_out[taken / beats_out] = cycle;
            get(top.out_payload, out.data(), out_bytes);
            if (std::fwrite(out.data(), 1, out_bytes, outputs) != out_bytes) return 2;
            ++taken;
            last = cycle;
            if (taken % (beats_out * 16) == 0) {
                FILE* progress = open_or_die(argv[4], "w");
                std::fprintf(progress, "%llu", static_cast<unsigned long long>(taken / beats_out));
                std::fclose(progress);
            }
        }
        if (cycle - last > patience) return 3;
        edge();
    }
    std::fclose(outputs);
    FILE* timing = open_or_die(argv[3], "w");
    for (uint64_t v = 0; v < vectors; ++v)
        std::fprintf(timing, "%llu %llu\n", static_cast<unsigned long long>(starts_in[v]),
                     static_cast<unsigned long long>(starts_out[v]));
    std::fclose(timing);
    top.final();
    return 0;
}
