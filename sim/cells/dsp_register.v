// A register inside a multiplier block: there or not, with an enable.

module model_dsp_register #(parameter integer WIDTH = 1, parameter [0:0] PRESENT = 0) (
  input clk, input ce, input [WIDTH-1:0] d, output [WIDTH-1:0] q
);
  reg [WIDTH-1:0] stored;
  always @(posedge clk) if (ce) stored <= d;
  assign q = PRESENT ? stored : d;
endmodule
