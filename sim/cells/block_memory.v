// A block memory of 2,048 bytes under two ports, from which the vendors' primitives are made.
//
// UNIT is the bits of a byte (8 or 9). A port is 1, 2 or 4 bits or 1, 2 or 4 bytes wide; its address counts bits of the
// first eight of each byte. Writing, a port keeps its output (MODE 0), shows what it writes (1) or what was there (2).
// Its reset clears the output, also without enable, at the clock edge or at once. Both ports use one clock edge:
// where one reads a byte that the other writes at that edge, the vendors promise nothing, and the model gives the
// complement of what was there. INIT holds two bytes in every STRIDE bits.

module model_block_memory (clka, ena, wea, bea, rsta, ada, da, qa, clkb, enb, web, beb, rstb, adb, db, qb);
  parameter integer UNIT = 9;
  parameter integer WIDTH_A = UNIT, WIDTH_B = UNIT;
  parameter integer MODE_A = 0, MODE_B = 0;
  parameter integer RESET_BLOCKS_WRITE = 0, REGISTERED = 0;
  parameter [127:0] RESET_MODE = "SYNC";
  parameter integer STRIDE = 2 * UNIT;
  parameter [1024 * STRIDE - 1:0] INIT = 0;
  localparam integer BYTES_A = WIDTH_A / UNIT, BYTES_B = WIDTH_B / UNIT;
  localparam integer WIDER = (WIDTH_A < 8 && WIDTH_B < 8) ? (WIDTH_A > WIDTH_B ? WIDTH_A : WIDTH_B) : 8;

  input clka, ena, wea, rsta, clkb, enb, web, rstb;
  input [3:0] bea, beb;
  input [13:0] ada, adb;
  input [35:0] da, db;
  output reg [35:0] qa = 0, qb = 0;

  function integer known(input integer width);
    known = width == 1 || width == 2 || width == 4 || width == UNIT || width == 2 * UNIT || width == 4 * UNIT;
  endfunction

  reg [UNIT-1:0] bytes [0:2047];
  integer k;
  initial begin
    if (!known(WIDTH_A)) $fatal(1, "block memory: width %0d is not modelled", WIDTH_A);
    if (!known(WIDTH_B)) $fatal(1, "block memory: width %0d is not modelled", WIDTH_B);
    if (MODE_A > 2 || MODE_B > 2) $fatal(1, "block memory: this write mode is not modelled");
    if (RESET_MODE != "SYNC" && RESET_MODE != "ASYNC") $fatal(1, "block memory: this reset mode is not modelled");
    if (REGISTERED != 0) $fatal(1, "block memory: output registers are not modelled");
    for (k = 0; k < 1024; k = k + 1) begin
      bytes[2 * k] = INIT[STRIDE * k +: UNIT];
      bytes[2 * k + 1] = INIT[STRIDE * k + UNIT +: UNIT];
    end
  end

  wire [10:0] rowa = BYTES_A == 4 ? {ada[13:5], 2'd0} : BYTES_A == 2 ? {ada[13:4], 1'd0} : ada[13:3];
  wire [10:0] rowb = BYTES_B == 4 ? {adb[13:5], 2'd0} : BYTES_B == 2 ? {adb[13:4], 1'd0} : adb[13:3];
  wire [2:0] bita = WIDTH_A < 8 ? ada[2:0] & ~(WIDTH_A[2:0] - 3'd1) : 3'd0;
  wire [2:0] bitb = WIDTH_B < 8 ? adb[2:0] & ~(WIDTH_B[2:0] - 3'd1) : 3'd0;

  // Bytes that are written at this edge.
  wire writea = ena & wea & ~(RESET_BLOCKS_WRITE != 0 & rsta);
  wire writeb = enb & web & ~(RESET_BLOCKS_WRITE != 0 & rstb);
  wire [3:0] intoa = {4{writea}} & (BYTES_A == 4 ? bea : BYTES_A == 2 ? bea & 4'd3 : 4'd1);
  wire [3:0] intob = {4{writeb}} & (BYTES_B == 4 ? beb : BYTES_B == 2 ? beb & 4'd3 : 4'd1);

  // Bits of one byte may be apart although the byte is the same.
  wire apart = WIDTH_A < 8 && WIDTH_B < 8 && ((ada[2:0] ^ adb[2:0]) & ~(WIDER[2:0] - 3'd1)) != 0;

  function hit(input [10:0] target, input [10:0] row, input [3:0] into);
    hit = (into[0] & target == row) | (into[1] & target == (row | 11'd1)) | (into[2] & target == (row | 11'd2))
        | (into[3] & target == (row | 11'd3));
  endfunction

  function [UNIT-1:0] seen(input [UNIT-1:0] value, input [10:0] target, input [10:0] row, input [3:0] into, input far);
    seen = hit(target, row, into) & ~far ? ~value : value;
  endfunction

  wire [UNIT-1:0] a0 = seen(bytes[rowa], rowa, rowb, intob, apart) >> bita;
  wire [UNIT-1:0] a1 = seen(bytes[rowa | 11'd1], rowa | 11'd1, rowb, intob, apart);
  wire [UNIT-1:0] a2 = seen(bytes[rowa | 11'd2], rowa | 11'd2, rowb, intob, apart);
  wire [UNIT-1:0] a3 = seen(bytes[rowa | 11'd3], rowa | 11'd3, rowb, intob, apart);
  wire [UNIT-1:0] b0 = seen(bytes[rowb], rowb, rowa, intoa, apart) >> bitb;
  wire [UNIT-1:0] b1 = seen(bytes[rowb | 11'd1], rowb | 11'd1, rowa, intoa, apart);
  wire [UNIT-1:0] b2 = seen(bytes[rowb | 11'd2], rowb | 11'd2, rowa, intoa, apart);
  wire [UNIT-1:0] b3 = seen(bytes[rowb | 11'd3], rowb | 11'd3, rowa, intoa, apart);

  localparam [35:0] MASK_A = (36'd1 << WIDTH_A) - 36'd1, MASK_B = (36'd1 << WIDTH_B) - 36'd1;
  wire [35:0] olda = {a3, a2, a1, a0} & MASK_A;
  wire [35:0] oldb = {b3, b2, b1, b0} & MASK_B;
  wire [35:0] chosena = {{UNIT{intoa[3]}}, {UNIT{intoa[2]}}, {UNIT{intoa[1]}}, {UNIT{intoa[0]}}};
  wire [35:0] chosenb = {{UNIT{intob[3]}}, {UNIT{intob[2]}}, {UNIT{intob[1]}}, {UNIT{intob[0]}}};
  wire [35:0] newa = (da & chosena | olda & ~chosena) & MASK_A;
  wire [35:0] newb = (db & chosenb | oldb & ~chosenb) & MASK_B;

  wire cleara = RESET_MODE == "ASYNC" & rsta;
  always @(posedge clka or posedge cleara) begin
    if (cleara | rsta) qa <= 0;
    else if (ena) begin
      if (!wea) qa <= olda;
      else if (MODE_A == 1) qa <= newa;
      else if (MODE_A == 2) qa <= olda;
    end
  end
  always @(posedge clka) begin
    if (intoa[0]) begin
      if (WIDTH_A == 1) bytes[rowa][bita] <= da[0];
      else if (WIDTH_A == 2) bytes[rowa][bita +: 2] <= da[1:0];
      else if (WIDTH_A == 4) bytes[rowa][bita +: 4] <= da[3:0];
      else bytes[rowa] <= da[0 +: UNIT];
    end
    if (intoa[1]) bytes[rowa | 11'd1] <= da[UNIT +: UNIT];
    if (intoa[2]) bytes[rowa | 11'd2] <= da[2 * UNIT +: UNIT];
    if (intoa[3]) bytes[rowa | 11'd3] <= da[3 * UNIT +: UNIT];
  end

  wire clearb = RESET_MODE == "ASYNC" & rstb;
  always @(posedge clkb or posedge clearb) begin
    if (clearb | rstb) qb <= 0;
    else if (enb) begin
      if (!web) qb <= oldb;
      else if (MODE_B == 1) qb <= newb;
      else if (MODE_B == 2) qb <= oldb;
    end
  end
  always @(posedge clkb) begin
    if (intob[0]) begin
      if (WIDTH_B == 1) bytes[rowb][bitb] <= db[0];
      else if (WIDTH_B == 2) bytes[rowb][bitb +: 2] <= db[1:0];
      else if (WIDTH_B == 4) bytes[rowb][bitb +: 4] <= db[3:0];
      else bytes[rowb] <= db[0 +: UNIT];
    end
    if (intob[1]) bytes[rowb | 11'd1] <= db[UNIT +: UNIT];
    if (intob[2]) bytes[rowb | 11'd2] <= db[2 * UNIT +: UNIT];
    if (intob[3]) bytes[rowb | 11'd3] <= db[3 * UNIT +: UNIT];
  end
endmodule
