// iCE40 cells whose model in yosys' own library simulates slowly; all others are taken from there.

module model_SB_LUT4 (output O, input I0, input I1, input I2, input I3);
  parameter [15:0] LUT_INIT = 0;
  assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule
