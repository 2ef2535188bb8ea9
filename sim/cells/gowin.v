// Gowin cells that yosys' own library leaves empty, or whose model there simulates slowly.
//
// After Gowin's public descriptions: "Gowin BSRAM & SSRAM User Guide" (UG285), "Gowin DSP User Guide" (UG287). Each
// model ends the simulation at a parameter value that it does not model.

module model_LUT1 (output F, input I0);
  parameter [1:0] INIT = 0;
  assign F = INIT[I0];
endmodule

module model_LUT2 (output F, input I0, I1);
  parameter [3:0] INIT = 0;
  assign F = INIT[{I1, I0}];
endmodule

module model_LUT3 (output F, input I0, I1, I2);
  parameter [7:0] INIT = 0;
  assign F = INIT[{I2, I1, I0}];
endmodule

module model_LUT4 (output F, input I0, I1, I2, I3);
  parameter [15:0] INIT = 0;
  assign F = INIT[{I3, I2, I1, I0}];
endmodule

`define INIT_RAM_PARAMETERS(W) \
  parameter [W-1:0] INIT_RAM_00 = 0; parameter [W-1:0] INIT_RAM_01 = 0; \
  parameter [W-1:0] INIT_RAM_02 = 0; parameter [W-1:0] INIT_RAM_03 = 0; \
  parameter [W-1:0] INIT_RAM_04 = 0; parameter [W-1:0] INIT_RAM_05 = 0; \
  parameter [W-1:0] INIT_RAM_06 = 0; parameter [W-1:0] INIT_RAM_07 = 0; \
  parameter [W-1:0] INIT_RAM_08 = 0; parameter [W-1:0] INIT_RAM_09 = 0; \
  parameter [W-1:0] INIT_RAM_0A = 0; parameter [W-1:0] INIT_RAM_0B = 0; \
  parameter [W-1:0] INIT_RAM_0C = 0; parameter [W-1:0] INIT_RAM_0D = 0; \
  parameter [W-1:0] INIT_RAM_0E = 0; parameter [W-1:0] INIT_RAM_0F = 0; \
  parameter [W-1:0] INIT_RAM_10 = 0; parameter [W-1:0] INIT_RAM_11 = 0; \
  parameter [W-1:0] INIT_RAM_12 = 0; parameter [W-1:0] INIT_RAM_13 = 0; \
  parameter [W-1:0] INIT_RAM_14 = 0; parameter [W-1:0] INIT_RAM_15 = 0; \
  parameter [W-1:0] INIT_RAM_16 = 0; parameter [W-1:0] INIT_RAM_17 = 0; \
  parameter [W-1:0] INIT_RAM_18 = 0; parameter [W-1:0] INIT_RAM_19 = 0; \
  parameter [W-1:0] INIT_RAM_1A = 0; parameter [W-1:0] INIT_RAM_1B = 0; \
  parameter [W-1:0] INIT_RAM_1C = 0; parameter [W-1:0] INIT_RAM_1D = 0; \
  parameter [W-1:0] INIT_RAM_1E = 0; parameter [W-1:0] INIT_RAM_1F = 0; \
  parameter [W-1:0] INIT_RAM_20 = 0; parameter [W-1:0] INIT_RAM_21 = 0; \
  parameter [W-1:0] INIT_RAM_22 = 0; parameter [W-1:0] INIT_RAM_23 = 0; \
  parameter [W-1:0] INIT_RAM_24 = 0; parameter [W-1:0] INIT_RAM_25 = 0; \
  parameter [W-1:0] INIT_RAM_26 = 0; parameter [W-1:0] INIT_RAM_27 = 0; \
  parameter [W-1:0] INIT_RAM_28 = 0; parameter [W-1:0] INIT_RAM_29 = 0; \
  parameter [W-1:0] INIT_RAM_2A = 0; parameter [W-1:0] INIT_RAM_2B = 0; \
  parameter [W-1:0] INIT_RAM_2C = 0; parameter [W-1:0] INIT_RAM_2D = 0; \
  parameter [W-1:0] INIT_RAM_2E = 0; parameter [W-1:0] INIT_RAM_2F = 0; \
  parameter [W-1:0] INIT_RAM_30 = 0; parameter [W-1:0] INIT_RAM_31 = 0; \
  parameter [W-1:0] INIT_RAM_32 = 0; parameter [W-1:0] INIT_RAM_33 = 0; \
  parameter [W-1:0] INIT_RAM_34 = 0; parameter [W-1:0] INIT_RAM_35 = 0; \
  parameter [W-1:0] INIT_RAM_36 = 0; parameter [W-1:0] INIT_RAM_37 = 0; \
  parameter [W-1:0] INIT_RAM_38 = 0; parameter [W-1:0] INIT_RAM_39 = 0; \
  parameter [W-1:0] INIT_RAM_3A = 0; parameter [W-1:0] INIT_RAM_3B = 0; \
  parameter [W-1:0] INIT_RAM_3C = 0; parameter [W-1:0] INIT_RAM_3D = 0; \
  parameter [W-1:0] INIT_RAM_3E = 0; parameter [W-1:0] INIT_RAM_3F = 0;
`define INIT_RAM_ALL { \
  INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38, \
  INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30, \
  INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, \
  INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20, \
  INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, \
  INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, \
  INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08, \
  INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00 }

// Block memories: bytes of 8 bits (SP, SDPB, DPB) or 9 bits (SPX9, SDPX9B, DPX9B). A port of two or four bytes takes
// its byte enables from the lowest address bits.

module model_SP (output [31:0] DO, input [31:0] DI, input [2:0] BLKSEL, input [13:0] AD,
    input WRE, CLK, CE, OCE, RESET);
  parameter [0:0] READ_MODE = 0;
  parameter [1:0] WRITE_MODE = 0;
  parameter integer BIT_WIDTH = 32;
  parameter [2:0] BLK_SEL = 0;
  parameter [47:0] RESET_MODE = "SYNC";
  `INIT_RAM_PARAMETERS(256)
  wire [35:0] q;
  model_block_memory #(
    .UNIT(8), .WIDTH_A(BIT_WIDTH), .MODE_A(WRITE_MODE), .REGISTERED(READ_MODE), .RESET_MODE(RESET_MODE),
    .INIT(`INIT_RAM_ALL)
  ) memory (
    .clka(CLK), .ena(CE & BLKSEL == BLK_SEL), .wea(WRE), .rsta(RESET), .ada(AD), .bea(BIT_WIDTH >= 16 ? AD[3:0] : 4'd1),
    .da({4'd0, DI}), .qa(q),
    .clkb(1'b0), .enb(1'b0), .web(1'b0), .rstb(1'b0), .adb(14'd0), .beb(4'd0), .db(36'd0), .qb()
  );
  assign DO = q[31:0];
endmodule

module model_SPX9 (output [35:0] DO, input [35:0] DI, input [2:0] BLKSEL, input [13:0] AD,
    input WRE, CLK, CE, OCE, RESET);
  parameter [0:0] READ_MODE = 0;
  parameter [1:0] WRITE_MODE = 0;
  parameter integer BIT_WIDTH = 36;
  parameter [2:0] BLK_SEL = 0;
  parameter [47:0] RESET_MODE = "SYNC";
  `INIT_RAM_PARAMETERS(288)
  wire [35:0] q;
  model_block_memory #(
    .UNIT(9), .WIDTH_A(BIT_WIDTH), .MODE_A(WRITE_MODE), .REGISTERED(READ_MODE), .RESET_MODE(RESET_MODE),
    .INIT(`INIT_RAM_ALL)
  ) memory (
    .clka(CLK), .ena(CE & BLKSEL == BLK_SEL), .wea(WRE), .rsta(RESET), .ada(AD), .bea(BIT_WIDTH >= 16 ? AD[3:0] : 4'd1),
    .da(DI), .qa(q),
    .clkb(1'b0), .enb(1'b0), .web(1'b0), .rstb(1'b0), .adb(14'd0), .beb(4'd0), .db(36'd0), .qb()
  );
  assign DO = q[35:0];
endmodule

module model_SDPB (output [31:0] DO, input [31:0] DI, input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB,
    input CLKA, CLKB, CEA, CEB,
    OCE, RESETA, RESETB);
  parameter [0:0] READ_MODE = 0;
  parameter integer BIT_WIDTH_0 = 32, BIT_WIDTH_1 = 32;
  parameter [2:0] BLK_SEL_0 = 0, BLK_SEL_1 = 0;
  parameter [47:0] RESET_MODE = "SYNC";
  `INIT_RAM_PARAMETERS(256)
  wire [35:0] q;
  model_block_memory #(
    .UNIT(8), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .REGISTERED(READ_MODE), .RESET_MODE(RESET_MODE),
    .INIT(`INIT_RAM_ALL)
  ) memory (
    .clka(CLKA), .ena(CEA & BLKSELA == BLK_SEL_0), .wea(1'b1), .rsta(1'b0), .ada(ADA),
    .bea(BIT_WIDTH_0 >= 16 ? ADA[3:0] : 4'd1), .da({4'd0, DI}), .qa(),
    .clkb(CLKB), .enb(CEB & BLKSELB == BLK_SEL_1), .web(1'b0), .rstb(RESETB), .adb(ADB), .beb(4'd0), .db(36'd0), .qb(q)
  );
  assign DO = q[31:0];
endmodule

module model_SDPX9B (output [35:0] DO, input [35:0] DI, input [2:0] BLKSELA, BLKSELB,
    input [13:0] ADA, ADB, input CLKA, CLKB, CEA, CEB,
    OCE, RESETA, RESETB);
  parameter [0:0] READ_MODE = 0;
  parameter integer BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36;
  parameter [2:0] BLK_SEL_0 = 0, BLK_SEL_1 = 0;
  parameter [47:0] RESET_MODE = "SYNC";
  `INIT_RAM_PARAMETERS(288)
  wire [35:0] q;
  model_block_memory #(
    .UNIT(9), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .REGISTERED(READ_MODE), .RESET_MODE(RESET_MODE),
    .INIT(`INIT_RAM_ALL)
  ) memory (
    .clka(CLKA), .ena(CEA & BLKSELA == BLK_SEL_0), .wea(1'b1), .rsta(1'b0), .ada(ADA),
    .bea(BIT_WIDTH_0 >= 16 ? ADA[3:0] : 4'd1), .da(DI), .qa(),
    .clkb(CLKB), .enb(CEB & BLKSELB == BLK_SEL_1), .web(1'b0), .rstb(RESETB), .adb(ADB), .beb(4'd0), .db(36'd0), .qb(q)
  );
  assign DO = q[35:0];
endmodule

module model_DPB (output [15:0] DOA, DOB, input [15:0] DIA, DIB, input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB,
    input CLKA, CLKB, CEA, CEB, OCEA, OCEB, WREA, WREB, RESETA, RESETB);
  parameter [0:0] READ_MODE0 = 0, READ_MODE1 = 0;
  parameter [1:0] WRITE_MODE0 = 0, WRITE_MODE1 = 0;
  parameter integer BIT_WIDTH_0 = 16, BIT_WIDTH_1 = 16;
  parameter [2:0] BLK_SEL_0 = 0, BLK_SEL_1 = 0;
  parameter [47:0] RESET_MODE = "SYNC";
  `INIT_RAM_PARAMETERS(256)
  wire [35:0] qa, qb;
  model_block_memory #(
    .UNIT(8), .WIDTH_A(BIT_WIDTH_0), .MODE_A(WRITE_MODE0), .WIDTH_B(BIT_WIDTH_1), .MODE_B(WRITE_MODE1),
    .REGISTERED(READ_MODE0 | READ_MODE1), .RESET_MODE(RESET_MODE), .INIT(`INIT_RAM_ALL)
  ) memory (
    .clka(CLKA), .ena(CEA & BLKSELA == BLK_SEL_0), .wea(WREA), .rsta(RESETA), .ada(ADA),
    .bea(BIT_WIDTH_0 >= 16 ? ADA[3:0] : 4'd1), .da({20'd0, DIA}), .qa(qa),
    .clkb(CLKB), .enb(CEB & BLKSELB == BLK_SEL_1), .web(WREB), .rstb(RESETB), .adb(ADB),
    .beb(BIT_WIDTH_1 >= 16 ? ADB[3:0] : 4'd1), .db({20'd0, DIB}), .qb(qb)
  );
  assign DOA = qa[15:0];
  assign DOB = qb[15:0];
endmodule

module model_DPX9B (output [17:0] DOA, DOB, input [17:0] DIA, DIB, input [2:0] BLKSELA, BLKSELB,
    input [13:0] ADA, ADB,
    input CLKA, CLKB, CEA, CEB, OCEA, OCEB, WREA, WREB, RESETA, RESETB);
  parameter [0:0] READ_MODE0 = 0, READ_MODE1 = 0;
  parameter [1:0] WRITE_MODE0 = 0, WRITE_MODE1 = 0;
  parameter integer BIT_WIDTH_0 = 18, BIT_WIDTH_1 = 18;
  parameter [2:0] BLK_SEL_0 = 0, BLK_SEL_1 = 0;
  parameter [47:0] RESET_MODE = "SYNC";
  `INIT_RAM_PARAMETERS(288)
  wire [35:0] qa, qb;
  model_block_memory #(
    .UNIT(9), .WIDTH_A(BIT_WIDTH_0), .MODE_A(WRITE_MODE0), .WIDTH_B(BIT_WIDTH_1), .MODE_B(WRITE_MODE1),
    .REGISTERED(READ_MODE0 | READ_MODE1), .RESET_MODE(RESET_MODE), .INIT(`INIT_RAM_ALL)
  ) memory (
    .clka(CLKA), .ena(CEA & BLKSELA == BLK_SEL_0), .wea(WREA), .rsta(RESETA), .ada(ADA),
    .bea(BIT_WIDTH_0 >= 16 ? ADA[3:0] : 4'd1), .da({18'd0, DIA}), .qa(qa),
    .clkb(CLKB), .enb(CEB & BLKSELB == BLK_SEL_1), .web(WREB), .rstb(RESETB), .adb(ADB),
    .beb(BIT_WIDTH_1 >= 16 ? ADB[3:0] : 4'd1), .db({18'd0, DIB}), .qb(qb)
  );
  assign DOA = qa[17:0];
  assign DOB = qb[17:0];
endmodule

// Multipliers: no shift inputs, no resets; the large one as yosys infers it, without registers.

module model_MULT9X9 (input [8:0] A, B, input ASIGN, BSIGN, input [8:0] SIA, SIB, input ASEL, BSEL,
    input CE, CLK, RESET, output [8:0] SOA, SOB, output [17:0] DOUT);
  parameter [0:0] AREG = 0, BREG = 0, ASIGN_REG = 0, BSIGN_REG = 0, PIPE_REG = 0, OUT_REG = 0;
  parameter [0:0] SOA_REG = 0;
  parameter MULT_RESET_MODE = "SYNC";
  initial if (SOA_REG) $fatal(1, "MULT9X9: the register of shift outputs is not modelled");
  always @(ASEL or BSEL) if (ASEL || BSEL) $fatal(1, "MULT9X9: shift inputs are not modelled");
  always @(RESET) if (RESET) $fatal(1, "MULT9X9: resets are not modelled");
  wire [8:0] a, b;
  wire asign, bsign;
  wire [17:0] piped;
  model_dsp_register #(.WIDTH(9), .PRESENT(AREG)) reg_a (.clk(CLK), .ce(CE), .d(A), .q(a));
  model_dsp_register #(.WIDTH(9), .PRESENT(BREG)) reg_b (.clk(CLK), .ce(CE), .d(B), .q(b));
  model_dsp_register #(.WIDTH(1), .PRESENT(ASIGN_REG)) reg_asign (.clk(CLK), .ce(CE), .d(ASIGN), .q(asign));
  model_dsp_register #(.WIDTH(1), .PRESENT(BSIGN_REG)) reg_bsign (.clk(CLK), .ce(CE), .d(BSIGN), .q(bsign));
  wire signed [19:0] product = $signed({asign & a[8], a}) * $signed({bsign & b[8], b});
  model_dsp_register #(.WIDTH(18), .PRESENT(PIPE_REG)) pipe (.clk(CLK), .ce(CE), .d(product[17:0]), .q(piped));
  model_dsp_register #(.WIDTH(18), .PRESENT(OUT_REG)) out (.clk(CLK), .ce(CE), .d(piped), .q(DOUT));
  assign SOA = a;
  assign SOB = b;
endmodule

module model_MULT18X18 (input [17:0] A, B, input ASIGN, BSIGN, input [17:0] SIA, SIB, input ASEL, BSEL,
    input CE, CLK, RESET, output [17:0] SOA, SOB, output [35:0] DOUT);
  parameter [0:0] AREG = 0, BREG = 0, ASIGN_REG = 0, BSIGN_REG = 0, PIPE_REG = 0, OUT_REG = 0;
  parameter [0:0] SOA_REG = 0;
  parameter MULT_RESET_MODE = "SYNC";
  initial if (SOA_REG) $fatal(1, "MULT18X18: the register of shift outputs is not modelled");
  always @(ASEL or BSEL) if (ASEL || BSEL) $fatal(1, "MULT18X18: shift inputs are not modelled");
  always @(RESET) if (RESET) $fatal(1, "MULT18X18: resets are not modelled");
  wire [17:0] a, b;
  wire asign, bsign;
  wire [35:0] piped;
  model_dsp_register #(.WIDTH(18), .PRESENT(AREG)) reg_a (.clk(CLK), .ce(CE), .d(A), .q(a));
  model_dsp_register #(.WIDTH(18), .PRESENT(BREG)) reg_b (.clk(CLK), .ce(CE), .d(B), .q(b));
  model_dsp_register #(.WIDTH(1), .PRESENT(ASIGN_REG)) reg_asign (.clk(CLK), .ce(CE), .d(ASIGN), .q(asign));
  model_dsp_register #(.WIDTH(1), .PRESENT(BSIGN_REG)) reg_bsign (.clk(CLK), .ce(CE), .d(BSIGN), .q(bsign));
  wire signed [37:0] product = $signed({asign & a[17], a}) * $signed({bsign & b[17], b});
  model_dsp_register #(.WIDTH(36), .PRESENT(PIPE_REG)) pipe (.clk(CLK), .ce(CE), .d(product[35:0]), .q(piped));
  model_dsp_register #(.WIDTH(36), .PRESENT(OUT_REG)) out (.clk(CLK), .ce(CE), .d(piped), .q(DOUT));
  assign SOA = a;
  assign SOB = b;
endmodule

module model_MULT36X36 (input [35:0] A, B, input ASIGN, BSIGN, input CE, CLK, RESET, output [71:0] DOUT);
  parameter [0:0] AREG = 0, BREG = 0, ASIGN_REG = 0, BSIGN_REG = 0, PIPE_REG = 0, OUT0_REG = 0, OUT1_REG = 0;
  parameter MULT_RESET_MODE = "SYNC";
  initial if (AREG || BREG || ASIGN_REG || BSIGN_REG || PIPE_REG || OUT0_REG || OUT1_REG)
    $fatal(1, "MULT36X36: registers are not modelled");
  wire signed [73:0] product = $signed({ASIGN & A[35], A}) * $signed({BSIGN & B[35], B});
  assign DOUT = product[71:0];
endmodule
