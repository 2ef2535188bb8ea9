// ECP5 cells that yosys' own library leaves empty, or whose model there simulates slowly.
//
// After Lattice's public descriptions: "ECP5 and ECP5-5G Memory Usage Guide" (FPGA-TN-02204), "ECP5 and ECP5-5G sysDSP
// Usage Guide" (FPGA-TN-02205). Each model ends the simulation at a parameter value that it does not model.

module model_LUT4 (input A, input B, input C, input D, output Z);
  parameter [15:0] INIT = 16'h0000;
  assign Z = INIT[{D, C, B, A}];
endmodule

`define INITVAL_PARAMETERS(W) \
  parameter [W-1:0] INITVAL_00 = 0; parameter [W-1:0] INITVAL_01 = 0; \
  parameter [W-1:0] INITVAL_02 = 0; parameter [W-1:0] INITVAL_03 = 0; \
  parameter [W-1:0] INITVAL_04 = 0; parameter [W-1:0] INITVAL_05 = 0; \
  parameter [W-1:0] INITVAL_06 = 0; parameter [W-1:0] INITVAL_07 = 0; \
  parameter [W-1:0] INITVAL_08 = 0; parameter [W-1:0] INITVAL_09 = 0; \
  parameter [W-1:0] INITVAL_0A = 0; parameter [W-1:0] INITVAL_0B = 0; \
  parameter [W-1:0] INITVAL_0C = 0; parameter [W-1:0] INITVAL_0D = 0; \
  parameter [W-1:0] INITVAL_0E = 0; parameter [W-1:0] INITVAL_0F = 0; \
  parameter [W-1:0] INITVAL_10 = 0; parameter [W-1:0] INITVAL_11 = 0; \
  parameter [W-1:0] INITVAL_12 = 0; parameter [W-1:0] INITVAL_13 = 0; \
  parameter [W-1:0] INITVAL_14 = 0; parameter [W-1:0] INITVAL_15 = 0; \
  parameter [W-1:0] INITVAL_16 = 0; parameter [W-1:0] INITVAL_17 = 0; \
  parameter [W-1:0] INITVAL_18 = 0; parameter [W-1:0] INITVAL_19 = 0; \
  parameter [W-1:0] INITVAL_1A = 0; parameter [W-1:0] INITVAL_1B = 0; \
  parameter [W-1:0] INITVAL_1C = 0; parameter [W-1:0] INITVAL_1D = 0; \
  parameter [W-1:0] INITVAL_1E = 0; parameter [W-1:0] INITVAL_1F = 0; \
  parameter [W-1:0] INITVAL_20 = 0; parameter [W-1:0] INITVAL_21 = 0; \
  parameter [W-1:0] INITVAL_22 = 0; parameter [W-1:0] INITVAL_23 = 0; \
  parameter [W-1:0] INITVAL_24 = 0; parameter [W-1:0] INITVAL_25 = 0; \
  parameter [W-1:0] INITVAL_26 = 0; parameter [W-1:0] INITVAL_27 = 0; \
  parameter [W-1:0] INITVAL_28 = 0; parameter [W-1:0] INITVAL_29 = 0; \
  parameter [W-1:0] INITVAL_2A = 0; parameter [W-1:0] INITVAL_2B = 0; \
  parameter [W-1:0] INITVAL_2C = 0; parameter [W-1:0] INITVAL_2D = 0; \
  parameter [W-1:0] INITVAL_2E = 0; parameter [W-1:0] INITVAL_2F = 0; \
  parameter [W-1:0] INITVAL_30 = 0; parameter [W-1:0] INITVAL_31 = 0; \
  parameter [W-1:0] INITVAL_32 = 0; parameter [W-1:0] INITVAL_33 = 0; \
  parameter [W-1:0] INITVAL_34 = 0; parameter [W-1:0] INITVAL_35 = 0; \
  parameter [W-1:0] INITVAL_36 = 0; parameter [W-1:0] INITVAL_37 = 0; \
  parameter [W-1:0] INITVAL_38 = 0; parameter [W-1:0] INITVAL_39 = 0; \
  parameter [W-1:0] INITVAL_3A = 0; parameter [W-1:0] INITVAL_3B = 0; \
  parameter [W-1:0] INITVAL_3C = 0; parameter [W-1:0] INITVAL_3D = 0; \
  parameter [W-1:0] INITVAL_3E = 0; parameter [W-1:0] INITVAL_3F = 0;
`define INITVAL_ALL { \
  INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38, \
  INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, \
  INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, \
  INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, \
  INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, \
  INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10, \
  INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08, \
  INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00 }

// True dual port memory of 16 Kbit, 18 Kbit with the ninth bits. A port of width 18 or 36 takes its byte enables from
// the lowest address bits. Width 36 makes a simple dual port memory: A writes with the upper half on DIB, B reads with
// the lower half on DOA.
module model_DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
    DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
    DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
    DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
    DOB2, DOB1, DOB0
);
  parameter integer DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, WID = 0;
  parameter [127:0] REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";
  parameter [127:0] CSDECODE_A = "0b000", CSDECODE_B = "0b000", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
  parameter [127:0] CLKAMUX = "CLKA", CLKBMUX = "CLKB", GSR = "AUTO", INIT_DATA = "STATIC";
  `INITVAL_PARAMETERS(320)

  function integer write_mode(input [127:0] name);
    write_mode = name == "NORMAL" ? 0 : name == "WRITETHROUGH" ? 1 : name == "READBEFOREWRITE" ? 2 : -1;
  endfunction

  initial begin
    if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") $fatal(1, "DP16KD: only CSDECODE 0b000 is modelled");
    if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") $fatal(1, "DP16KD: inverted clocks are not modelled");
    if (write_mode(WRITEMODE_A) < 0 || write_mode(WRITEMODE_B) < 0) $fatal(1, "DP16KD: this WRITEMODE is not modelled");
    if (INIT_DATA != "STATIC") $fatal(1, "DP16KD: INIT_DATA %0s is not modelled", INIT_DATA);
  end

  wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
      DIA2, DIA1, DIA0};
  wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
      DIB2, DIB1, DIB0};
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [35:0] qa, qb;

  model_block_memory #(
    .WIDTH_A(DATA_WIDTH_A), .MODE_A(write_mode(WRITEMODE_A)), .WIDTH_B(DATA_WIDTH_B), .MODE_B(write_mode(WRITEMODE_B)),
    .REGISTERED(REGMODE_A != "NOREG" || REGMODE_B != "NOREG"), .RESET_MODE(RESETMODE), .RESET_BLOCKS_WRITE(1),
    .STRIDE(20), .INIT(`INITVAL_ALL)
  ) memory (
    .clka(CLKA), .ena(CEA & ~(CSA2 | CSA1 | CSA0)), .wea(WEA), .rsta(RSTA), .ada(ada),
    .bea(DATA_WIDTH_A >= 18 ? ada[3:0] : 4'd1), .da({dib, dia}), .qa(qa),
    .clkb(CLKB), .enb(CEB & ~(CSB2 | CSB1 | CSB0)), .web(WEB), .rstb(RSTB), .adb(adb),
    .beb(DATA_WIDTH_B >= 18 ? adb[3:0] : 4'd1), .db({18'd0, dib}), .qb(qb)
  );
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
      DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? qb[17:0] : qa[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
      DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? qb[35:18] : qb[17:0];
endmodule

// Multiplier of 18 × 18 bits with its registers: no shift inputs, no resets.
module model_MULT18X18D (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  input CLK3, CLK2, CLK1, CLK0, CE3, CE2, CE1, CE0, RST3, RST2, RST1, RST0,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16,
    P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  parameter [127:0] REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_INPUTC_CLK = "NONE";
  parameter [127:0] REG_PIPELINE_CLK = "NONE", REG_OUTPUT_CLK = "NONE";
  parameter [127:0] REG_INPUTA_CE = "CE0", REG_INPUTB_CE = "CE0", REG_INPUTC_CE = "CE0";
  parameter [127:0] REG_PIPELINE_CE = "CE0", REG_OUTPUT_CE = "CE0";
  parameter [127:0] REG_INPUTA_RST = "RST0", REG_INPUTB_RST = "RST0", REG_INPUTC_RST = "RST0";
  parameter [127:0] REG_PIPELINE_RST = "RST0", REG_OUTPUT_RST = "RST0";
  parameter [127:0] CLK0_DIV = "ENABLED", CLK1_DIV = "ENABLED", CLK2_DIV = "ENABLED", CLK3_DIV = "ENABLED";
  parameter [127:0] HIGHSPEED_CLK = "NONE", GSR = "ENABLED", CAS_MATCH_REG = "FALSE", SOURCEB_MODE = "B_SHIFT";
  parameter [127:0] MULT_BYPASS = "DISABLED", RESETMODE = "SYNC";

  function integer number(input [127:0] name, input [127:0] zero);
    // The digit at the end of a name that is ``zero`` for 0; 4 for NONE, -1 for all else.
    number = name == "NONE" ? 4 : name - zero < 4 ? name - zero : -1;
  endfunction
  localparam integer CLK_A = number(REG_INPUTA_CLK, "CLK0"), CLK_B = number(REG_INPUTB_CLK, "CLK0");
  localparam integer CLK_P = number(REG_PIPELINE_CLK, "CLK0"), CLK_O = number(REG_OUTPUT_CLK, "CLK0");
  localparam integer CE_A = number(REG_INPUTA_CE, "CE0"), CE_B = number(REG_INPUTB_CE, "CE0");
  localparam integer CE_P = number(REG_PIPELINE_CE, "CE0"), CE_O = number(REG_OUTPUT_CE, "CE0");

  initial begin
    if (CLK_A < 0 || CLK_B < 0 || CLK_P < 0 || CLK_O < 0) $fatal(1, "MULT18X18D: this REG_*_CLK is not modelled");
    if (CE_A < 0 || CE_A > 3 || CE_B < 0 || CE_B > 3 || CE_P < 0 || CE_P > 3 || CE_O < 0 || CE_O > 3)
      $fatal(1, "MULT18X18D: this REG_*_CE is not modelled");
    if (REG_INPUTC_CLK != "NONE") $fatal(1, "MULT18X18D: operand C is not modelled");
    if (CLK0_DIV != "ENABLED" || CLK1_DIV != "ENABLED" || CLK2_DIV != "ENABLED" || CLK3_DIV != "ENABLED"
        || HIGHSPEED_CLK != "NONE") $fatal(1, "MULT18X18D: this clock division is not modelled");
    if (CAS_MATCH_REG != "FALSE" || SOURCEB_MODE != "B_SHIFT" || MULT_BYPASS != "DISABLED")
      $fatal(1, "MULT18X18D: this CAS_MATCH_REG, SOURCEB_MODE or MULT_BYPASS is not modelled");
  end
  always @(SOURCEA or SOURCEB) if (SOURCEA || SOURCEB) $fatal(1, "MULT18X18D: shift inputs are not modelled");
  wire resets = (CLK_A < 4 || CLK_B < 4 || CLK_P < 4 || CLK_O < 4) && (RST3 || RST2 || RST1 || RST0);
  always @(resets) if (resets) $fatal(1, "MULT18X18D: resets are not modelled");

  wire [4:0] clk = {1'b0, CLK3, CLK2, CLK1, CLK0};
  wire [3:0] ce = {CE3, CE2, CE1, CE0};
  wire signed_a, signed_b;
  wire [17:0] a, b;
  wire [35:0] piped;
  model_dsp_register #(.WIDTH(19), .PRESENT(CLK_A < 4)) input_a (.clk(clk[CLK_A]), .ce(ce[CE_A]), .q({signed_a, a}),
    .d({SIGNEDA, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0}));
  model_dsp_register #(.WIDTH(19), .PRESENT(CLK_B < 4)) input_b (.clk(clk[CLK_B]), .ce(ce[CE_B]), .q({signed_b, b}),
    .d({SIGNEDB, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0}));
  wire signed [37:0] product = $signed({signed_a & a[17], a}) * $signed({signed_b & b[17], b});
  model_dsp_register #(.WIDTH(36), .PRESENT(CLK_P < 4)) pipeline (.clk(clk[CLK_P]), .ce(ce[CE_P]), .d(product[35:0]),
    .q(piped));
  model_dsp_register #(.WIDTH(36), .PRESENT(CLK_O < 4)) out (.clk(clk[CLK_O]), .ce(ce[CE_O]), .d(piped),
    .q({P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17,
      P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0}));
endmodule
